#include "tests/simulation/backup_client.h"

#include <etcdserverpb/rpc.pb.h>

#include <fmt/format.h>

#include "server/base/sha256.h"
#include "server/base/status.h"
#include "server/image/import.h"
#include "server/storage/engine/mem_engine.h"
#include "tests/support/sim_disk.h"

namespace etcd::simulation {
namespace {

constexpr char kPath[] = "/saved.db";
constexpr std::size_t kDigestBytes = 32;

}  // namespace

void BackupClient::Start() {
  const Nanos every = shared_.options.admin.save_every;
  if (every == Nanos(0)) return;
  shared_.world.After(Between(shared_.random(), Nanos(0), 2 * every), [this] {
    if (shared_.quiet) return;
    if (stream_ == nullptr) Save();
    Start();
  });
}

void BackupClient::Save() {
  received_.clear();
  has_begun_ = false;
  home_.Move();
  stream_ = home_.member().Open(
      "/etcdserverpb.Maintenance/Snapshot", [this](const std::string& bytes) { OnMessage(bytes); },
      [this] { OnEnd(); });
  if (stream_ != nullptr) stream_->SendRequest("");
}

void BackupClient::OnMessage(const std::string& bytes) {
  etcdserverpb::SnapshotResponse response;
  if (!response.ParseFromString(bytes)) return shared_.world.Fail("no SnapshotResponse");
  const std::uint64_t size = response.blob().size();
  const bool is_digest = has_begun_ && announced_ == 0;
  if (has_begun_ && !is_digest && announced_ != response.remaining_bytes() + size) {
    shared_.world.Fail(fmt::format("a saved snapshot: {} bytes and {} to come, {} were announced",
                                   size, response.remaining_bytes(), announced_));
  }
  has_begun_ = true;
  announced_ = response.remaining_bytes();
  received_ += response.blob();
  if (is_digest) Check();
}

// With the member, or when all has arrived.
void BackupClient::OnEnd() {
  if (has_begun_ && announced_ > 0) shared_.world.Count("saved snapshot broke off");
  stream_ = nullptr;
}

void BackupClient::Check() {
  if (received_.size() < kDigestBytes) return shared_.world.Fail("a saved snapshot of nothing");
  const std::string digest = received_.substr(received_.size() - kDigestBytes);
  received_.resize(received_.size() - kDigestBytes);
  base::Sha256 sum;
  sum.Add(received_);
  if (sum.Finish() != digest) return shared_.world.Fail("a saved snapshot has another digest");
  testing::SimDisk disk;
  disk.SetContents(kPath, std::move(received_));
  engine::MemEngine restored;
  const absl::StatusOr<image::ImageInfo> info = image::InstallImage(disk, kPath, restored);
  if (!info.ok()) {
    return shared_.world.Fail(
        fmt::format("a saved snapshot is refused: {}", base::MessageOf(info.status())));
  }
  ++shared_.operations;
  shared_.world.Count("snapshot saved");
  shared_.ledger.CheckSaved(restored);
}

}  // namespace etcd::simulation
