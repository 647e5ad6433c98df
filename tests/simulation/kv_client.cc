#include "tests/simulation/kv_client.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "server/base/errc.h"
#include "server/base/status.h"

namespace etcd::simulation {
namespace {

using etcdserverpb::Compare;
using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;

constexpr std::chrono::seconds kGiveUp(20);
const std::string kAllFrom("\0", 1);

TxnRequest OfPut(etcdserverpb::PutRequest put) {
  TxnRequest out;
  *out.add_success()->mutable_request_put() = std::move(put);
  return out;
}

TxnRequest OfDelete(etcdserverpb::DeleteRangeRequest range) {
  TxnRequest out;
  *out.add_success()->mutable_request_delete_range() = std::move(range);
  return out;
}

const char* PathOf(const TxnRequest& request, bool plain) {
  if (!plain) return "/etcdserverpb.KV/Txn";
  return request.success(0).has_request_put() ? "/etcdserverpb.KV/Put"
                                              : "/etcdserverpb.KV/DeleteRange";
}

std::string BytesOf(const TxnRequest& request, bool plain) {
  if (!plain) return request.SerializeAsString();
  const RequestOp& op = request.success(0);
  return op.has_request_put() ? op.request_put().SerializeAsString()
                              : op.request_delete_range().SerializeAsString();
}

// A put's or delete's response as that of a transaction of one operation.
bool ParseResponse(const TxnRequest& request, bool plain, const std::string& bytes,
                   etcdserverpb::TxnResponse& out) {
  if (!plain) return out.ParseFromString(bytes);
  out.set_succeeded(true);
  etcdserverpb::ResponseOp& op = *out.add_responses();
  if (request.success(0).has_request_put()) {
    if (!op.mutable_response_put()->ParseFromString(bytes)) return false;
    *out.mutable_header() = op.response_put().header();
  } else {
    if (!op.mutable_response_delete_range()->ParseFromString(bytes)) return false;
    *out.mutable_header() = op.response_delete_range().header();
  }
  return true;
}

}  // namespace

bool Clients::IsUnknown(const absl::Status& status) {
  switch (ErrcOf(status).value_or(Errc::kTimeout)) {
    case Errc::kTimeout:
    case Errc::kTimeoutDueToLeaderFail:
    case Errc::kTimeoutDueToConnectionLost:
    case Errc::kTimeoutWaitAppliedIndex:
    case Errc::kStopped:
    case Errc::kContextDeadlineExceeded:
    case Errc::kContextCanceled:
      return true;
    default:
      return false;
  }
}

// ---- One thing after the other

void KvClient::Pause() {
  const Nanos think = Between(shared_.random(), Nanos(0), shared_.options.think_max);
  shared_.world.After(think, [this] {
    if (shared_.quiet) return;
    Next();
  });
}

void KvClient::Next() {
  if (only_reads_) return Read(DrawRange());
  const std::uint64_t draw = shared_.random().Below(100);
  if (draw < 35) return Write(OfPut(DrawPut(shared_.AnyKey())), true);
  if (draw < 45) return Write(OfDelete(DrawDelete()), true);
  if (draw < 62) return Write(DrawTxn(), false);
  if (draw < 88) return Read(DrawRange());
  if (draw < 92) return Compact(DrawRevision());
  if (draw < 98) return Hash(shared_.random().Below(2) == 0 ? 0 : DrawRevision());
  if (draw < 99) return Sweep();
  ClearAlarm();
}

void KvClient::Call(const std::string& path, std::string request, Answer answer) {
  busy_ = true;
  const std::uint64_t call = ++call_;
  auto once = std::make_shared<Answer>(std::move(answer));
  shared_.world.After(kGiveUp, [this, call, once] {
    if (call_ != call || !busy_) return;
    shared_.world.Count("client gave up");
    ++call_;
    home_.Move();
    succeeded_ = false;
    (*once)({Reply::Kind::kLost, "", absl::OkStatus()});
  });
  if (Chance(shared_.random(), 30)) home_.Move();
  home_.member().Call(path, std::move(request), [this, call, once](Reply reply) {
    if (call_ != call) return;
    if (reply.kind != Reply::Kind::kOk) home_.Move();
    succeeded_ = reply.kind == Reply::Kind::kOk;
    if (succeeded_) ++shared_.operations;
    (*once)(std::move(reply));
  });
}

void KvClient::Done() {
  busy_ = false;
  if (proof_) return std::exchange(proof_, nullptr)();
  Pause();
}

// ---- Writes

void KvClient::Write(TxnRequest request, bool plain) {
  History::Write write{shared_.next_id++, std::move(request), shared_.history.Begin()};
  const std::string bytes = BytesOf(write.request, plain);
  const char* path = PathOf(write.request, plain);
  shared_.world.Trace(fmt::format("client {}: write {}: {}", number_, write.id,
                                  write.request.ShortDebugString().substr(0, 200)));
  Call(path, bytes, [this, write = std::move(write), plain](const Reply& reply) {
    OnWritten(write, reply, plain);
    Done();
  });
}

void KvClient::OnWritten(const History::Write& write, const Reply& reply, bool plain) {
  etcdserverpb::TxnResponse response;
  switch (reply.kind) {
    case Reply::Kind::kOk:
      if (!ParseResponse(write.request, plain, reply.bytes, response)) {
        return shared_.world.Fail("a response that is no message");
      }
      shared_.world.Trace(fmt::format("client {}: write {} has revision {}", number_, write.id,
                                      response.header().revision()));
      return shared_.history.CheckWrite(write, response);
    case Reply::Kind::kRefused:
      return;
    case Reply::Kind::kError:
      return OnWriteRefused(write, reply.status);
    case Reply::Kind::kLost:
      shared_.world.Trace(fmt::format("client {}: write {} unknown", number_, write.id));
      return shared_.history.OutcomeUnknown(write);
  }
}

void KvClient::OnWriteRefused(const History::Write& write, const absl::Status& status) {
  shared_.world.Trace(
      fmt::format("client {}: write {} refused: {}", number_, write.id, base::MessageOf(status)));
  if (Clients::IsUnknown(status)) return shared_.history.OutcomeUnknown(write);
  const auto errc = ErrcOf(status);
  if (errc == Errc::kNoSpace) {
    // The entry that exceeds the quota is carried out all the same, as in etcd.
    shared_.world.Count("write refused: no space");
    put_refused_ = true;
    shared_.history.OutcomeUnknown(write);
  } else if (errc == Errc::kTooManyRequests) {
    shared_.world.Count("write refused: too many requests");
  } else if (errc == Errc::kLeaseNotFound || errc == Errc::kCompacted ||
             errc == Errc::kFutureRevision || errc == Errc::kKeyNotFound) {
    shared_.world.Count("write refused by the state machine");
  } else if (errc == Errc::kNotSupportedForLearner) {
    shared_.world.Count("call refused by a learner");
  } else if (errc != Errc::kLeaderChanged) {
    shared_.world.Fail(fmt::format("write {}: {}", write.id, base::MessageOf(status)));
  }
}

void KvClient::Sweep() {
  etcdserverpb::DeleteRangeRequest all;
  all.set_key("k");
  all.set_range_end("l");
  History::Write write{shared_.next_id++, OfDelete(all), shared_.history.Begin()};
  shared_.world.Trace(fmt::format("client {}: write {}: delete all", number_, write.id));
  Call("/etcdserverpb.KV/DeleteRange", all.SerializeAsString(),
       [this, write = std::move(write)](const Reply& reply) {
         OnWritten(write, reply, true);
         if (reply.kind != Reply::Kind::kOk) return Done();
         shared_.world.Count("compaction at a head where nothing lives");
         Compact(shared_.history.seen());
       });
}

// ---- Reads

void KvClient::Read(etcdserverpb::RangeRequest request) {
  const History::Begun begun = shared_.history.Begin();
  Call("/etcdserverpb.KV/Range", request.SerializeAsString(),
       [this, request, begun](const Reply& reply) {
         etcdserverpb::RangeResponse response;
         if (reply.kind == Reply::Kind::kOk) {
           if (!response.ParseFromString(reply.bytes)) shared_.world.Fail("no RangeResponse");
           shared_.history.CheckRange(begun, request, response);
         } else if (reply.kind == Reply::Kind::kError) {
           const auto errc = ErrcOf(reply.status);
           if (errc == Errc::kCompacted) shared_.history.CheckCompacted(request.revision());
           // A serializable read may meet a member that is behind.
           if (errc == Errc::kFutureRevision && !request.serializable()) {
             shared_.history.CheckFuture(begun, request.revision());
           }
         }
         Done();
       });
}

void KvClient::Hash(std::int64_t revision) {
  etcdserverpb::HashKVRequest request;
  request.set_revision(revision);
  Call("/etcdserverpb.Maintenance/HashKV", request.SerializeAsString(),
       [this, revision](const Reply& reply) {
         etcdserverpb::HashKVResponse response;
         if (reply.kind == Reply::Kind::kOk) {
           if (!response.ParseFromString(reply.bytes)) shared_.world.Fail("no HashKVResponse");
           shared_.history.CheckHash(revision, response);
         }
         Done();
       });
}

// ---- Admin

void KvClient::Compact(std::int64_t revision) {
  const History::Begun begun = shared_.history.Begin();
  etcdserverpb::CompactionRequest request;
  request.set_revision(revision);
  request.set_physical(Chance(shared_.random(), 300));
  shared_.world.Trace(fmt::format("client {}: compact {}", number_, revision));
  Call("/etcdserverpb.KV/Compact", request.SerializeAsString(),
       [this, revision, begun](const Reply& reply) {
         if (reply.kind == Reply::Kind::kOk) shared_.history.CheckCompaction(revision);
         if (reply.kind == Reply::Kind::kError) {
           const auto errc = ErrcOf(reply.status);
           if (errc == Errc::kCompacted) shared_.history.CheckCompacted(revision - 1);
           if (errc == Errc::kFutureRevision) shared_.history.CheckFuture(begun, revision);
         }
         Done();
       });
}

void KvClient::ClearAlarm() {
  etcdserverpb::AlarmRequest request;
  request.set_action(etcdserverpb::AlarmRequest::DEACTIVATE);
  request.set_alarm(etcdserverpb::NOSPACE);
  Call("/etcdserverpb.Maintenance/Alarm", request.SerializeAsString(),
       [this](const Reply&) { Done(); });
}

void KvClient::Prove(std::function<void()> done) {
  proven_ = std::move(done);
  ProveWrite();
}

void KvClient::ProveWrite() {
  proof_ = [this] {
    if (succeeded_) return ProveRead();
    shared_.world.After(std::chrono::milliseconds(200), [this] { ProveWrite(); });
  };
  if (put_refused_) {
    etcdserverpb::DeleteRangeRequest range;
    range.set_key(shared_.AnyKey());
    return Write(OfDelete(std::move(range)), true);
  }
  etcdserverpb::PutRequest put;
  put.set_key(shared_.AnyKey());
  put.set_value(fmt::format("proof{}.{}", number_, shared_.next_id++));
  Write(OfPut(std::move(put)), true);
}

void KvClient::ProveRead() {
  proof_ = [this] {
    if (succeeded_) return std::exchange(proven_, nullptr)();
    shared_.world.After(std::chrono::milliseconds(200), [this] { ProveRead(); });
  };
  etcdserverpb::RangeRequest all;
  all.set_key("k");
  all.set_range_end("l");
  Read(std::move(all));
}

// ---- What to ask

std::int64_t KvClient::DrawRevision() {
  const std::int64_t head = shared_.history.seen();
  const std::int64_t low = std::max<std::int64_t>(1, shared_.history.compacted());
  switch (shared_.random().Below(6)) {
    case 0:
      return head;
    case 1:
      return low;
    case 2:
      return std::max<std::int64_t>(1, low - 1);
    case 3:
      return head + 1 + static_cast<std::int64_t>(shared_.random().Below(3));
    default:
      return low + static_cast<std::int64_t>(
                       shared_.random().Below(static_cast<std::uint64_t>(head - low) + 1));
  }
}

etcdserverpb::PutRequest KvClient::DrawPut(const std::string& key) {
  etcdserverpb::PutRequest out;
  out.set_key(key);
  // Names its write: no two puts of a run store the same value.
  std::string value = fmt::format("v{}.{}", number_, shared_.next_id++);
  value.resize(value.size() + shared_.random().Below(shared_.options.value_bytes_max), '.');
  out.set_value(std::move(value));
  out.set_prev_kv(Chance(shared_.random(), 300));
  if (!shared_.leases.empty() && Chance(shared_.random(), 250)) {
    out.set_lease(shared_.leases[shared_.random().Below(shared_.leases.size())]);
  }
  return out;
}

etcdserverpb::RangeRequest KvClient::DrawRange() {
  etcdserverpb::RangeRequest out;
  out.set_key(shared_.AnyKey());
  const std::uint64_t shape = shared_.random().Below(4);
  if (shape == 1) out.set_range_end(shared_.AnyKey());
  if (shape == 2) out.set_range_end(kAllFrom);
  if (shape == 3) {
    out.set_key("k");
    out.set_range_end("l");
  }
  if (Chance(shared_.random(), 300)) out.set_revision(DrawRevision());
  if (Chance(shared_.random(), 200)) out.set_limit(1 + static_cast<int>(shared_.random().Below(4)));
  if (Chance(shared_.random(), 100)) out.set_sort_order(etcdserverpb::RangeRequest::DESCEND);
  out.set_serializable(Chance(shared_.random(), 250));
  out.set_keys_only(Chance(shared_.random(), 100));
  out.set_count_only(Chance(shared_.random(), 100));
  return out;
}

etcdserverpb::DeleteRangeRequest KvClient::DrawDelete() {
  etcdserverpb::DeleteRangeRequest out;
  out.set_key(shared_.AnyKey());
  if (Chance(shared_.random(), 300)) out.set_range_end(shared_.AnyKey());
  out.set_prev_kv(Chance(shared_.random(), 300));
  return out;
}

void KvClient::DrawCompare(const std::string& key, TxnRequest& txn) {
  Compare& compare = *txn.add_compare();
  compare.set_key(key);
  compare.set_target(shared_.random().Below(2) == 0 ? Compare::MOD : Compare::VERSION);
  compare.set_result(static_cast<Compare::CompareResult>(shared_.random().Below(4)));
  if (compare.target() == Compare::MOD) {
    compare.set_mod_revision(DrawRevision());
  } else {
    compare.set_version(static_cast<std::int64_t>(shared_.random().Below(3)));
  }
}

TxnRequest KvClient::DrawTxn() {
  TxnRequest out;
  const std::string first = shared_.AnyKey();
  if (Chance(shared_.random(), 700)) DrawCompare(first, out);
  const bool reads_only = Chance(shared_.random(), 150);
  const auto add_range = [this](auto* branch) {
    auto& range = *branch->Add()->mutable_request_range();
    range = DrawRange();
    range.set_serializable(false);  // else the transaction may be stale
  };
  for (auto* branch : {out.mutable_success(), out.mutable_failure()}) {
    // Without any operation it would be a serializable read, as in etcd.
    if (reads_only || Chance(shared_.random(), 300)) add_range(branch);
    if (reads_only) continue;
    std::set<std::string> taken = {first};
    *branch->Add()->mutable_request_put() = DrawPut(first);
    if (const std::string second = shared_.AnyKey(); taken.insert(second).second) {
      if (Chance(shared_.random(), 500)) {
        branch->Add()->mutable_request_delete_range()->set_key(second);
      } else {
        *branch->Add()->mutable_request_put() = DrawPut(second);
      }
    }
    if (Chance(shared_.random(), 250)) *branch->Add()->mutable_request_txn() = DrawNested(taken);
    if (Chance(shared_.random(), 300)) add_range(branch);
  }
  return out;
}

// `taken`: keys that something around it writes; a second write of one would be refused.
TxnRequest KvClient::DrawNested(std::set<std::string>& taken) {
  shared_.world.Count("nested transaction");
  TxnRequest out;
  // Often of a key that the transaction around it has written: it must see the state before that.
  if (Chance(shared_.random(), 800)) {
    DrawCompare(shared_.random().Below(2) == 0 ? *taken.begin() : shared_.AnyKey(), out);
  }
  for (auto* branch : {out.mutable_success(), out.mutable_failure()}) {
    if (const std::string key = shared_.AnyKey(); taken.insert(key).second) {
      if (Chance(shared_.random(), 300)) {
        branch->Add()->mutable_request_delete_range()->set_key(key);
      } else {
        *branch->Add()->mutable_request_put() = DrawPut(key);
      }
    }
    if (Chance(shared_.random(), 200)) *branch->Add()->mutable_request_txn() = DrawNested(taken);
    if (Chance(shared_.random(), 300)) {
      auto& range = *branch->Add()->mutable_request_range();
      range = DrawRange();
      range.set_serializable(false);
    }
  }
  return out;
}

}  // namespace etcd::simulation
