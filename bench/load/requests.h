#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/bytes.h"

// Request messages of the v3 API, encoded by hand: building them must not be what is measured.
namespace etcd::bench {

// As range_end: all keys from the first on.
inline constexpr std::string_view kToEnd("\0", 1);

inline constexpr std::string_view kRange = "/etcdserverpb.KV/Range";
inline constexpr std::string_view kRangeStream = "/etcdserverpb.KV/RangeStream";
inline constexpr std::string_view kPut = "/etcdserverpb.KV/Put";
inline constexpr std::string_view kTxn = "/etcdserverpb.KV/Txn";
inline constexpr std::string_view kCompact = "/etcdserverpb.KV/Compact";
inline constexpr std::string_view kWatch = "/etcdserverpb.Watch/Watch";
inline constexpr std::string_view kLeaseGrant = "/etcdserverpb.Lease/LeaseGrant";
inline constexpr std::string_view kLeaseKeepAlive = "/etcdserverpb.Lease/LeaseKeepAlive";

inline std::string PutRequest(std::string_view key, std::string_view value) {
  std::string out;
  out.reserve(key.size() + value.size() + 16);
  base::AppendBytesField(out, 1, key);
  base::AppendBytesField(out, 2, value);
  return out;
}

struct RangeOptions {
  std::string_view end = {};
  std::int64_t limit = 0;
  std::int64_t revision = 0;  // 0: the newest
  bool serializable = false;
  bool count_only = false;
};

inline std::string RangeRequest(std::string_view key, const RangeOptions& options) {
  std::string out;
  base::AppendBytesField(out, 1, key);
  base::AppendBytesField(out, 2, options.end);
  base::AppendVarintField(out, 3, static_cast<std::uint64_t>(options.limit));
  base::AppendVarintField(out, 4, static_cast<std::uint64_t>(options.revision));
  base::AppendVarintField(out, 7, options.serializable ? 1 : 0);
  base::AppendVarintField(out, 9, options.count_only ? 1 : 0);
  return out;
}

// if mod_revision(key) > 0 then put(key, value) else put(key, value): a guarded update.
inline std::string UpdateTxn(std::string_view key, std::string_view value) {
  std::string compare;
  base::AppendVarintField(compare, 1, 1);  // GREATER
  base::AppendVarintField(compare, 2, 2);  // MOD
  base::AppendBytesField(compare, 3, key);
  base::AppendTag(compare, 6, base::kWireVarint);
  base::AppendVarint(compare, 0);
  std::string op;
  base::AppendMessageField(op, 2, PutRequest(key, value));
  std::string out;
  base::AppendMessageField(out, 1, compare);
  base::AppendMessageField(out, 2, op);
  base::AppendMessageField(out, 3, op);
  return out;
}

// Operations of a txn.
inline std::string RangeOp(std::string_view range_request) {
  std::string out;
  base::AppendMessageField(out, 1, range_request);
  return out;
}
inline std::string PutOp(std::string_view put_request) {
  std::string out;
  base::AppendMessageField(out, 2, put_request);
  return out;
}
inline std::string DeleteOp(std::string_view key) {
  std::string request;
  base::AppendBytesField(request, 1, key);
  std::string out;
  base::AppendMessageField(out, 3, request);
  return out;
}

// A txn of one operation and no comparison.
inline std::string PlainTxn(std::string_view op) {
  std::string out;
  base::AppendMessageField(out, 2, op);
  return out;
}

// if mod_revision(key) == revision then `op` else get(key): how Kubernetes writes. Revision 0: the
// key must not exist.
inline std::string GuardedTxn(std::string_view key, std::int64_t revision, std::string_view op) {
  std::string compare;                     // result EQUAL is the zero value
  base::AppendVarintField(compare, 2, 2);  // MOD
  base::AppendBytesField(compare, 3, key);
  base::AppendTag(compare, 6, base::kWireVarint);
  base::AppendVarint(compare, static_cast<std::uint64_t>(revision));
  std::string out;
  base::AppendMessageField(out, 1, compare);
  base::AppendMessageField(out, 2, op);
  base::AppendMessageField(out, 3, RangeOp(RangeRequest(key, {})));
  return out;
}

inline std::string Compaction(std::int64_t revision) {
  std::string out;
  base::AppendVarintField(out, 1, static_cast<std::uint64_t>(revision));
  return out;
}

inline std::string WatchCreate(std::string_view key, std::string_view end = {},
                               bool prev_kv = false) {
  std::string create;
  base::AppendBytesField(create, 1, key);
  base::AppendBytesField(create, 2, end);
  base::AppendVarintField(create, 6, prev_kv ? 1 : 0);
  std::string out;
  base::AppendMessageField(out, 1, create);
  return out;
}

inline std::string LeaseGrant(std::int64_t id, std::int64_t ttl_seconds) {
  std::string out;
  base::AppendVarintField(out, 1, static_cast<std::uint64_t>(ttl_seconds));
  base::AppendVarintField(out, 2, static_cast<std::uint64_t>(id));
  return out;
}

inline std::string LeaseKeepAlive(std::int64_t id) {
  std::string out;
  base::AppendVarintField(out, 1, static_cast<std::uint64_t>(id));
  return out;
}

}  // namespace etcd::bench
