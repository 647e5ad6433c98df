#include "tests/conformance/differential/generator.h"

#include <array>
#include <limits>

namespace etcd::differential {
namespace {

using etcdserverpb::Compare;
using etcdserverpb::RangeRequest;

constexpr std::int64_t kMinInt = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMaxInt = std::numeric_limits<std::int64_t>::max();
const std::string kFromKey(1, '\0');

}  // namespace

bool Generator::Use(const char* option, bool set) {
  if (set) ++coverage_[option];
  return set;
}

std::string Generator::Key() {
  if (Use("empty key", OneIn(60))) return "";
  if (OneIn(60)) return kFromKey;
  if (OneIn(60)) return std::string("a\0", 2);
  if (OneIn(60)) return "\xff";
  if (OneIn(80)) return std::string(2, '\xff');
  if (Use("long key", OneIn(200))) return std::string(3000, 'L');
  const std::array<const char*, 4> prefixes = {"a", "b", "foo/", ""};
  return prefixes[Below(prefixes.size())] + std::string("k") + std::to_string(Below(12));
}

std::string Generator::RangeEnd(const std::string& key) {
  switch (Below(8)) {
    case 0:
    case 1:
      return "";
    case 2:
      Use("from key", true);
      return kFromKey;
    case 3:
      return key + kFromKey;
    case 4: {
      Use("prefix", true);
      std::string end = key;
      while (!end.empty() && end.back() == '\xff') end.pop_back();
      if (end.empty()) return kFromKey;
      end.back() = static_cast<char>(end.back() + 1);
      return end;
    }
    case 5:
      Use("end below key", true);
      return key.empty() ? "" : key.substr(0, key.size() - 1);
    default:
      return Key();
  }
}

std::string Generator::Value() {
  if (OneIn(10)) return "";
  if (Use("huge value", OneIn(500))) return std::string(1572864, 'h');
  if (Use("large value", OneIn(200))) return std::string(100000 + Below(1000), 'v');
  std::string value(1 + Below(24), '\0');
  for (char& c : value) c = static_cast<char>(random_());
  return value;
}

std::int64_t Generator::RevisionNear(const View& view) {
  switch (Below(12)) {
    case 0:
      Use("negative revision", true);
      return -static_cast<std::int64_t>(Below(3)) - 1;
    case 1:
      Use("future revision", true);
      return view.revision + 1 + static_cast<std::int64_t>(Below(3));
    case 2:
      return view.compacted + static_cast<std::int64_t>(Below(3)) - 1;
    case 3:
      return OneIn(2) ? kMaxInt : kMinInt;
    case 4:
    case 5:
    case 6:
      return view.revision - static_cast<std::int64_t>(Below(10));
    default:
      return 0;
  }
}

std::int64_t Generator::Lease() {
  if (OneIn(40)) return OneIn(2) ? -7 : kMaxInt;
  return static_cast<std::int64_t>(Below(8)) + 1;
}

RangeRequest Generator::Range(const View& view) {
  RangeRequest request;
  request.set_key(Key());
  request.set_range_end(RangeEnd(request.key()));
  if (Use("limit", OneIn(3))) request.set_limit(static_cast<std::int64_t>(Below(6)) - 1);
  request.set_revision(RevisionNear(view));
  if (Use("sort", OneIn(3))) {
    request.set_sort_order(static_cast<RangeRequest::SortOrder>(Below(3)));
    request.set_sort_target(static_cast<RangeRequest::SortTarget>(Below(5)));
    // An undefined enum value stops a 3.4 server.
    if (!for_34_ && Use("undefined sort", OneIn(15))) {
      request.set_sort_target(static_cast<RangeRequest::SortTarget>(9));
    }
  }
  if (Use("serializable", OneIn(3))) request.set_serializable(true);
  if (Use("keys only", OneIn(5))) request.set_keys_only(true);
  if (Use("count only", OneIn(6))) request.set_count_only(true);
  const auto near = [&] { return view.revision - static_cast<std::int64_t>(Below(30)); };
  if (Use("min mod", OneIn(8))) request.set_min_mod_revision(near());
  if (Use("max mod", OneIn(8))) request.set_max_mod_revision(near());
  if (Use("min create", OneIn(8))) request.set_min_create_revision(near());
  if (Use("max create", OneIn(8))) request.set_max_create_revision(near());
  return request;
}

etcdserverpb::PutRequest Generator::Put() {
  etcdserverpb::PutRequest request;
  request.set_key(Key());
  request.set_value(Value());
  if (Use("put lease", OneIn(4))) request.set_lease(Lease());
  if (Use("put prev_kv", OneIn(4))) request.set_prev_kv(true);
  if (Use("ignore value", OneIn(10))) {
    request.set_ignore_value(true);
    if (!OneIn(4)) request.clear_value();
  }
  if (Use("ignore lease", OneIn(10))) {
    request.set_ignore_lease(true);
    if (!OneIn(4)) request.clear_lease();
  }
  return request;
}

etcdserverpb::DeleteRangeRequest Generator::DeleteRange() {
  etcdserverpb::DeleteRangeRequest request;
  request.set_key(Key());
  if (OneIn(3)) request.set_range_end(RangeEnd(request.key()));
  if (Use("delete prev_kv", OneIn(3))) request.set_prev_kv(true);
  return request;
}

Compare Generator::Compare() {
  etcdserverpb::Compare compare;
  compare.set_key(Key());
  if (Use("compare range", OneIn(5))) compare.set_range_end(RangeEnd(compare.key()));
  compare.set_result(static_cast<etcdserverpb::Compare::CompareResult>(Below(4)));
  if (Use("undefined compare result", OneIn(40))) {
    compare.set_result(static_cast<etcdserverpb::Compare::CompareResult>(7));
  }
  compare.set_target(static_cast<etcdserverpb::Compare::CompareTarget>(Below(5)));
  if (Use("undefined compare target", OneIn(40))) {
    compare.set_target(static_cast<etcdserverpb::Compare::CompareTarget>(8));
  }
  const auto small = static_cast<std::int64_t>(Below(4));
  // Mostly the member that the target names; sometimes another, which counts as zero.
  switch (OneIn(8) ? Below(5) : static_cast<std::uint64_t>(compare.target())) {
    case 0:
      compare.set_version(small);
      break;
    case 1:
      compare.set_create_revision(static_cast<std::int64_t>(Below(100)));
      break;
    case 2:
      compare.set_mod_revision(static_cast<std::int64_t>(Below(100)));
      break;
    case 3:
      compare.set_value(Value().substr(0, 30));
      break;
    case 4:
      compare.set_lease(small);
      break;
    default:
      break;
  }
  return compare;
}

etcdserverpb::RequestOp Generator::Op(const View& view, int depth) {
  etcdserverpb::RequestOp op;
  switch (Below(depth > 0 ? 8 : 7)) {
    case 0:
    case 1:
    case 2:
      *op.mutable_request_put() = Put();
      break;
    case 3:
    case 4: {
      *op.mutable_request_range() = Range(view);
      if (!OneIn(4)) op.mutable_request_range()->clear_revision();
      break;
    }
    case 5:
      *op.mutable_request_delete_range() = DeleteRange();
      break;
    case 6:
      if (Use("empty op", OneIn(12))) break;
      *op.mutable_request_put() = Put();
      break;
    default:
      Use("nested txn", true);
      *op.mutable_request_txn() = Txn(view, depth - 1);
  }
  return op;
}

etcdserverpb::TxnRequest Generator::Txn(const View& view, int depth) {
  etcdserverpb::TxnRequest txn;
  for (std::uint64_t i = Below(3); i > 0; --i) *txn.add_compare() = Compare();
  if (Use("too many ops", OneIn(60))) {
    for (int i = 0; i < 129; ++i) txn.add_success()->mutable_request_range()->set_key("k");
  }
  if (Use("read-only txn", OneIn(6))) {
    for (std::uint64_t i = Below(3); i > 0; --i)
      *txn.add_success()->mutable_request_range() = Range(view);
    for (std::uint64_t i = Below(3); i > 0; --i)
      *txn.add_failure()->mutable_request_range() = Range(view);
    return txn;
  }
  for (std::uint64_t i = Below(4); i > 0; --i) *txn.add_success() = Op(view, depth);
  for (std::uint64_t i = Below(4); i > 0; --i) *txn.add_failure() = Op(view, depth);
  return txn;
}

Request Generator::Malformed() {
  const std::array<const char*, 4> paths = {"/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range",
                                            "/etcdserverpb.KV/Txn",
                                            "/etcdserverpb.Lease/LeaseGrant"};
  // Unknown fields, out of order and repeated ones: valid protobuf that is not canonical.
  etcdserverpb::PutRequest put;
  put.set_key(Key());
  put.set_value("first");
  std::string message = put.SerializeAsString();
  switch (Below(4)) {
    case 0:
      message += std::string("\x12\x02zz", 4);  // the value again: the last one counts
      return {Kind::kMalformed, paths[0], message};
    case 1:
      message = std::string("\x12\x01v", 3) + message;  // value before key
      return {Kind::kMalformed, paths[0], message};
    case 2:
      message += std::string("\xfa\x01\x01x", 4);  // field 31, unknown
      return {Kind::kMalformed, paths[0], message};
    default:
      message += std::string("\x20\x00", 2);  // prev_kv false, written out
      return {Kind::kMalformed, paths[0], message};
  }
}

etcdserverpb::WatchCreateRequest Generator::WatchCreate(const View& view) {
  etcdserverpb::WatchCreateRequest create;
  create.set_key(Key());
  create.set_range_end(RangeEnd(create.key()));
  switch (Below(4)) {
    case 0:
      Use("watch history", true);
      create.set_start_revision(view.compacted + 1 +
                                static_cast<std::int64_t>(Below(static_cast<std::uint64_t>(
                                    view.revision - view.compacted + 1))));
      break;
    case 1:
      if (!for_34_) create.set_start_revision(RevisionNear(view));
      // Far in the future: never reached, so nothing to compare.
      if (create.start_revision() > view.revision) create.set_start_revision(view.revision);
      break;
    default:
      break;
  }
  if (Use("watch prev_kv", OneIn(3))) create.set_prev_kv(true);
  if (Use("noput", OneIn(6))) create.add_filters(etcdserverpb::WatchCreateRequest::NOPUT);
  if (Use("nodelete", OneIn(6))) create.add_filters(etcdserverpb::WatchCreateRequest::NODELETE);
  if (Use("watch id", OneIn(4))) create.set_watch_id(static_cast<std::int64_t>(Below(5)) + 100);
  if (Use("fragment", OneIn(5))) create.set_fragment(true);
  return create;
}

Request Generator::RangeStream(const View& view) {
  RangeRequest request = Range(view);
  // Without an order any target but the key is broken in 3.7.3: keys are repeated or left out.
  if (request.sort_order() == RangeRequest::NONE) request.clear_sort_target();
  if (!OneIn(6)) {
    request.clear_sort_order();
    request.clear_sort_target();
    request.clear_min_mod_revision();
    request.clear_max_mod_revision();
    request.clear_min_create_revision();
    request.clear_max_create_revision();
  }
  return {Kind::kRangeStream, "/etcdserverpb.KV/RangeStream", request.SerializeAsString()};
}

Request Generator::Alarm(etcdserverpb::AlarmRequest::AlarmAction action) {
  etcdserverpb::AlarmRequest request;
  request.set_action(action);
  if (action != etcdserverpb::AlarmRequest::GET) {
    request.set_memberid(7);  // need not exist
    request.set_alarm(alarm_);
  }
  return {Kind::kAlarm, "/etcdserverpb.Maintenance/Alarm", request.SerializeAsString()};
}

std::optional<Request> Generator::LiftAlarm() {
  if (alarm_left_ == 0) return std::nullopt;
  alarm_left_ = 0;
  return Alarm(etcdserverpb::AlarmRequest::DEACTIVATE);
}

Request Generator::Next(const View& view) {
  const auto encode = [](Kind kind, const char* path, const google::protobuf::Message& message) {
    return Request{kind, path, message.SerializeAsString()};
  };
  if (alarm_left_ == 1) return *LiftAlarm();
  if (alarm_left_ > 1) --alarm_left_;
  if (for_37_ && Use("range stream", OneIn(6))) return RangeStream(view);
  const std::uint64_t dice = Below(100);
  if (dice < 28) return encode(Kind::kRange, "/etcdserverpb.KV/Range", Range(view));
  if (dice < 52) return encode(Kind::kPut, "/etcdserverpb.KV/Put", Put());
  if (dice < 62) return encode(Kind::kDeleteRange, "/etcdserverpb.KV/DeleteRange", DeleteRange());
  if (dice < 82) return encode(Kind::kTxn, "/etcdserverpb.KV/Txn", Txn(view, 2));
  if (dice < 84) {
    etcdserverpb::CompactionRequest request;
    request.set_revision(OneIn(2) ? RevisionNear(view)
                                  : view.compacted + 1 + static_cast<std::int64_t>(Below(40)));
    // 3.4 keeps no hashes of compactions; one at 0 would show that.
    if (for_34_ && request.revision() == 0) request.set_revision(1);
    // Physical, so that a hash computed right after it does not depend on timing.
    request.set_physical(true);
    return encode(Kind::kCompact, "/etcdserverpb.KV/Compact", request);
  }
  if (dice < 88) {
    etcdserverpb::LeaseGrantRequest request;
    request.set_id(Lease());
    const std::array<std::int64_t, 6> ttls = {1000, 5000, 9000000000, 9000000001, 100000, 777};
    request.set_ttl(ttls[Below(ttls.size())]);
    return encode(Kind::kLeaseGrant, "/etcdserverpb.Lease/LeaseGrant", request);
  }
  if (dice < 90) {
    etcdserverpb::LeaseRevokeRequest request;
    request.set_id(Lease());
    return encode(Kind::kLeaseRevoke, "/etcdserverpb.Lease/LeaseRevoke", request);
  }
  if (dice < 92) {
    etcdserverpb::LeaseTimeToLiveRequest request;
    request.set_id(Lease());
    request.set_keys(OneIn(2));
    return encode(Kind::kLeaseTimeToLive, "/etcdserverpb.Lease/LeaseTimeToLive", request);
  }
  if (dice < 93) {
    return encode(Kind::kLeaseLeases, "/etcdserverpb.Lease/LeaseLeases",
                  etcdserverpb::LeaseLeasesRequest());
  }
  if (dice < 96) {
    etcdserverpb::HashKVRequest request;
    // 3.4 refuses the compact revision itself, and negative ones.
    if (!for_34_ && !OneIn(3)) request.set_revision(RevisionNear(view));
    return encode(Kind::kHashKv, "/etcdserverpb.Maintenance/HashKV", request);
  }
  if (dice < 97) {
    // Under NOSPACE 3.4 lets puts of nested transactions through.
    if (for_34_ || alarm_left_ > 0 || OneIn(2)) return Alarm(etcdserverpb::AlarmRequest::GET);
    alarm_ = Use("alarm raised", OneIn(2)) ? etcdserverpb::NOSPACE : etcdserverpb::CORRUPT;
    alarm_left_ = 8;
    return Alarm(etcdserverpb::AlarmRequest::ACTIVATE);
  }
  if (dice < 99) return Malformed();
  return {Kind::kUnknown, OneIn(2) ? "/etcdserverpb.KV/Nothing" : "/etcdserverpb.None/Range", ""};
}

}  // namespace etcd::differential
