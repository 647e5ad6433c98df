#include "server/node/read_queue.h"

#include <utility>

#include "server/base/bytes.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::node {
namespace {

constexpr std::chrono::milliseconds kRetryInterval(500);

}  // namespace

void ReadQueue::Add(std::vector<ReadDone> reads) {
  const auto deadline = shared_.ports.raft.clock().Now() + shared_.options.request_timeout();
  for (ReadDone& read : reads) waiting_.push_back({std::move(read), deadline});
}

void ReadQueue::Flush() {
  if (!context_.empty() || waiting_.empty()) return;
  std::string context = NextContext();
  if (!core_.ReadIndex(context)) return;  // no leader: OnTick tries again
  context_ = std::move(context);
  asked_ = std::exchange(waiting_, {});
  asked_at_ = shared_.ports.raft.clock().Now();
}

void ReadQueue::OnReadState(const raft::ReadState& state) {
  if (state.context != context_) {  // of a round that was given up
    if (MemberObserver* observer = shared_.ports.observer) observer->OnReadIndexSlow();
    return;
  }
  context_.clear();
  std::vector<ReadDone> reads;
  reads.reserve(asked_.size());
  for (Read& read : asked_) reads.push_back(std::move(read.done));
  asked_.clear();
  apply_.WhenApplied(state.index, std::move(reads));
}

// What the old leader says counts no more (etcd issue 20418). The reads themselves can be asked for
// again: they took no effect.
void ReadQueue::OnLeaderChange() {
  MemberObserver* const observer = shared_.ports.observer;
  if (observer != nullptr && !asked_.empty()) observer->OnReadIndexFailed();
  GiveUpRound();
  Flush();
}

void ReadQueue::GiveUpRound() {
  context_.clear();
  for (Read& read : waiting_) asked_.push_back(std::move(read));
  waiting_ = std::exchange(asked_, {});
}

void ReadQueue::OnTick() {
  const auto now = shared_.ports.raft.clock().Now();
  DropExpired(waiting_, now);
  DropExpired(asked_, now);
  if (!context_.empty() && now - asked_at_ >= kRetryInterval) {
    LOG_WARN("waiting for ReadIndex response took too long, retrying",
             {"retry-timeout", std::chrono::nanoseconds(kRetryInterval)});
    GiveUpRound();
  }
  Flush();
}

void ReadQueue::FailAll(const absl::Status& status) {
  context_.clear();
  Fail(asked_, status);
  Fail(waiting_, status);
}

// A request id, as etcd's (raft-peer-storage.md 2.8): no other member has it, and none of its
// processes before had it either.
std::string ReadQueue::NextContext() {
  std::string context;
  base::AppendBigEndian64(context, ids_.Next().value());
  return context;
}

void ReadQueue::Fail(std::vector<Read>& reads, const absl::Status& status) {
  for (Read& read : std::exchange(reads, {})) read.done(status);
}

void ReadQueue::DropExpired(std::vector<Read>& reads, base::Clock::Monotonic now) {
  std::vector<Read> expired;
  std::erase_if(reads, [&](Read& read) {
    if (read.deadline > now) return false;
    expired.push_back(std::move(read));
    return true;
  });
  MemberObserver* const observer = shared_.ports.observer;
  if (observer != nullptr && !expired.empty()) observer->OnReadIndexSlow();
  Fail(expired, Error(Errc::kTimeout));
}

}  // namespace etcd::node
