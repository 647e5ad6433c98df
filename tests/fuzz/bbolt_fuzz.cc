#include <cstring>
#include <string>
#include <vector>

#include "server/base/check.h"
#include "server/bbolt/writer.h"
#include "tests/fuzz/target.h"
#include "tests/support/bbolt_image.h"
#include "tests/support/sim_disk.h"

// The reader of database files on hostile bytes. Metas get right checksums, so that mutations reach
// what is behind them; the first byte, when odd, leaves them as they are.
namespace etcd::fuzz {
namespace {

void SealMetas(std::string& file) {
  for (std::size_t at = 0; at <= bbolt::kWrittenPageBytes; at += bbolt::kWrittenPageBytes) {
    const std::size_t meta = at + bbolt::kPageHeaderBytes;
    if (file.size() < meta + bbolt::kMetaBytes) return;
    const std::uint64_t sum = bbolt::MetaChecksum({file.data() + meta, 56});
    std::memcpy(file.data() + meta + 56, &sum, sizeof sum);
  }
}

}  // namespace

std::vector<std::string> Seeds() {
  testing::Buckets small{{"alarm", {}}, {"key", {{"a", "1"}, {"b", std::string(5000, 'v')}}}};
  testing::Buckets deep;
  for (int i = 10000; i < 10020; ++i) {
    deep["key"][std::to_string(i) + std::string(900, 'k')] = "v";
  }
  return {std::string(1, '\0') + testing::BboltImage(small),
          std::string(1, '\0') + testing::BboltImage(deep)};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fuzz = etcd::fuzz;
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) fuzz::SealMetas(file);
  etcd::testing::SimDisk disk;
  disk.SetContents("db", file);
  const auto read = etcd::testing::ReadBbolt(disk, "db");
  if (!read.ok()) {
    CHECK(read.status().code() == absl::StatusCode::kDataLoss) << read.status().ToString();
    return 0;
  }
  // What was accepted can be written, and reads back the same.
  disk.SetContents("copy", etcd::testing::BboltImage(*read));
  const auto again = etcd::testing::ReadBbolt(disk, "copy");
  CHECK(again.ok() && *again == *read) << "a copy differs";
  return 0;
}
