#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "server/apply/alarms.h"
#include "server/apply/kv_exec.h"
#include "server/apply/operation.h"
#include "server/apply/quota.h"
#include "server/apply/result.h"
#include "server/base/ids.h"
#include "server/lease/lessor.h"
#include "server/membership/cluster.h"
#include "server/raft/types.h"
#include "server/storage/engine/kv_engine.h"
#include "server/storage/mvcc/store.h"

namespace etcdserverpb {
class AlarmRequest;
class InternalRaftRequest;
class LeaseCheckpointRequest;
class LeaseGrantRequest;
class LeaseRevokeRequest;
}  // namespace etcdserverpb

namespace etcd::apply {

struct LegacyRequest;

// The answer to one entry, for whoever waits for its id.
struct Outcome {
  RequestId id;
  Result result;
  // Set: answer when the compaction of this revision (0 is one too) is done on disk here.
  std::optional<Revision> physical;
};

// The request of the entry that was applied last, for metrics and log lines.
struct AppliedRequest {
  Operation operation = Operation::kNone;
  absl::Status status;
  std::size_t response_bytes = 0;
};

// What a batch of entries asks of the node, once it is published.
struct BatchOutcome {
  std::vector<Outcome> outcomes;  // in log order; entries without an id have none
  // In log order; node_id 0 where the state refused the change. Each must reach raft before the
  // index of the batch is reported as applied.
  std::vector<raft::ConfChange> conf_changes;
  Term term_started;        // an empty entry: the leader of this term has committed; 0: none
  bool over_quota = false;  // a request was applied beyond the quota: raise NOSPACE
  bool cluster_version_set = false;
  bool cluster_version_lowered = false;
  bool alarms_changed = false;
  AppliedRequest last;
  std::size_t entries = 0;
};

// Everything that the log replicates. Borrowed.
struct State {
  engine::KvEngine& engine;
  mvcc::Store& store;
  lease::Lessor& lessor;
  membership::Cluster& cluster;
  AlarmStore& alarms;
  Quota& quota;
};

// The state machine: a pure function of (state, entry). No clock, no randomness, no configuration
// that differs between members; a command that fails is a result like any other. Owner: the apply
// thread. A batch is
//
//   Begin, Apply per entry, Write (again while it says kResourceExhausted), Publish
//
// and one engine WriteBatch: the effects of its entries with the index and term of the last one, so
// that no crash can separate them (etcd issue 13766). Every entry advances the index, whatever its
// type and result (14382); entries at or below the index are skipped.
class Applier {
 public:
  explicit Applier(const State& state);
  ~Applier();
  Applier(const Applier&) = delete;
  Applier& operator=(const Applier&) = delete;

  // Reads consistent_index and term. The parts of the state are loaded by the caller.
  absl::Status Load();
  Index consistent_index() const { return index_; }
  Term consistent_term() const { return term_; }

  void Begin();
  // An error is fatal: the engine failed or lied, or the entry is one that this version cannot
  // apply (going on would part this member from the others).
  absl::Status Apply(const raft::Entry& entry, BatchOutcome& out);
  // kResourceExhausted: nothing was written, call again when there is space. Other errors are
  // fatal.
  absl::Status Write();
  // Makes the batch visible to readers, watchers and leases.
  void Publish();

 private:
  struct Scratch;

  absl::Status ApplyNormal(const raft::Entry& entry, BatchOutcome& out);
  absl::Status ApplyRequest(const etcdserverpb::InternalRaftRequest& request, const raft::Entry& at,
                            BatchOutcome& out);
  void ApplyLegacy(const LegacyRequest& request, const raft::Entry& at, BatchOutcome& out);
  absl::Status ApplyConfChange(const raft::Entry& entry, BatchOutcome& out);

  // The layers that a request passes, outermost first.
  absl::Status CheckAlarms(const etcdserverpb::InternalRaftRequest& request) const;
  absl::Status CheckAuth(const etcdserverpb::InternalRaftRequest& request) const;
  bool FitsQuota(const etcdserverpb::InternalRaftRequest& request) const;
  absl::StatusOr<Response> Execute(const etcdserverpb::InternalRaftRequest& request,
                                   BatchOutcome& out);

  absl::StatusOr<Response> Alarm(const etcdserverpb::AlarmRequest& request);
  absl::StatusOr<Response> LeaseGrant(const etcdserverpb::LeaseGrantRequest& request);
  absl::StatusOr<Response> LeaseRevoke(const etcdserverpb::LeaseRevokeRequest& request);
  absl::StatusOr<Response> LeaseCheckpoint(const etcdserverpb::LeaseCheckpointRequest& request);
  absl::Status SetClusterVersion(std::string_view version, BatchOutcome& out);

  State state_;
  KvExecutor kv_;
  engine::WriteBatch batch_;
  bool sealed_ = false;
  Index index_;  // of the last entry in the batch, or before it
  Term term_;
  std::unique_ptr<Scratch> scratch_;  // protobuf arena
};

}  // namespace etcd::apply
