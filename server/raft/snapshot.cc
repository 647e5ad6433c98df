#include <algorithm>
#include <utility>

#include "server/raft/core.h"

// Snapshots for followers whose next entry is compacted away (paper section 7).
namespace etcd::raft {

void Core::SendSnapshot(MemberId to, Progress& progress) {
  Message m = Make(MessageType::kSnap, to);
  m.snapshot.metadata = {conf_, log_.applied(), log_.term_at(log_.applied())};
  progress.BecomeSnapshot(log_.applied());
  progress.send_even_empty = false;
  Send(std::move(m));
}

void Core::ReportSnapshot(MemberId to, bool ok) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return;
  const auto it = leader->progress.find(to);
  if (it == leader->progress.end()) return;
  Progress& progress = it->second;
  if (progress.state != ProgressState::kSnapshot) return;
  if (!ok) progress.SnapshotFailed();
  progress.BecomeProbe();
  // Delivered: it will acknowledge when it is installed. Failed: a heartbeat's answer starts the
  // next try, not a busy loop.
  progress.flow_paused = true;
}

void Core::HandleSnapshot(Message m) {
  Message answer = Make(MessageType::kAppResp, m.from);
  answer.index = RestoreFrom(m.snapshot) ? log_.last_index() : log_.committed();
  Send(std::move(answer));
}

bool Core::RestoreFrom(Snapshot& snapshot) {
  const SnapshotMetadata& metadata = snapshot.metadata;
  if (metadata.index <= log_.committed()) return false;
  const ConfState& conf = metadata.conf_state;
  // Not meant for this member: taken before it was added, or after it was removed.
  const auto lists_self = [this](const std::vector<MemberId>& ids) {
    return std::find(ids.begin(), ids.end(), config_.id) != ids.end();
  };
  if (!lists_self(conf.voters) && !lists_self(conf.learners)) return false;
  if (log_.Matches(metadata.index, metadata.term)) {
    log_.CommitTo(metadata.index);  // the entries are here already
    return false;
  }
  log_.Restore(metadata);
  SetConfiguration(conf);
  installing_ = metadata.index;
  snapshot_ = std::move(snapshot);
  return true;
}

}  // namespace etcd::raft
