#include <cstdio>
#include <string>

#include "server/base/status.h"
#include "tests/support/bbolt_image.h"

// db_dump FILE: one line "bucket key value" for each element of a database file of etcd, key and
// value in hexadecimal, "-" for empty ones. For the Python tests of this folder.
namespace {

std::string Hex(const std::string& bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (const char byte : bytes) {
    out.push_back(kDigits[static_cast<unsigned char>(byte) >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out.empty() ? "-" : out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto buckets = etcd::testing::ReadBbolt(etcd::base::PosixFileSystem(), argv[1]);
  if (!buckets.ok()) {
    std::fprintf(stderr, "%s\n", buckets.status().ToString().c_str());
    return 1;
  }
  for (const auto& [bucket, entries] : *buckets) {
    for (const auto& [key, value] : entries) {
      std::printf("%s %s %s\n", bucket.c_str(), Hex(key).c_str(), Hex(value).c_str());
    }
  }
  return 0;
}
