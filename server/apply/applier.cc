#include "server/apply/applier.h"

#include <array>
#include <charconv>
#include <etcdserverpb/raft_internal.pb.h>
#include <optional>
#include <utility>

#include <google/protobuf/arena.h>

#include "server/apply/entry_check.h"
#include "server/apply/legacy_request.h"
#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/meta_number.h"

namespace etcd::apply {
namespace {

using engine::Family;
using etcdserverpb::InternalRaftRequest;

void PutNumber(engine::WriteBatch& batch, std::string_view key, std::uint64_t value) {
  std::string bytes;
  base::AppendBigEndian64(bytes, value);
  batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, key), std::move(bytes));
}

RequestId IdOf(const InternalRaftRequest& request) {
  return RequestId(request.id() != 0 ? request.id() : request.header().id());
}

void Answer(BatchOutcome& out, RequestId id, const raft::Entry& at, absl::Status status,
            Response response = {}) {
  if (!id) return;
  Outcome outcome;
  outcome.id = id;
  outcome.result.status = std::move(status);
  outcome.result.body = base::Rope(std::move(response.body));
  outcome.result.revision = response.revision;
  outcome.result.index = at.index;
  out.outcomes.push_back(std::move(outcome));
}

// Results of commands have a row in the table of errors, or are kUnimplemented with their own text;
// everything else is the engine's.
bool IsResult(const absl::Status& status) {
  return ErrcOf(status).has_value() || status.code() == absl::StatusCode::kUnimplemented;
}

}  // namespace

// Reused by all entries of a batch; Reset keeps the first block.
struct Applier::Scratch {
  static constexpr std::size_t kFirstBlockBytes = 64 << 10;

  static google::protobuf::ArenaOptions Options(std::array<char, kFirstBlockBytes>& block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block.data();
    options.initial_block_size = block.size();
    return options;
  }

  alignas(16) std::array<char, kFirstBlockBytes> block;
  google::protobuf::Arena arena{Options(block)};
};

Applier::Applier(const State& state)
    : state_(state), kv_(state.store, state.lessor), scratch_(std::make_unique<Scratch>()) {}

Applier::~Applier() = default;

absl::Status Applier::Load() {
  ASSIGN_OR_RETURN(const std::uint64_t index,
                   engine::ReadMetaNumber(state_.engine, engine::kMetaConsistentIndex));
  ASSIGN_OR_RETURN(const std::uint64_t term,
                   engine::ReadMetaNumber(state_.engine, engine::kMetaTerm));
  index_ = Index(index);
  term_ = Term(term);
  kv_.Reload();
  return absl::OkStatus();
}

void Applier::Begin() {
  FAILPOINT("beforeStartDBTxn");
  batch_.Clear();
  sealed_ = false;
  state_.store.BeginBatch(batch_);
  FAILPOINT("afterStartDBTxn");
}

absl::Status Applier::Apply(const raft::Entry& entry, BatchOutcome& out) {
  if (entry.index <= index_) return absl::OkStatus();
  CHECK(entry.index == index_ + 1) << "entry " << entry.index << " follows " << index_;
  index_ = entry.index;
  term_ = entry.term;
  ++out.entries;
  switch (entry.type) {
    case raft::EntryType::kNormal:
      FAILPOINT("beforeApplyOneEntryNormal");
      return ApplyNormal(entry, out);
    case raft::EntryType::kConfChange:
      FAILPOINT("beforeApplyOneConfChange");
      return ApplyConfChange(entry, out);
    case raft::EntryType::kConfChangeV2:
      break;  // no etcd can apply it
  }
  return base::MakeStatus(absl::StatusCode::kUnimplemented, "entry of an unknown type");
}

absl::Status Applier::ApplyNormal(const raft::Entry& entry, BatchOutcome& out) {
  if (entry.data.empty()) {
    out.term_started = entry.term;
    return absl::OkStatus();
  }
  auto* request = google::protobuf::Arena::CreateMessage<InternalRaftRequest>(&scratch_->arena);
  const std::string_view bytes = entry.data;
  std::optional<LegacyRequest> legacy;
  const bool parsed = request->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (parsed && request->v2().empty()) return ApplyRequest(*request, entry, out);
  // A bare v2 request also parses as an envelope whose `v2` field is the method's name, which is no
  // message: that is how Go tells them apart.
  if (parsed) legacy = ParseLegacyRequest(request->v2());
  if (!legacy.has_value()) legacy = ParseLegacyRequest(bytes);
  if (!legacy.has_value()) {
    return base::DataLoss("entry " + std::to_string(entry.index.value()) + " is no request");
  }
  ApplyLegacy(*legacy, entry, out);
  return absl::OkStatus();
}

absl::Status Applier::ApplyRequest(const InternalRaftRequest& request, const raft::Entry& at,
                                   BatchOutcome& out) {
  const RequestId id = IdOf(request);
  out.last.operation = OperationOf(request);
  // kInternal, so that it is no result: members that have authentication carry it out, and what
  // this one answers, hands on in snapshots or lets users do would differ from then on.
  if (NeedsAuth(request)) {
    return base::MakeStatus(absl::StatusCode::kInternal,
                            "the log needs authentication, which this etcd does not have yet: a "
                            "cluster that uses it cannot have members of this kind");
  }
  if (out.last.operation == Operation::kAlarm) out.alarms_changed = true;
  absl::Status refused = CheckAlarms(request);
  if (refused.ok()) refused = CheckAuth(request);
  if (!refused.ok()) {
    out.last.status = refused;
    Answer(out, id, at, std::move(refused));
    return absl::OkStatus();
  }
  const bool fits = FitsQuota(request);
  absl::StatusOr<Response> response = Execute(request, out);
  if (!response.ok()) {
    if (!IsResult(response.status())) return response.status();
    out.last.status = response.status();
    Answer(out, id, at, response.status());
    return absl::OkStatus();
  }
  if (!fits) {
    // Carried out all the same: the size differs from member to member, the state must not.
    out.over_quota = true;
    out.last.status = Error(Errc::kNoSpace);
    Answer(out, id, at, Error(Errc::kNoSpace));
    return absl::OkStatus();
  }
  out.last.response_bytes = response->body.size();
  Answer(out, id, at, absl::OkStatus(), *std::move(response));
  if (id && request.has_compaction() && request.compaction().physical()) {
    out.outcomes.back().physical = Revision(request.compaction().revision());
  }
  return absl::OkStatus();
}

absl::Status Applier::ApplyConfChange(const raft::Entry& entry, BatchOutcome& out) {
  ASSIGN_OR_RETURN(raft::ConfChange change, raftcodec::DecodeConfChange(entry.data));
  absl::Status valid = state_.cluster.Validate(change);
  if (valid.ok()) {
    state_.cluster.Apply(change, batch_);
    batch_.Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaConfState),
               membership::EncodeConfState(state_.cluster.conf_state()));
  } else {
    LOG_WARN("refused a membership change", {"index", entry.index}, {"member-id", change.node_id},
             {"error", valid});
  }
  Answer(out, RequestId(change.id), entry, valid);
  if (!valid.ok()) change.node_id = MemberId();  // raft goes on as if nothing had been asked
  out.conf_changes.push_back(std::move(change));
  return absl::OkStatus();
}

absl::Status Applier::Write() {
  if (!sealed_) {
    sealed_ = true;
    FAILPOINT("commitBeforePreCommitHook");
    state_.store.SealBatch();
    PutNumber(batch_, engine::kMetaConsistentIndex, index_.value());
    PutNumber(batch_, engine::kMetaTerm, term_.value());
    state_.quota.AddUsed(batch_.bytes());
  }
  FAILPOINT("commitAfterPreCommitHook");
  FAILPOINT("beforeCommit");
  RETURN_IF_ERROR(state_.engine.Write(batch_));
  FAILPOINT("afterCommit");
  return absl::OkStatus();
}

void Applier::Publish() {
  FAILPOINT("beforeWritebackBuf");
  state_.cluster.Publish();
  state_.alarms.Publish();
  state_.lessor.Publish();
  // Last: watchers and readers of a revision find everything else in place.
  state_.store.Publish();
  FAILPOINT("afterWritebackBuf");
  scratch_->arena.Reset();
}

}  // namespace etcd::apply
