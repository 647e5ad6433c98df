#pragma once

#include <optional>
#include <span>
#include <vector>

#include <absl/status/status.h>

#include "server/base/ids.h"
#include "server/node/peer_hashes.h"
#include "server/storage/mvcc/store.h"

// What etcd 3.6 concludes from the hashes of the members (server-surface.md 3.6), and logs. Pure
// but for the log. Hashes compare only at one revision of members that have compacted to the same
// one: a peer that has not, is behind, or belongs to another cluster is unknown, not bad.
namespace etcd::node {

// The hash of this member's head.
struct OwnHash : mvcc::HashResult {
  // Implicit: what the rules below compare is the hash.
  OwnHash(const mvcc::HashResult& result = {}, bool is_empty = false)
      : mvcc::HashResult(result), nothing_lives(is_empty) {}

  // No key lives at its revision. A peer that has compacted there answers with the hash made then,
  // which by etcd's rule (v3-api.md 7.5: the tombstones count as kept) is another one.
  bool nothing_lives;
};
// Walks the whole store: on a thread that may take its time.
absl::StatusOr<OwnHash> HashOfHead(const mvcc::Store& store);

// Before a restarted member serves anybody: `own` is its head, the peers were asked for the same
// revision. kDataLoss with etcd's text when one that can be compared differs; peers that cannot be
// compared, or do not answer, only get a line.
absl::Status CheckInitialHash(MemberId self, const OwnHash& own, std::span<const PeerHash> peers);

// The leader's look at the heads: `before` was taken before the peers were asked for its revision,
// `after` behind a linearizable read that followed their answers. Whom to raise an alarm for: the
// first one found, as etcd does.
std::optional<MemberId> CheckHeadHashes(MemberId self, const OwnHash& before,
                                        const mvcc::HashResult& after,
                                        std::span<const PeerHash> peers);

struct CompactHashVerdict {
  bool is_final = false;              // else an older compaction may tell more
  bool all_agree = false;             // every member was compared and none differs
  std::vector<MemberId> alarms = {};  // member 0: nobody knows whose data is wrong
};

// The leader's look at one compaction that the members have hashed. Members are counted as etcd
// does: all of them, learners included; more than half with the same hash are right.
CompactHashVerdict CheckCompactionHashes(MemberId self, const mvcc::HashResult& own,
                                         std::span<const PeerHash> peers);

// Whether all of `peers` have the data of this member. kFailedPrecondition names one that differs;
// kUnavailable one that cannot be compared at this moment.
absl::Status CheckEqualHashes(const OwnHash& own, std::span<const PeerHash> peers);

}  // namespace etcd::node
