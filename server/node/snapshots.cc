#include "server/node/snapshots.h"

#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/image/export.h"
#include "server/image/v2_document.h"

namespace etcd::node {
namespace {

constexpr std::chrono::milliseconds kFullDiskRetry(500);

}  // namespace

void Snapshots::OnApplied(Index index, Term term) {
  const bool due = forced_.load() || index - last_ > shared_.options.snapshot_count;
  if (!due || shared_.is_stopping.load()) return;
  if (running_.exchange(true)) return;
  forced_.store(false);
  last_ = index;
  shared_.ports.snapshot.Post([this, snapshot = Current(index, term)] { Save(snapshot); });
}

// Thread that applies, no batch open.
raft::Snapshot Snapshots::Current(Index index, Term term) const {
  raft::Snapshot snapshot;
  snapshot.metadata = {shared_.cluster.conf_state(), index, term};
  snapshot.data = image::RenderV2Document(shared_.cluster.current());
  return snapshot;
}

// ---- For another member

void Snapshots::Send(raft::Message message) {
  apply_.EnqueueStep([this, message = std::move(message)]() mutable {
    message.snapshot = Current(apply_.consistent_index(), apply_.consistent_term());
    shared_.ports.snapshot.Post(
        [this, message = std::move(message), view = shared_.ports.engine.PinView()]() mutable {
          Export(std::move(message), std::move(view));
        });
    return true;
  });
}

void Snapshots::Export(raft::Message message, std::unique_ptr<engine::View> view) {
  if (shared_.halted()) return;
  const MemberId to = message.to;
  auto image = image::ExportImage(std::move(view));
  if (image.ok()) {
    shared_.ports.peers.SendSnapshot(std::move(message), *std::move(image));
    return;
  }
  if (image.status().code() == absl::StatusCode::kDataLoss) {
    return shared_.Halt("failed to read the backend for a snapshot", image.status());
  }
  LOG_WARN("failed to make a snapshot for a peer", {"error", image.status()});
  export_failed_(to);
}

// ---- From another member

void Snapshots::SaveReceived(raft::Snapshot snapshot, absl::AnyInvocable<void()> done) {
  shared_.ports.snapshot.Post([this, snapshot = std::move(snapshot),
                               done = std::move(done)]() mutable {
    if (shared_.halted()) return;
    const absl::Status status = snapshotter_->Save(snapshot);
    if (status.ok()) return shared_.ports.raft.Post(std::move(done));
    if (status.code() != absl::StatusCode::kResourceExhausted) {
      return shared_.Halt("failed to save a received snapshot", status);
    }
    shared_.ports.snapshot.PostAfter(
        kFullDiskRetry, [this, snapshot = std::move(snapshot), done = std::move(done)]() mutable {
          SaveReceived(std::move(snapshot), std::move(done));
        });
  });
}

void Snapshots::OnInstalled(Index index) {
  last_ = index;
  shared_.ports.snapshot.Post([this, index] {
    if (shared_.halted()) return;
    const absl::Status released = snapshotter_->ReleaseSnapDbs(index + 1);
    if (!released.ok()) LOG_WARN("failed to remove a received database", {"error", released});
    PurgeFiles();
  });
}

void Snapshots::Save(const raft::Snapshot& snapshot) {
  if (shared_.halted()) return;
  if (Done(shared_.ports.engine.Flush(), "flush the backend")) return;
  if (Done(snapshotter_->Save(snapshot), "save the snapshot")) return;
  LOG_INFO("saved snapshot", {"snapshot-index", snapshot.metadata.index});
  if (shared_.ports.observer != nullptr) {
    shared_.ports.observer->OnSnapshot(snapshot.metadata.index);
  }
  shared_.ports.raft.Post([this, metadata = snapshot.metadata] {
    if (!saved_(metadata)) return Idle();
    shared_.ports.snapshot.Post([this] { Purge(); });
  });
}

// Only now: until the log names the new file, a restart needs an older one.
void Snapshots::Purge() {
  PurgeFiles();
  Idle();
}

// One that was forced meanwhile does not wait for the next entry.
void Snapshots::Idle() {
  running_.store(false);
  if (!forced_.load()) return;
  shared_.ports.raft.Post([this] {
    apply_.EnqueueStep([this] {
      OnApplied(apply_.consistent_index(), apply_.consistent_term());
      return true;
    });
  });
}

void Snapshots::PurgeFiles() {
  if (shared_.options.max_snapshots > 0) {
    if (auto purged = snapshotter_->Purge(shared_.options.max_snapshots); !purged.ok()) {
      LOG_WARN("failed to purge snapshots", {"error", purged.status()});
    }
  }
}

// True when the snapshot ends here: without room the next one will do, anything else is fatal.
bool Snapshots::Done(const absl::Status& status, const char* what) {
  if (status.ok()) return false;
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    LOG_WARN("no room for a snapshot", {"error", status});
    running_.store(false);
  } else {
    shared_.Halt(std::string("failed to ") + what, status);
  }
  return true;
}

void Snapshots::Finish(absl::AnyInvocable<void()> done) {
  shared_.ports.snapshot.Post([this, done = std::move(done)]() mutable {
    if (!shared_.halted()) {
      base::IgnoreError(shared_.ports.engine.Flush(), "the log has it all");
    }
    done();
  });
}

}  // namespace etcd::node
