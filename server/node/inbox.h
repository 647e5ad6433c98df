#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/base/mutex.h"
#include "server/node/node.h"
#include "server/raft/types.h"

namespace etcd::node {

struct Proposal {
  RequestId id;
  std::string entry;
  raft::EntryType type = raft::EntryType::kNormal;
  ProposeDone done;
  base::Clock::Monotonic start;
  base::Clock::Monotonic deadline;
  bool deadline_is_callers = false;
  // Append only while this member leads in exactly this term, never forward; 0: any leader.
  Term required_term;
  // Of a change of the configuration, on the raft thread right before it is proposed: what is not
  // OK is its answer. Null: nothing to check.
  absl::AnyInvocable<absl::Status()> check;
};

// What waits for the raft thread. One wake-up serves all that came since the last one: that is what
// makes proposals share a write and an fsync. Thread-safe.
//
// Bounds: proposals by MemberOptions::queued_bytes_max (refused by Node::Propose); reads by the
// requests that the transport admits; messages by kMessageBytesMax: above it they are dropped, as
// the network could have done; reports by the number of members.
class Inbox {
 public:
  static constexpr std::size_t kMessageBytesMax = 128 << 20;

  struct Contents {
    std::vector<Proposal> proposals;
    std::vector<ReadDone> reads;
    std::vector<raft::Message> messages;
    std::set<MemberId> unreachable;
    std::vector<std::pair<MemberId, bool>> snapshots;  // sent to: taken whole?

    std::size_t message_bytes = 0;
  };

  // `drain` runs on `executor` after something was put into the empty inbox.
  Inbox(base::Executor& executor, absl::AnyInvocable<void()> drain)
      : executor_(executor), drain_(std::move(drain)) {}

  void Put(Proposal proposal) {
    Add([&](Contents& c) { c.proposals.push_back(std::move(proposal)); });
  }
  void Put(ReadDone read) {
    Add([&](Contents& c) { c.reads.push_back(std::move(read)); });
  }
  void Put(std::vector<raft::Message> messages) {
    Add([&](Contents& c) {
      for (raft::Message& m : messages) {
        const std::size_t bytes = BytesOf(m);
        if (c.message_bytes + bytes > kMessageBytesMax && !c.messages.empty()) continue;
        c.message_bytes += bytes;
        c.messages.push_back(std::move(m));
      }
    });
  }
  void PutUnreachable(MemberId to) {
    Add([&](Contents& c) { c.unreachable.insert(to); });
  }
  void PutSnapshotReport(MemberId to, bool ok) {
    Add([&](Contents& c) { c.snapshots.emplace_back(to, ok); });
  }
  // Runs `drain` soon even without contents.
  void Poke() {
    Add([](Contents&) {});
  }

  // Raft thread.
  Contents Take() {
    const base::MutexLock lock(mu_);
    posted_ = false;
    return std::exchange(contents_, Contents());
  }
  bool HasProposals() {
    const base::MutexLock lock(mu_);
    return !contents_.proposals.empty();
  }

 private:
  static std::size_t BytesOf(const raft::Message& m) {
    std::size_t bytes = sizeof(raft::Message) + m.snapshot.data.size();
    for (const raft::Entry& entry : m.entries) bytes += sizeof(raft::Entry) + entry.data.size();
    return bytes;
  }

  template <typename Change>
  void Add(const Change& change) {
    {
      const base::MutexLock lock(mu_);
      change(contents_);
      if (posted_) return;
      posted_ = true;
    }
    executor_.Post([this] { drain_(); });
  }

  base::Executor& executor_;
  absl::AnyInvocable<void()> drain_;
  base::Mutex mu_;
  Contents contents_ ABSL_GUARDED_BY(mu_);
  bool posted_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace etcd::node
