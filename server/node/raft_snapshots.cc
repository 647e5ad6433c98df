// Snapshots and the log: taken here, received from the leader, sent to those that are far behind.
#include <algorithm>
#include <utility>

#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/raft_loop.h"

namespace etcd::node {
namespace {

// After a snapshot was delivered its receiver still has to install it before it can take entries.
constexpr std::chrono::seconds kRetainAfterSend(30);

}  // namespace

// ---- Taken here

bool RaftLoop::OnSnapshotSaved(const raft::SnapshotMetadata& metadata) {
  if (shared_.halted() || closed_ || retry_posted_) return false;
  if (metadata.index <= recorded_) return false;  // a received one was faster
  const absl::Status status = RecordSnapshot(metadata);
  if (status.code() == absl::StatusCode::kResourceExhausted) return false;  // the next one will do
  if (!status.ok()) {
    shared_.Halt("failed to write the log", status);
    return false;
  }
  recorded_ = metadata.index;
  wal_->ReleaseBefore(metadata.index);
  FAILPOINT("raftAfterWALRelease");
  PurgeLog();
  CompactLog(metadata.index);
  return true;
}

// Not while somebody is being sent a snapshot: when it is installed, what follows it must be here.
void RaftLoop::CompactLog(Index snapshot) {
  const auto now = shared_.ports.raft.clock().Now();
  if (!sending_.empty() || now < retain_until_) return;
  const std::uint64_t keep = shared_.options.catchup_entries;
  if (snapshot.value() <= keep) return;
  const Index compact_to = std::min(snapshot - keep, core_.applied());
  if (compact_to >= core_.first_index()) core_.CompactLog(compact_to);
}

void RaftLoop::PurgeLog() {
  if (shared_.options.max_wals == 0) return;
  if (auto purged = wal_->Purge(shared_.options.max_wals); !purged.ok()) {
    LOG_WARN("failed to purge the log", {"error", purged.status()});
  }
}

// A restart believes a snapshot only up to the commit index in the log, so that goes first.
absl::Status RaftLoop::RecordSnapshot(const raft::SnapshotMetadata& metadata) {
  if (!unsaved_.empty()) {
    RETURN_IF_ERROR(wal_->Save(unsaved_, {}));
    unsaved_ = raft::HardState();
  }
  FAILPOINT("raftBeforeWALSaveSnaphot");
  return wal_->SaveSnapshot(metadata.index, metadata.term, metadata.conf_state);
}

// ---- Received

// The Ready goes on in OnReceivedSaved; the following ones wait.
void RaftLoop::SaveReceived() { observer_.SaveReceived(ready_->snapshot); }

void RaftLoop::OnReceivedSaved() {
  if (shared_.halted() || closed_ || !Persist()) return;
  CompleteReady();
  AdvanceReadys();
}

// The record of a received snapshot goes before the hard state, whose commit index is that of the
// snapshot: without the record the log would end before it. Until the hard state is written, a
// restart does not believe the record.
absl::Status RaftLoop::WriteReady() {
  const raft::SnapshotMetadata& snapshot = ready_->snapshot.metadata;
  if (snapshot.index > recorded_) {
    RETURN_IF_ERROR(wal_->SaveSnapshot(snapshot.index, snapshot.term, snapshot.conf_state));
    recorded_ = snapshot.index;
  }
  RETURN_IF_ERROR(wal_->Save(unsaved_, ready_->entries));
  // A commit index alone is not synced by itself. The engine that is installed must not get ahead
  // of it, and what is applied of the configuration must hold after a restart.
  return snapshot.index || ChangesConfiguration() ? wal_->Sync() : absl::OkStatus();
}

// Before the changes and the index that follow it are passed to raft. What was proposed here and is
// part of the snapshot will never be answered by applying it.
void RaftLoop::HearInstalled(Index index) {
  installed_ = index;
  core_.OnApplied(index);
  wal_->ReleaseBefore(index);
  PurgeLog();
  const auto now = shared_.ports.raft.clock().Now();
  shared_.waiters.Doubt(Term(UINT64_MAX), now + shared_.options.election_timeout() / 2);
  observer_.OnInstalled(index);
}

// ---- Sent

void RaftLoop::SendAll(std::vector<raft::Message> messages) {
  const auto snapshots = std::stable_partition(
      messages.begin(), messages.end(),
      [](const raft::Message& m) { return m.type != raft::MessageType::kSnap; });
  for (auto it = snapshots; it != messages.end(); ++it) {
    sending_.insert(it->to);
    observer_.SendSnapshot(std::move(*it));
  }
  messages.erase(snapshots, messages.end());
  if (FAILPOINT_RETURNS("raftDropHeartbeat")) {
    std::erase_if(messages, [](const raft::Message& message) {
      return message.type == raft::MessageType::kHeartbeat;
    });
  }
  if (!messages.empty()) shared_.ports.peers.Send(std::move(messages));
}

void RaftLoop::OnSnapshotSent(MemberId to, bool ok) {
  const auto sent = sending_.find(to);
  if (sent != sending_.end()) sending_.erase(sent);
  if (ok) retain_until_ = shared_.ports.raft.clock().Now() + kRetainAfterSend;
  core_.ReportSnapshot(to, ok);
}

}  // namespace etcd::node
