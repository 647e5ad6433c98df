#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>

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
  ProposeDone done;
  base::Clock::Monotonic start;
  base::Clock::Monotonic deadline;
  bool deadline_is_callers = false;
  // Append only while this member leads in exactly this term, never forward; 0: any leader.
  Term required_term;
};

// What waits for the raft thread. One wake-up serves all that came since the last one: that is what
// makes proposals share a write and an fsync. Thread-safe.
//
// Bounds: proposals by MemberOptions::queued_bytes_max (refused by Node::Propose); reads by the
// requests that the transport admits; messages by the peers' flow control.
class Inbox {
 public:
  struct Contents {
    std::vector<Proposal> proposals;
    std::vector<ReadDone> reads;
    std::vector<raft::Message> messages;
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
      for (raft::Message& m : messages) c.messages.push_back(std::move(m));
    });
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
