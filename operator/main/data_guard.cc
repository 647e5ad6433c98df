#include "operator/main/data_guard.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace etcd::op {
namespace {

constexpr int kUsage = 2;
constexpr int kMissing = 3;
constexpr std::string_view kFlag = "--data-dir=";

}  // namespace

bool HasLog(const std::string& data_dir) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(data_dir) / "member" / "wal";
  for (std::filesystem::directory_iterator file(folder, error), end; !error && file != end;
       file.increment(error)) {
    if (file->path().extension() == ".wal") return true;
  }
  return false;
}

int DataGuardMain(int argc, char** argv) {
  const std::string_view word = argc == 3 ? argv[2] : "";
  if (!word.starts_with(kFlag)) {
    std::fprintf(stderr, "etcd-operator data-guard --data-dir=DIR\n");
    return kUsage;
  }
  const std::string data_dir(word.substr(kFlag.size()));
  if (HasLog(data_dir)) return 0;
  const std::string text =
      "{\"reason\":\"DataMissing\",\"detail\":\"" + data_dir + " holds no log of a member\"}";
  std::fprintf(stderr, "%s\n", text.c_str());
  std::ofstream("/dev/termination-log") << text;
  return kMissing;
}

}  // namespace etcd::op
