#include "server/raft/progress.h"

#include <algorithm>

namespace etcd::raft {

void Inflights::Add(Index last, std::uint64_t bytes) {
  window_.push_back({last, bytes});
  bytes_ += bytes;
}

void Inflights::FreeUpTo(Index index) {
  while (!window_.empty() && window_.front().last <= index) {
    bytes_ -= window_.front().bytes;
    window_.pop_front();
  }
}

void Inflights::Clear() {
  window_.clear();
  bytes_ = 0;
}

Progress::Progress(Index matched, Index next_index, bool learner, std::size_t inflight_max,
                   std::uint64_t inflight_bytes_max)
    : match(matched),
      next(next_index),
      is_learner(learner),
      inflights(inflight_max, inflight_bytes_max) {}

void Progress::BecomeProbe() {
  // After a snapshot that was delivered the log goes on behind it.
  next = std::max(match, pending_snapshot) + 1;
  state = ProgressState::kProbe;
  pending_snapshot = Index();
  flow_paused = false;
  sent_commit = std::min(sent_commit, next - 1);
  inflights.Clear();
}

void Progress::BecomeReplicate() {
  state = ProgressState::kReplicate;
  pending_snapshot = Index();
  flow_paused = false;
  next = match + 1;
  inflights.Clear();
}

void Progress::BecomeSnapshot(Index snapshot_index) {
  state = ProgressState::kSnapshot;
  flow_paused = false;
  pending_snapshot = snapshot_index;
  next = snapshot_index + 1;
  sent_commit = snapshot_index;
  inflights.Clear();
}

bool Progress::Acknowledge(Index index) {
  next = std::max(next, index + 1);
  if (index <= match) return false;
  match = index;
  flow_paused = false;
  return true;
}

bool Progress::Reject(Index rejected, Index hint) {
  if (state == ProgressState::kReplicate) {
    // A refusal at or below match was overtaken by an acknowledgement.
    if (rejected <= match) return false;
    next = match + 1;
    sent_commit = std::min(sent_commit, match);
    return true;
  }
  // A probe is refused at exactly the place it asked about.
  if (next - 1 != rejected) return false;
  next = std::max(std::min(rejected, hint + 1), match + 1);
  sent_commit = std::min(sent_commit, next - 1);
  flow_paused = false;
  return true;
}

void Progress::Sent(std::uint64_t entries, std::uint64_t bytes) {
  send_even_empty = false;
  if (state == ProgressState::kReplicate) {
    if (entries > 0) {
      next = next + entries;
      inflights.Add(next - 1, bytes);
    }
    flow_paused = inflights.full();
  } else {
    flow_paused = true;
  }
}

void Progress::SnapshotFailed() { pending_snapshot = Index(); }

bool Progress::paused() const { return state == ProgressState::kSnapshot || flow_paused; }

ProgressStatus Progress::status() const {
  return {match, next, state, is_learner, recently_active, paused(), pending_snapshot};
}

}  // namespace etcd::raft
