#include "client/client.h"

#include <utility>

#include "client/internal/convert.h"
#include "client/internal/core.h"
#include "client/internal/snapshot_check.h"
#include "server/base/status.h"

namespace etcd::client {

namespace pb = etcdserverpb;
using internal::Channel;
using internal::FromProto;
using internal::Kind;
using internal::MembersOf;
using internal::ToProto;

namespace {

struct Caller {
  internal::Core& core;
  Kind kind;
  const CallOptions& options;

  // One unary call: this method of this stub.
  template <typename Stub, typename Request, typename Answer>
  absl::StatusOr<Answer> operator()(std::unique_ptr<Stub> Channel::*stub,
                                    grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                 const Request&, Answer*),
                                    const Request& request) const {
    Answer answer;
    RETURN_IF_ERROR(
        core.Call(kind, options, [&](const Channel& channel, grpc::ClientContext& context) {
          answer.Clear();
          return ((*(channel.*stub)).*method)(&context, request, &answer);
        }));
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
  const Caller call{*core_, Kind::kRead, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::kv, &pb::KV::Stub::Range, ToProto(request)));
  return FromProto(answer);
}

absl::StatusOr<PutResponse> Client::Put(const PutRequest& request, const CallOptions& options) {
  const Caller call{*core_, Kind::kChange, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::kv, &pb::KV::Stub::Put, ToProto(request)));
  return FromProto(answer);
}

absl::StatusOr<DeleteResponse> Client::Delete(const DeleteRequest& request,
                                              const CallOptions& options) {
  const Caller call{*core_, Kind::kChange, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::kv, &pb::KV::Stub::DeleteRange, ToProto(request)));
  return FromProto(answer);
}

absl::StatusOr<TxnResponse> Client::Txn(const TxnRequest& request, const CallOptions& options) {
  const Caller call{*core_, Kind::kChange, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::kv, &pb::KV::Stub::Txn, ToProto(request)));
  return FromProto(answer);
}

absl::StatusOr<CompactResponse> Client::Compact(Revision revision, bool physical,
                                                const CallOptions& options) {
  pb::CompactionRequest message;
  message.set_revision(revision.value());
  message.set_physical(physical);
  const Caller call{*core_, Kind::kChange, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::kv, &pb::KV::Stub::Compact, message));
  return CompactResponse{FromProto(answer.header())};
}

// ---- Cluster.

absl::StatusOr<MembersResponse> Client::MemberList(Consistency consistency,
                                                   const CallOptions& options) {
  pb::MemberListRequest message;
  message.set_linearizable(consistency == Consistency::kLinearizable);
  const Caller call{*core_, Kind::kRead, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::cluster, &pb::Cluster::Stub::MemberList, message));
  return MembersResponse{FromProto(answer.header()), MembersOf(answer.members())};
}

absl::StatusOr<MemberAddResponse> Client::AddMember(const std::vector<std::string>& peer_urls,
                                                    bool is_learner, const CallOptions& options) {
  pb::MemberAddRequest message;
  message.mutable_peerurls()->Assign(peer_urls.begin(), peer_urls.end());
  message.set_islearner(is_learner);
  const Caller call{*core_, Kind::kChange, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::cluster, &pb::Cluster::Stub::MemberAdd, message));
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
  const Caller call{*core_, Kind::kChange, options};
  ASSIGN_OR_RETURN(auto answer,
                   call(&Channel::cluster, &pb::Cluster::Stub::MemberPromote, message));
  return MembersResponse{FromProto(answer.header()), MembersOf(answer.members())};
}

absl::StatusOr<MembersResponse> Client::MemberRemove(MemberId id, const CallOptions& options) {
  pb::MemberRemoveRequest message;
  message.set_id(id.value());
  const Caller call{*core_, Kind::kChange, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::cluster, &pb::Cluster::Stub::MemberRemove, message));
  return MembersResponse{FromProto(answer.header()), MembersOf(answer.members())};
}

absl::StatusOr<MembersResponse> Client::MemberUpdate(MemberId id,
                                                     const std::vector<std::string>& peer_urls,
                                                     const CallOptions& options) {
  pb::MemberUpdateRequest message;
  message.set_id(id.value());
  message.mutable_peerurls()->Assign(peer_urls.begin(), peer_urls.end());
  const Caller call{*core_, Kind::kChange, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::cluster, &pb::Cluster::Stub::MemberUpdate, message));
  return MembersResponse{FromProto(answer.header()), MembersOf(answer.members())};
}

// ---- Maintenance.

absl::StatusOr<StatusResponse> Client::Status(const CallOptions& options) {
  RETURN_IF_ERROR(core_->NeedsOneEndpoint(options));
  const Caller call{*core_, Kind::kRead, options};
  ASSIGN_OR_RETURN(auto answer, call(&Channel::maintenance, &pb::Maintenance::Stub::Status,
                                     pb::StatusRequest()));
  return FromProto(answer);
}

absl::StatusOr<HashKvResponse> Client::HashKv(Revision revision, const CallOptions& options) {
  RETURN_IF_ERROR(core_->NeedsOneEndpoint(options));
  pb::HashKVRequest message;
  message.set_revision(revision.value());
  const Caller call{*core_, Kind::kRead, options};
  ASSIGN_OR_RETURN(auto answer,
                   call(&Channel::maintenance, &pb::Maintenance::Stub::HashKV, message));
  return FromProto(answer);
}

absl::Status Client::MoveLeader(MemberId to, const CallOptions& options) {
  RETURN_IF_ERROR(core_->NeedsOneEndpoint(options));
  pb::MoveLeaderRequest message;
  message.set_targetid(to.value());
  const Caller call{*core_, Kind::kChange, options};
  return call(&Channel::maintenance, &pb::Maintenance::Stub::MoveLeader, message).status();
}

absl::Status Client::Defragment(const CallOptions& options) {
  RETURN_IF_ERROR(core_->NeedsOneEndpoint(options));
  const Caller call{*core_, Kind::kChange, options};
  return call(&Channel::maintenance, &pb::Maintenance::Stub::Defragment, pb::DefragmentRequest())
      .status();
}

absl::StatusOr<AlarmsResponse> Client::AlarmList(const CallOptions& options) {
  pb::AlarmRequest message;
  message.set_action(pb::AlarmRequest::GET);
  const Caller call{*core_, Kind::kRead, options};
  ASSIGN_OR_RETURN(auto answer,
                   call(&Channel::maintenance, &pb::Maintenance::Stub::Alarm, message));
  return FromProto(answer);
}

absl::StatusOr<AlarmsResponse> Client::AlarmDisarm(Alarm alarm, const CallOptions& options) {
  pb::AlarmRequest message;
  message.set_action(pb::AlarmRequest::DEACTIVATE);
  message.set_memberid(alarm.member_id.value());
  message.set_alarm(static_cast<pb::AlarmType>(alarm.type));
  const Caller call{*core_, Kind::kRepeatable, options};
  ASSIGN_OR_RETURN(auto answer,
                   call(&Channel::maintenance, &pb::Maintenance::Stub::Alarm, message));
  return FromProto(answer);
}

absl::StatusOr<SnapshotSummary> Client::Snapshot(const SnapshotSink& sink,
                                                 const CallOptions& options) {
  SnapshotSummary summary;
  internal::SnapshotCheck check;
  absl::Status refused;  // by the sink
  const auto attempt = [&](const Channel& channel, grpc::ClientContext& context) {
    const auto reader = channel.maintenance->Snapshot(&context, pb::SnapshotRequest());
    pb::SnapshotResponse piece;
    while (refused.ok() && reader->Read(&piece)) {
      check.Add(piece.blob());
      summary.version = piece.version();
      refused = sink(piece.blob(), piece.remaining_bytes());
    }
    if (!refused.ok()) context.TryCancel();
    return reader->Finish();
  };
  const absl::Status status = core_->Call(Kind::kStream, options, attempt);
  RETURN_IF_ERROR(refused);
  RETURN_IF_ERROR(status);
  summary.size_bytes = check.size_bytes();
  ASSIGN_OR_RETURN(summary.image_sha256, check.Finish());
  return summary;
}

}  // namespace etcd::client
