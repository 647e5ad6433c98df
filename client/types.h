#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/base/ids.h"

// Requests and answers of the client as plain values. Field names and meanings are those of etcd's
// API (proto/etcdserverpb/rpc.proto); a field that the answering server is too old to know has its
// default.
namespace etcd::client {

// Zeros where the server sends no header (MoveLeader, Defragment; Alarm of 3.4).
struct ResponseHeader {
  ClusterId cluster_id{};
  MemberId member_id{};  // of the member that answered
  Revision revision{};   // 0 in answers about membership
  Term raft_term{};
};

// ---- Keys.

struct KeyValue {
  std::string key{};
  std::string value{};
  Revision create_revision{};
  Revision mod_revision{};
  std::int64_t version = 0;  // 1: just created
  LeaseId lease{};
};

// The end of the range of all keys that begin with `prefix`: for RangeRequest::range_end. Of an
// empty prefix, and of one of 0xff bytes only, it is "\0": up to the last key.
std::string PrefixEnd(std::string_view prefix);

enum class SortOrder : std::uint8_t { kNone, kAscend, kDescend };
enum class SortTarget : std::uint8_t { kKey, kVersion, kCreate, kMod, kValue };

struct RangeRequest {
  std::string key{};        // never empty; "\0" with range_end "\0" is every key
  std::string range_end{};  // empty: exactly `key`; "\0": every key from `key` on
  std::int64_t limit = 0;   // 0: no limit
  Revision revision{};      // 0: the current one
  SortOrder sort_order = SortOrder::kNone;
  SortTarget sort_target = SortTarget::kKey;
  bool serializable = false;  // true: from the asked member's own state, perhaps stale
  bool keys_only = false;
  bool count_only = false;

  static RangeRequest Key(std::string_view key);
  static RangeRequest Prefix(std::string_view prefix);
};

struct RangeResponse {
  ResponseHeader header{};
  std::vector<KeyValue> kvs{};
  bool more = false;       // `limit` left some out
  std::int64_t count = 0;  // in the whole range, whatever the limit
};

struct PutRequest {
  std::string key{};
  std::string value{};
  LeaseId lease{};
  bool prev_kv = false;
  bool ignore_value = false;  // keep the value; `value` must be empty
  bool ignore_lease = false;  // keep the lease; `lease` must be 0
};

struct PutResponse {
  ResponseHeader header{};
  bool has_prev_kv = false;
  KeyValue prev_kv{};  // when has_prev_kv
};

struct DeleteRequest {
  std::string key{};
  std::string range_end{};  // as in RangeRequest
  bool prev_kv = false;
};

struct DeleteResponse {
  ResponseHeader header{};
  std::int64_t deleted = 0;
  std::vector<KeyValue> prev_kvs{};
};

// A condition of a transaction on the key, or on every key of a range.
struct Compare {
  enum class Target : std::uint8_t { kVersion, kCreateRevision, kModRevision, kValue, kLease };
  enum class Result : std::uint8_t { kEqual, kGreater, kLess, kNotEqual };

  std::string key{};
  std::string range_end{};
  Target target = Target::kVersion;
  Result result = Result::kEqual;
  std::int64_t number = 0;  // of every target but kValue
  std::string value{};      // of kValue
};

using Op = std::variant<RangeRequest, PutRequest, DeleteRequest>;
using OpResponse = std::variant<RangeResponse, PutResponse, DeleteResponse>;

struct TxnRequest {
  std::vector<Compare> compares{};  // all must hold
  std::vector<Op> success{};
  std::vector<Op> failure{};
};

struct TxnResponse {
  ResponseHeader header{};
  bool succeeded = false;
  std::vector<OpResponse> responses{};  // one for each operation of the branch taken
};

struct CompactResponse {
  ResponseHeader header{};
};

// ---- Cluster.

struct Member {
  MemberId id{};
  std::string name{};  // empty: has never started
  std::vector<std::string> peer_urls{};
  std::vector<std::string> client_urls{};
  bool is_learner = false;
};

// Of every call about membership: the list after it (ascending by id).
struct MembersResponse {
  ResponseHeader header{};
  std::vector<Member> members{};
};

struct MemberAddResponse {
  ResponseHeader header{};
  Member member{};  // the new one
  std::vector<Member> members{};
};

// ---- Maintenance.

// Other numbers than these can occur: they are what a newer server sent.
enum class AlarmType : std::int32_t { kNone = 0, kNoSpace = 1, kCorrupt = 2 };

struct Alarm {
  MemberId member_id{};
  AlarmType type = AlarmType::kNone;
};

struct AlarmsResponse {
  ResponseHeader header{};
  std::vector<Alarm> alarms{};
};

struct StatusResponse {
  ResponseHeader header{};
  std::string version{};  // "3.6.16"
  std::int64_t db_size_bytes = 0;
  std::int64_t db_size_in_use_bytes = 0;
  std::int64_t db_size_quota_bytes = 0;  // since 3.6
  MemberId leader{};                     // 0: the member knows none
  Index raft_index{};
  Index raft_applied_index{};
  Term raft_term{};
  std::vector<std::string> errors{};  // no leader, alarms
  bool is_learner = false;
  std::string storage_version{};  // since 3.6
  bool downgrade_enabled = false;
  std::string downgrade_target_version{};
};

struct HashKvResponse {
  ResponseHeader header{};
  std::uint32_t hash = 0;
  Revision compact_revision{};  // -1: never compacted
  Revision hash_revision{};     // since 3.6
};

// What a snapshot was, once its last byte has been given to the sink and verified.
struct SnapshotSummary {
  std::uint64_t size_bytes = 0;  // of the file: the image and its 32-byte trailer
  std::string image_sha256{};    // hex, of the image without the trailer: what the trailer says
  std::string version{};         // storage version; since 3.6
};

}  // namespace etcd::client
