#pragma once

#include <string>
#include <string_view>

// etcd's backend buckets other than "key" share the meta family; keys and values are etcd's own
// (reference: backend schema), so export to and import from a bbolt file is a copy.
namespace etcd::engine {

inline constexpr std::string_view kBucketAlarm = "alarm";
inline constexpr std::string_view kBucketAuth = "auth";
inline constexpr std::string_view kBucketAuthRoles = "authRoles";
inline constexpr std::string_view kBucketAuthUsers = "authUsers";
inline constexpr std::string_view kBucketCluster = "cluster";
inline constexpr std::string_view kBucketLease = "lease";
inline constexpr std::string_view kBucketMembers = "members";
inline constexpr std::string_view kBucketMembersRemoved = "members_removed";
inline constexpr std::string_view kBucketMeta = "meta";

// Keys of the meta bucket.
inline constexpr std::string_view kMetaConsistentIndex = "consistent_index";         // u64 BE
inline constexpr std::string_view kMetaTerm = "term";                                // u64 BE
inline constexpr std::string_view kMetaConfState = "confState";                      // JSON
inline constexpr std::string_view kMetaScheduledCompactRev = "scheduledCompactRev";  // 17 B
inline constexpr std::string_view kMetaFinishedCompactRev = "finishedCompactRev";    // 17 B
inline constexpr std::string_view kMetaStorageVersion = "storageVersion";            // "3.6.0"
// Ours, not in etcd's file: the revision is persisted, never derived (etcd issue 17780). u64 BE.
inline constexpr std::string_view kMetaCurrentRevision = "currentRevision";

// Key in the meta family. NUL cannot occur in a bucket name, so buckets do not overlap and sort by
// name: "alarm" NUL key.
inline std::string MetaKey(std::string_view bucket, std::string_view key) {
  std::string out;
  out.reserve(bucket.size() + 1 + key.size());
  out.append(bucket);
  out.push_back('\0');
  out.append(key);
  return out;
}
// [first, second) are the keys of one bucket.
inline std::string BucketBegin(std::string_view bucket) { return MetaKey(bucket, ""); }
inline std::string BucketEnd(std::string_view bucket) {
  std::string out(bucket);
  out.push_back('\x01');
  return out;
}
// The key within its bucket.
inline std::string_view StripBucket(std::string_view bucket, std::string_view meta_key) {
  return meta_key.substr(bucket.size() + 1);
}

}  // namespace etcd::engine
