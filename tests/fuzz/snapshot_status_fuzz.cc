#include <cstring>
#include <string>
#include <vector>

#include "etcdutl/snapshot_file.h"
#include "etcdutl/snapshot_status.h"
#include "etcdutl/status_text.h"
#include "server/base/check.h"
#include "tests/fuzz/target.h"
#include "tests/support/bbolt_image.h"
#include "tests/support/sim_disk.h"
#include "tests/unit/etcdutl/snapshots.h"

// What etcdutl reads of a hostile snapshot. Metas get right checksums, so that mutations reach what
// is behind them; the first byte, when odd, leaves them as they are.
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
  testing::Buckets buckets = etcdutl::EmptyStore();
  for (std::int64_t main = 2; main < 40; ++main) {
    etcdutl::AddRecord(buckets, main, "key-" + std::to_string(main % 7), main % 5);
  }
  testing::Buckets half_done = buckets;
  half_done["meta"]["scheduledCompactRev"] = etcdutl::RevisionText(20);
  half_done["meta"]["finishedCompactRev"] = etcdutl::RevisionText(9);
  half_done["key"][etcdutl::RevisionText(1000)] = "";
  return {std::string(1, '\0') + etcdutl::WithDigest(testing::BboltImage(buckets)),
          std::string(1, '\0') + testing::BboltImage(half_done)};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fuzz = etcd::fuzz;
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) fuzz::SealMetas(file);
  etcd::testing::SimDisk disk;
  disk.SetContents("db", file);
  const absl::Status digest = etcd::etcdutl::VerifyDigest(disk, "db");
  CHECK(digest.ok() || absl::IsDataLoss(digest)) << digest.ToString();
  const auto status = etcd::etcdutl::ReadSnapshotStatus(disk, "db");
  CHECK(status.ok() || absl::IsDataLoss(status.status())) << status.status().ToString();
  if (status.ok()) CHECK(!etcd::etcdutl::TableText(*status).empty()) << "no table";
  return 0;
}
