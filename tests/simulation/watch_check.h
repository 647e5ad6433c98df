#pragma once

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <string>

#include "tests/simulation/ledger.h"

namespace etcd::simulation {

// What one watch must deliver, event by event: the ledger's changes from its start on, once, in
// order, whole revisions, nothing at or below a progress mark (contract W1 to W7). It lives through
// reconnections.
class WatchCheck {
 public:
  explicit WatchCheck(etcdserverpb::WatchCreateRequest request) : request_(std::move(request)) {
    if (request_.start_revision() > 0) next_ = request_.start_revision();
  }

  // The request that makes the watch, or resumes it where it is.
  etcdserverpb::WatchCreateRequest Request() const;

  // Each returns what is wrong, "" if nothing is. `seen` was known to clients before the watch was
  // asked for.
  std::string OnCreated(std::int64_t header_revision, const Ledger& ledger);
  std::string OnEvents(const etcdserverpb::WatchResponse& response, const Ledger& ledger);
  std::string OnProgress(std::int64_t revision, const Ledger& ledger);
  std::string OnCompacted(std::int64_t compact_revision, const Ledger& ledger);

  // The stream broke, or the watch was canceled: the rest of a fragmented response never comes.
  void OnDisconnect();

  bool HasAll(const Ledger& ledger) const;
  bool is_created() const { return is_created_; }
  bool is_canceling = false;  // no more is expected of it
  std::int64_t seen = 1;      // by clients, when it was asked for
  std::int64_t next() const { return next_; }

 private:
  bool Wants(const Ledger::Change& change) const;
  // Moves on to the next change that the watch must deliver, at most to `last`; null: none.
  const Ledger::Change* Expected(const Ledger& ledger, std::int64_t last);
  std::string CheckEvent(const mvccpb::Event& event, const Ledger& ledger);
  std::string CheckPrevious(const mvccpb::Event& event, const Ledger::Change& change,
                            const Ledger& ledger) const;

  etcdserverpb::WatchCreateRequest request_;
  bool is_created_ = false;
  std::int64_t next_ = 0;        // revision to come; 0: not known before it is created
  std::size_t next_change_ = 0;  // within that revision
};

}  // namespace etcd::simulation
