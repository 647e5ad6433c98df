#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "server/apply/result.h"
#include "server/base/clock.h"
#include "server/base/ids.h"
#include "server/base/status.h"

// What the edges (api, http) see of the member: propose and wait, linearizable read barrier,
// status. The implementation (raft loop, WAL, apply) is behind it.
namespace etcd::node {

// A member of the cluster as clients see it; unstarted members have no name and no client URLs.
struct MemberInfo {
  MemberId id;
  std::string name;
  std::vector<std::string> peer_urls;
  std::vector<std::string> client_urls;
  bool is_learner = false;
};

// A member that was added, and the list with it.
struct AddedMember {
  MemberInfo member;
  std::vector<MemberInfo> members;
};

enum class AlarmType : std::int32_t { kNone = 0, kNoSpace = 1, kCorrupt = 2 };

struct AlarmInfo {
  MemberId member;
  std::int32_t type = 0;  // AlarmType, or a value that we do not know
};

struct DowngradeInfo {
  bool enabled = false;
  std::string target_version;  // "3.5.0"
};

struct Status {
  Term term;
  Index committed;
  Index applied;
  MemberId leader;  // 0: unknown
  bool is_learner = false;
};

struct ProposeOptions {
  // When the caller stops waiting by itself (its own deadline); the request timeout of the server
  // (5 s + 2 election timeouts) applies in any case.
  std::optional<base::Clock::Monotonic> deadline;
  bool low_cost = false;  // accepted beyond the apply backlog limit (lease revoke of expiry)
};

// Called exactly once, on the raft or apply thread; must not block.
using ProposeDone = absl::AnyInvocable<void(apply::Result)>;
using ReadDone = absl::AnyInvocable<void(absl::Status)>;
using MembersDone = absl::AnyInvocable<void(absl::StatusOr<std::vector<MemberInfo>>)>;
using LeaderAnswer = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;
using AddedMemberDone = absl::AnyInvocable<void(absl::StatusOr<AddedMember>)>;

// Thread-safe.
class Node {
 public:
  virtual ~Node() = default;

  // A fresh id for the header of a proposal (raft-peer-storage.md 5.3); also the source of lease
  // ids (value & 0x7fff...).
  virtual RequestId NextRequestId() = 0;

  // Proposes `entry`, the bytes of an InternalRaftRequest whose header carries `id`, and answers
  // with the result of applying it. Errors: kTooManyRequests (apply backlog), kStopped, the timeout
  // family (outcome unknown), kContextDeadlineExceeded without a leader, kRequestTooLarge is
  // checked here against max-request-bytes, kNoSpace while the disk is full.
  virtual void Propose(RequestId id, std::string entry, ProposeOptions options,
                       ProposeDone done) = 0;

  // Answers OK when every write acknowledged before the call is applied here (ReadIndex, thesis
  // 6.4). Errors: kLeaderChanged, kTimeout, kStopped. May call `done` before returning when the
  // member is the single voter and is leader.
  virtual void ReadIndex(ReadDone done) = 0;

  // Changes of the membership: checked here (--strict-reconfig-check), proposed, and answered with
  // the member list once raft works with them. Only the caller's own deadline ends the wait
  // (outcome unknown); without a leader they wait for one. Errors: kNotEnoughStartedMembers and
  // kUnhealthyCluster from the checks, those of membership::Cluster::Validate, kStopped,
  // kContextDeadlineExceeded.
  virtual void AddMember(std::vector<std::string> peer_urls, bool is_learner,
                         ProposeOptions options, AddedMemberDone done) = 0;
  virtual void RemoveMember(MemberId id, ProposeOptions options, MembersDone done) = 0;
  virtual void UpdateMember(MemberId id, std::vector<std::string> peer_urls, ProposeOptions options,
                            MembersDone done) = 0;
  // Makes a voter of a learner. Only the leader knows whether it is in sync (kLearnerNotReady):
  // others ask it over HTTP, up to the request timeout (kNoLeader, kTimeout).
  virtual void PromoteMember(MemberId id, ProposeOptions options, MembersDone done) = 0;
  // Hands leadership over to another voter and answers when it leads. Errors: kNotLeader,
  // kBadLeaderTransferee, kTimeoutLeaderTransfer (after the request timeout at the latest).
  virtual void MoveLeader(MemberId to, ProposeOptions options, ReadDone done) = 0;

  // Posts protobuf bytes to the peer port of the leader, which is another member, and answers with
  // what it says: lease calls only the primary can answer (raft-peer-storage.md 3.16). One round
  // over the leader's URLs. Errors: kLeaseNotFound (404), kNoLeader when nobody else leads or the
  // leader does not answer before `deadline`: the caller may ask again. On any thread.
  virtual void AskLeader(std::string /*path*/, std::string /*body*/,
                         base::Clock::Monotonic /*deadline*/, LeaderAnswer answer) {
    answer(Error(Errc::kNoLeader));
  }

  virtual Status status() const = 0;
  virtual MemberId member_id() const = 0;
  virtual ClusterId cluster_id() const = 0;

  // Ascending by id.
  virtual std::vector<MemberInfo> Members() const = 0;
  // "3.6.0", or "" before it is decided.
  virtual std::string ClusterVersion() const = 0;
  // "3.6.0"; of a store that has none "3.5.0" once it knows a term, "" before.
  virtual std::string StorageVersion() const = 0;
  // What this member tells other members that it is, always major.minor.patch: its own version in a
  // cluster of that level, that of the cluster in an older one (raft-peer-storage.md 9.3).
  virtual std::string ReportedVersion() const = 0;
  virtual DowngradeInfo Downgrade() const = 0;

  virtual std::vector<AlarmInfo> Alarms() const = 0;
  virtual bool HasAlarm(AlarmType type) const = 0;

  // Bytes of the backend, and the quota in force (<= 0: none).
  virtual std::uint64_t BackendBytes() const = 0;
  virtual std::uint64_t BackendBytesInUse() const = 0;
  virtual std::int64_t QuotaBytes() const = 0;

  // False when a write of this cost (v3-api.md 3.7) does not fit under the quota any more; then it
  // has also seen to it that the NOSPACE alarm is raised.
  virtual bool AdmitByQuota(std::uint64_t cost) = 0;
};

}  // namespace etcd::node
