#include "tests/simulation/watch_check.h"

#include <algorithm>

#include <fmt/format.h>

namespace etcd::simulation {

using etcdserverpb::WatchCreateRequest;

WatchCreateRequest WatchCheck::Request() const {
  WatchCreateRequest out = request_;
  if (next_ > 0) out.set_start_revision(next_);
  return out;
}

void WatchCheck::OnDisconnect() {
  next_change_ = 0;
  is_created_ = false;
}

std::string WatchCheck::OnCreated(std::int64_t header_revision, const Ledger& ledger) {
  is_created_ = true;
  if (header_revision > ledger.head()) return "created at a revision from the future";
  if (next_ > 0) return "";
  if (header_revision < seen) {
    return fmt::format("created at revision {}, {} was seen before", header_revision, seen);
  }
  next_ = header_revision + 1;
  return "";
}

bool WatchCheck::Wants(const Ledger::Change& change) const {
  if (!InRange(change.key, request_.key(), request_.range_end())) return false;
  const auto unwanted = change.deleted ? WatchCreateRequest::NODELETE : WatchCreateRequest::NOPUT;
  return std::find(request_.filters().begin(), request_.filters().end(), unwanted) ==
         request_.filters().end();
}

const Ledger::Change* WatchCheck::Expected(const Ledger& ledger, std::int64_t last) {
  for (; next_ <= std::min(last, ledger.head()); ++next_, next_change_ = 0) {
    if (next_ < 2) continue;
    const auto& changes = ledger.At(next_).changes;
    for (; next_change_ < changes.size(); ++next_change_) {
      if (Wants(changes[next_change_])) return &changes[next_change_];
    }
  }
  return nullptr;
}

std::string WatchCheck::OnEvents(const etcdserverpb::WatchResponse& response,
                                 const Ledger& ledger) {
  if (!is_created_) return "events before it was created";
  for (const mvccpb::Event& event : response.events()) {
    if (std::string wrong = CheckEvent(event, ledger); !wrong.empty()) return wrong;
    ++next_change_;
  }
  if (response.fragment() || response.events_size() == 0) return "";
  const std::int64_t last = response.events(response.events_size() - 1).kv().mod_revision();
  if (response.header().revision() < last) return "a header older than its events";
  if (Expected(ledger, last) != nullptr) {
    return fmt::format("a response holds only a part of revision {}", last);
  }
  next_ = std::max(next_, last + 1);
  return "";
}

std::string WatchCheck::CheckEvent(const mvccpb::Event& event, const Ledger& ledger) {
  const std::int64_t revision = event.kv().mod_revision();
  if (revision < next_) {
    return fmt::format("{} at {} comes again or late, expected from {} on", event.kv().key(),
                       revision, next_);
  }
  const Ledger::Change* expected = Expected(ledger, revision);
  if (expected == nullptr || next_ != revision) {
    return fmt::format("{} at {}, expected {} at {}", event.kv().key(), revision,
                       expected == nullptr ? "nothing" : expected->key, next_);
  }
  const bool deleted = event.type() == mvccpb::Event::DELETE;
  if (expected->key != event.kv().key() || expected->deleted != deleted) {
    return fmt::format("revision {}: {} of {}, expected {}", revision, deleted ? "delete" : "put",
                       event.kv().key(), expected->key);
  }
  if (!deleted && event.kv().SerializeAsString() != expected->kv.SerializeAsString()) {
    return fmt::format("revision {}: another value of {}", revision, expected->key);
  }
  return CheckPrevious(event, *expected, ledger);
}

// The state before the revision; it may be missing only where a compaction took it.
std::string WatchCheck::CheckPrevious(const mvccpb::Event& event, const Ledger::Change& change,
                                      const Ledger& ledger) const {
  const bool existed = change.before != nullptr && !change.before->deleted;
  const std::int64_t revision = event.kv().mod_revision();
  if (!event.has_prev_kv()) {
    if (request_.prev_kv() && existed && ledger.compacted() < revision) {
      return fmt::format("revision {}: no previous value of {}", revision, change.key);
    }
    return "";
  }
  if (!request_.prev_kv() || !existed ||
      event.prev_kv().SerializeAsString() != change.before->kv.SerializeAsString()) {
    return fmt::format("revision {}: wrong previous value of {}", revision, change.key);
  }
  return "";
}

std::string WatchCheck::OnProgress(std::int64_t revision, const Ledger& ledger) {
  if (revision > ledger.head()) return fmt::format("progress {} from the future", revision);
  if (revision + 1 < request_.start_revision()) {
    return fmt::format("progress {} of a watch from {}", revision, request_.start_revision());
  }
  if (const Ledger::Change* missed = Expected(ledger, revision); missed != nullptr) {
    return fmt::format("progress {} before {} at {}", revision, missed->key, next_);
  }
  next_ = std::max(next_, revision + 1);
  return "";
}

std::string WatchCheck::OnCompacted(std::int64_t compact_revision, const Ledger& ledger) {
  if (compact_revision > ledger.compacted() || compact_revision <= next_) {
    return fmt::format("canceled at {}: compacted {}, the store says {}", next_, compact_revision,
                       ledger.compacted());
  }
  OnDisconnect();
  next_ = compact_revision;
  return "";
}

bool WatchCheck::HasAll(const Ledger& ledger) const {
  WatchCheck copy = *this;
  return is_created_ && copy.Expected(ledger, ledger.head()) == nullptr;
}

}  // namespace etcd::simulation
