#include "operator/main/data_guard.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace etcd::op {
namespace {

constexpr int kUsage = 2;
constexpr std::string_view kFlag = "--data-dir=";

bool IsAbsence(const std::error_code& error) {
  return error == std::errc::no_such_file_or_directory;
}

int Refuse(LogState state, std::string_view reason, const std::string& detail) {
  const std::string text =
      "{\"reason\":\"" + std::string(reason) + "\",\"detail\":\"" + detail + "\"}";
  std::fprintf(stderr, "%s\n", text.c_str());
  std::ofstream("/dev/termination-log") << text;
  return static_cast<int>(state);
}

}  // namespace

LogState FindLog(const std::string& data_dir, std::error_code& error) {
  const std::filesystem::path folder = std::filesystem::path(data_dir) / "member" / "wal";
  std::filesystem::directory_iterator file(folder, error);
  if (error) return IsAbsence(error) ? LogState::kMissing : LogState::kUnreadable;
  for (const std::filesystem::directory_iterator end; file != end;) {
    if (file->path().extension() == ".wal") return LogState::kPresent;
    file.increment(error);
    if (error) return LogState::kUnreadable;
  }
  return LogState::kMissing;
}

int DataGuardMain(int argc, char** argv) {
  const std::string_view word = argc == 3 ? argv[2] : "";
  if (!word.starts_with(kFlag)) {
    std::fprintf(stderr, "etcd-operator data-guard --data-dir=DIR\n");
    return kUsage;
  }
  const std::string data_dir(word.substr(kFlag.size()));
  std::error_code error;
  switch (FindLog(data_dir, error)) {
    case LogState::kPresent:
      return 0;
    case LogState::kMissing:
      return Refuse(LogState::kMissing, "DataMissing", data_dir + " holds no log of a member");
    case LogState::kUnreadable:
      break;
  }
  return Refuse(LogState::kUnreadable, "DataUnreadable",
                data_dir + " cannot be read (" + error.message() +
                    "): look at the volume and at the owner of its files; the data may be whole");
}

}  // namespace etcd::op
