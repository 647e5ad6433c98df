#include "client/client.h"

#include <utility>

#include "client/internal/convert.h"
#include "client/internal/core.h"
#include "client/internal/snapshot_check.h"
#include "server/base/status.h"

namespace etcd::client {

namespace pb = etcdserverpb;
using internal::Exchange;
using internal::FromProto;
using internal::Kind;
using internal::MembersOf;
using internal::ToProto;

namespace {

// One unary call.
template <typename Answer>
struct Unary {
  internal::Core& core;
  Kind kind;
  const char* method;
  const CallOptions& options;

  template <typename Request>
  absl::StatusOr<Answer> operator()(const Request& request) const {
    Answer answer;
    const auto attempt = [&](Exchange& exchange) -> grpc::Status {
      exchange.Send(request);
      const bool has_answer = exchange.Receive(answer);
      const grpc::Status status = exchange.Finish();
      if (has_answer || !status.ok()) return status;
      return {grpc::INTERNAL, "success without an answer"};
    };
    RETURN_IF_ERROR(core.Call(kind, method, options, attempt));
    return answer;
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(Config config) {
  ASSIGN_OR_RETURN(auto core, internal::Core::Create(std::move(config)));
  return std::unique_ptr<Client>(new Client(std::move(core)));
}

Client::Client(std::unique_ptr<internal::Core> core) : core_(std::move(core)) {}
Client::~Client() { Close(); }

absl::Status Client::SetEndpoints(std::vector<std::string> endpoints) {
  return core_->SetEndpoints(std::move(endpoints));
}

std::vector<std::string> Client::endpoints() const { return core_->endpoints(); }
void Client::Close() { core_->Close(); }

// ---- Keys.

absl::StatusOr<RangeResponse> Client::Range(const RangeRequest& request,
                                            const CallOptions& options) {
  const Unary<pb::RangeResponse> call{*core_, Kind::kRead, "/etcdserverpb.KV/Range", options};
  ASSIGN_OR_RETURN(auto answer, call(ToProto(request)));
  return FromProto(answer);
}

absl::StatusOr<PutResponse> Client::Put(const PutRequest& request, const CallOptions& options) {
  const Unary<pb::PutResponse> call{*core_, Kind::kChange, "/etcdserverpb.KV/Put", options};
  ASSIGN_OR_RETURN(auto answer, call(ToProto(request)));
  return FromProto(answer);
}

absl::StatusOr<DeleteResponse> Client::Delete(const DeleteRequest& request,
                                              const CallOptions& options) {
  const Unary<pb::DeleteRangeResponse> call{*core_, Kind::kChange, "/etcdserverpb.KV/DeleteRange",
                                            options};
  ASSIGN_OR_RETURN(auto answer, call(ToProto(request)));
  return FromProto(answer);
}

absl::StatusOr<TxnResponse> Client::Txn(const TxnRequest& request, const CallOptions& options) {
  const Unary<pb::TxnResponse> call{*core_, Kind::kChange, "/etcdserverpb.KV/Txn", options};
  ASSIGN_OR_RETURN(auto answer, call(ToProto(request)));
  return FromProto(answer);
}

absl::StatusOr<CompactResponse> Client::Compact(Revision revision, bool physical,
                                                const CallOptions& options) {
  pb::CompactionRequest message;
  message.set_revision(revision.value());
  message.set_physical(physical);
  const Unary<pb::CompactionResponse> call{*core_, Kind::kChange, "/etcdserverpb.KV/Compact",
                                           options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return CompactResponse{FromProto(answer.header())};
}

// ---- Cluster.

absl::StatusOr<MembersResponse> Client::MemberList(Consistency consistency,
                                                   const CallOptions& options) {
  pb::MemberListRequest message;
  message.set_linearizable(consistency == Consistency::kLinearizable);
  const Unary<pb::MemberListResponse> call{*core_, Kind::kRead, "/etcdserverpb.Cluster/MemberList",
                                           options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return MembersResponse{FromProto(answer.header()), MembersOf(answer.members())};
}

absl::StatusOr<MemberAddResponse> Client::AddMember(const std::vector<std::string>& peer_urls,
                                                    bool is_learner, const CallOptions& options) {
  pb::MemberAddRequest message;
  message.mutable_peerurls()->Assign(peer_urls.begin(), peer_urls.end());
  message.set_islearner(is_learner);
  const Unary<pb::MemberAddResponse> call{*core_, Kind::kChange, "/etcdserverpb.Cluster/MemberAdd",
                                          options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return MemberAddResponse{FromProto(answer.header()), FromProto(answer.member()),
                           MembersOf(answer.members())};
}

absl::StatusOr<MemberAddResponse> Client::MemberAdd(const std::vector<std::string>& peer_urls,
                                                    const CallOptions& options) {
  return AddMember(peer_urls, false, options);
}

absl::StatusOr<MemberAddResponse> Client::MemberAddAsLearner(
    const std::vector<std::string>& peer_urls, const CallOptions& options) {
  return AddMember(peer_urls, true, options);
}

absl::StatusOr<MembersResponse> Client::MemberPromote(MemberId id, const CallOptions& options) {
  pb::MemberPromoteRequest message;
  message.set_id(id.value());
  const Unary<pb::MemberPromoteResponse> call{*core_, Kind::kChange,
                                              "/etcdserverpb.Cluster/MemberPromote", options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return MembersResponse{FromProto(answer.header()), MembersOf(answer.members())};
}

absl::StatusOr<MembersResponse> Client::MemberRemove(MemberId id, const CallOptions& options) {
  pb::MemberRemoveRequest message;
  message.set_id(id.value());
  const Unary<pb::MemberRemoveResponse> call{*core_, Kind::kChange,
                                             "/etcdserverpb.Cluster/MemberRemove", options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return MembersResponse{FromProto(answer.header()), MembersOf(answer.members())};
}

absl::StatusOr<MembersResponse> Client::MemberUpdate(MemberId id,
                                                     const std::vector<std::string>& peer_urls,
                                                     const CallOptions& options) {
  pb::MemberUpdateRequest message;
  message.set_id(id.value());
  message.mutable_peerurls()->Assign(peer_urls.begin(), peer_urls.end());
  const Unary<pb::MemberUpdateResponse> call{*core_, Kind::kChange,
                                             "/etcdserverpb.Cluster/MemberUpdate", options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return MembersResponse{FromProto(answer.header()), MembersOf(answer.members())};
}

// ---- Maintenance.

absl::StatusOr<StatusResponse> Client::Status(const CallOptions& options) {
  RETURN_IF_ERROR(core_->NeedsOneEndpoint(options));
  const Unary<pb::StatusResponse> call{*core_, Kind::kRead, "/etcdserverpb.Maintenance/Status",
                                       options};
  ASSIGN_OR_RETURN(auto answer, call(pb::StatusRequest()));
  return FromProto(answer);
}

absl::StatusOr<HashKvResponse> Client::HashKv(Revision revision, const CallOptions& options) {
  RETURN_IF_ERROR(core_->NeedsOneEndpoint(options));
  pb::HashKVRequest message;
  message.set_revision(revision.value());
  const Unary<pb::HashKVResponse> call{*core_, Kind::kRead, "/etcdserverpb.Maintenance/HashKV",
                                       options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return FromProto(answer);
}

absl::Status Client::MoveLeader(MemberId to, const CallOptions& options) {
  RETURN_IF_ERROR(core_->NeedsOneEndpoint(options));
  pb::MoveLeaderRequest message;
  message.set_targetid(to.value());
  const Unary<pb::MoveLeaderResponse> call{*core_, Kind::kChange,
                                           "/etcdserverpb.Maintenance/MoveLeader", options};
  return call(message).status();
}

absl::Status Client::Defragment(const CallOptions& options) {
  RETURN_IF_ERROR(core_->NeedsOneEndpoint(options));
  const Unary<pb::DefragmentResponse> call{*core_, Kind::kChange,
                                           "/etcdserverpb.Maintenance/Defragment", options};
  return call(pb::DefragmentRequest()).status();
}

absl::StatusOr<AlarmsResponse> Client::AlarmList(const CallOptions& options) {
  pb::AlarmRequest message;
  message.set_action(pb::AlarmRequest::GET);
  const Unary<pb::AlarmResponse> call{*core_, Kind::kRead, "/etcdserverpb.Maintenance/Alarm",
                                      options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return FromProto(answer);
}

absl::StatusOr<AlarmsResponse> Client::AlarmDisarm(Alarm alarm, const CallOptions& options) {
  pb::AlarmRequest message;
  message.set_action(pb::AlarmRequest::DEACTIVATE);
  message.set_memberid(alarm.member_id.value());
  message.set_alarm(static_cast<pb::AlarmType>(alarm.type));
  const Unary<pb::AlarmResponse> call{*core_, Kind::kRepeatable, "/etcdserverpb.Maintenance/Alarm",
                                      options};
  ASSIGN_OR_RETURN(auto answer, call(message));
  return FromProto(answer);
}

absl::StatusOr<SnapshotSummary> Client::Snapshot(const SnapshotSink& sink,
                                                 const CallOptions& options) {
  SnapshotSummary summary;
  internal::SnapshotCheck check;
  absl::Status refused;  // by the sink
  const auto attempt = [&](Exchange& exchange) {
    exchange.Send(pb::SnapshotRequest());
    pb::SnapshotResponse piece;
    while (refused.ok() && exchange.Receive(piece)) {
      check.Add(piece.blob());
      summary.version = piece.version();
      refused = sink(piece.blob(), piece.remaining_bytes());
    }
    if (!refused.ok()) exchange.Cancel();
    return exchange.Finish();
  };
  const absl::Status status =
      core_->Call(Kind::kStream, "/etcdserverpb.Maintenance/Snapshot", options, attempt);
  RETURN_IF_ERROR(refused);
  RETURN_IF_ERROR(status);
  summary.size_bytes = check.size_bytes();
  ASSIGN_OR_RETURN(summary.image_sha256, check.Finish());
  return summary;
}

}  // namespace etcd::client
