#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/apply/alarms.h"
#include "server/apply/applier.h"
#include "server/base/executor.h"
#include "server/base/file_system.h"
#include "server/base/random.h"
#include "server/lease/lessor.h"
#include "server/membership/member.h"
#include "server/node/node.h"
#include "server/ports/peer_client.h"
#include "server/ports/peer_receiver.h"
#include "server/ports/peer_transport.h"
#include "server/snap/snapshotter.h"
#include "server/storage/engine/kv_engine.h"
#include "server/storage/mvcc/store.h"
#include "server/wal/observer.h"

// How main and the simulation make a member: OpenMember, connect watch to store(), Start.
namespace etcd::node {

struct InitialMember {
  std::string name;
  std::vector<std::string> peer_urls;
};

// A running cluster that this member was added to (join.h).
struct JoinedCluster {
  ClusterId id;
  MemberId own_id;
  std::vector<membership::Member> members;  // this one included
  std::string version;                      // "3.6.0"; "" when not decided
};

enum class AutoCompaction : std::uint8_t { kOff, kPeriodic, kRevision };

// Defaults are etcd 3.6's.
struct MemberOptions {
  std::string name = "default";
  std::vector<std::string> client_urls;  // advertised; published through raft
  // Used only when there is no WAL yet; must contain a member called `name`.
  std::vector<InitialMember> initial_cluster;
  std::string cluster_token = "etcd-cluster";
  // Set: there is no WAL yet and this member joins a running cluster with an empty log.
  std::optional<JoinedCluster> joins;
  // The log was made by a joiner, which may not have heard anything yet: an empty one is no error.
  bool may_have_joined = false;
  bool force_new_cluster = false;     // make this member the only voter; see force_new_cluster.h
  bool hold_cluster_version = false;  // do not raise the version of an older cluster

  std::string wal_dir;       // <data-dir>/member/wal
  std::string snap_dir;      // <data-dir>/member/snap
  std::size_t max_wals = 5;  // 0: all are kept; so for the next
  std::size_t max_snapshots = 5;
  std::uint64_t wal_segment_bytes = 64'000'000;

  std::chrono::milliseconds heartbeat_interval{100};  // one tick
  int election_ticks = 10;
  bool pre_vote = true;
  // After a start beside at least two others, most of the time until the first campaign counts as
  // passed (--initial-election-tick-advance).
  bool initial_election_tick_advance = true;
  bool strict_reconfig_check = true;
  std::size_t learners_max = 1;

  std::uint64_t snapshot_count = 10'000;  // applied entries between two .snap files
  std::uint64_t catchup_entries = 5'000;  // kept in the raft log behind a snapshot
  std::uint64_t request_bytes_max = 1'572'864;
  std::uint64_t apply_backlog_max = 5'000;        // committed - applied; above: too many requests
  std::uint64_t queued_bytes_max = 256ULL << 20;  // entries proposed and not yet in the log
  std::int64_t quota_bytes = 0;                   // 0: 2 GiB; negative: none
  AutoCompaction auto_compaction = AutoCompaction::kOff;
  std::chrono::nanoseconds compaction_period{0};  // kPeriodic
  std::int64_t compaction_retention = 0;          // kRevision: revisions to keep

  // Comparisons of the members' data, made by the leader (corruption_duty.h); 0: never.
  std::chrono::nanoseconds corrupt_check_interval{0};
  std::chrono::nanoseconds compact_hash_check_interval{0};
  // A CORRUPT alarm for this member halts it (--auto-rebuild): its next start replaces its data.
  bool halt_when_corrupt = false;

  mvcc::StoreOptions store;
  lease::LessorOptions lease;  // ttl_seconds_min is computed from the ticks
  std::string server_version = "3.6.16";

  std::chrono::nanoseconds election_timeout() const { return heartbeat_interval * election_ticks; }
  // 5 s + 2 election timeouts: v3-api.md 2.4.
  std::chrono::nanoseconds request_timeout() const {
    return std::chrono::seconds(5) + 2 * election_timeout();
  }
};

// For metrics; called on the raft or apply thread, must not block.
class MemberObserver {
 public:
  virtual ~MemberObserver() = default;
  virtual void OnLeaderChange(MemberId /*leader*/, bool /*is_self*/) {}
  virtual void OnProposed(std::size_t /*entries*/) {}
  virtual void OnProposalFailed() {}
  virtual void OnApplied(std::size_t /*entries*/, std::chrono::nanoseconds /*took*/) {}
  // One request of the log, without the write of its batch. `entry`: its InternalRaftRequest.
  virtual void OnRequestApplied(const apply::AppliedRequest& /*request*/,
                                std::string_view /*entry*/, std::chrono::nanoseconds /*took*/) {}
  // The write of one batch to the engine.
  virtual void OnCommitted(std::chrono::nanoseconds /*took*/) {}
  // An alarm request was applied; all alarms that are raised now.
  virtual void OnAlarms(const std::set<apply::Alarm>& /*raised*/) {}
  // A read index round that took too long, or that was answered after it was given up.
  virtual void OnReadIndexSlow() {}
  virtual void OnReadIndexFailed() {}
  virtual void OnSnapshot(Index /*index*/) {}
  // The promotion of a learner was decided here, as leader.
  virtual void OnPromotion(const absl::Status& /*status*/) {}
};

// Everything that does work for the member; all of it outlives the member. The executors may be one
// and the same (tests, simulation). `fatal` is called once when the member must not go on (failed
// fsync, damaged storage); null: base::Fatal, which ends the process. When it returns, the member
// acknowledges nothing more.
struct MemberPorts {
  base::FileSystem& file_system;
  engine::KvEngine& engine;
  base::Random& random;  // used on the raft executor and in OpenMember
  base::Executor& raft;
  base::Executor& apply;
  base::Executor& snapshot;        // engine flushes
  base::Executor& compaction;      // physical deletion
  base::Executor& lease;           // expiry scans
  base::Executor* bulk = nullptr;  // hashes of the whole store; null: compaction
  ports::PeerTransport& peers;
  // Null: a cluster of one, or a simulation; the others then count as members of this version.
  ports::PeerClient* peer_client = nullptr;
  wal::Observer* wal_observer = nullptr;
  snap::Observer* snap_observer = nullptr;
  lease::LessorObserver* lease_observer = nullptr;
  MemberObserver* observer = nullptr;
  absl::AnyInvocable<void(std::string_view, const absl::Status&)> fatal = nullptr;
  // Called once, on any thread, when this member has been removed from the cluster for good: its
  // owner stops it, and its directory is of no use any more. Null: nothing.
  absl::AnyInvocable<void()> removed = nullptr;
};

// A member with damaged data asks for a place to start over (readmission.h).
struct ReadmitRequest {
  MemberId id;                         // who it was
  std::vector<std::string> peer_urls;  // where it listens
  // It has asked before and does not know what became of it: it may be removed by now.
  bool resumes = false;
};

// Thread-safe where Node and PeerReceiver are; Start and Stop are called by the owner, once each,
// in this order. Messages of peers may come from Start on; they stop before Stop is called.
class Member : public Node, public ports::PeerReceiver {
 public:
  // For reads and for watch (Store::SetObserver before Start). Live as long as the member.
  virtual mvcc::Store& store() = 0;
  virtual lease::Lessor& lessor() = 0;
  // Proposals of this member whose outcome is not known yet.
  virtual std::size_t PendingProposals() const = 0;

  // Removes a member whose data is damaged and adds it as a learner with a new id, if this leader
  // finds that the others hold everything (readmission.h). Errors: kNotLeader, kMemberNotFound,
  // kFailedPrecondition with the reason why not; after any other error ask again, with `resumes`.
  // Thread-safe.
  virtual void Readmit(ReadmitRequest request, AddedMemberDone done) = 0;

  // Lets the raft loop run; replays what the log has beyond the store. `ready` is called once, when
  // the member has published its attributes through raft: the moment to serve clients.
  virtual void Start(absl::AnyInvocable<void()> ready) = 0;

  // If this member leads others, lets another one lead; until then and after it serves on. Calls
  // `done` when that is done or has failed; bounded by two election timeouts. Call it while peers
  // and clients are still connected.
  virtual void HandOver(absl::AnyInvocable<void()> done) = 0;

  // Hands over as above, refuses new work (kStopped), drains what was accepted, answers every
  // waiter, stops the parts in order, then calls `done`. The executors must still run; stop them
  // after `done`, destroy the member after that.
  virtual void Stop(absl::AnyInvocable<void()> done) = 0;
};

// Reads the directories and the engine; makes a new cluster when there is no WAL. Blocks; nothing
// runs before Start. Errors name what is wrong on disk (kDataLoss) or in the options.
absl::StatusOr<std::unique_ptr<Member>> OpenMember(MemberOptions options, MemberPorts ports);

}  // namespace etcd::node
