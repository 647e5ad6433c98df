#include "server/api/http/peer_handler.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/api/http/peer_leases.h"
#include "server/api/http/reply.h"
#include "server/base/status.h"
#include "server/membership/member.h"
#include "server/node/versions.h"

namespace etcd::api::http {
namespace {

constexpr std::string_view kPromotePath = "/members/promote/";
constexpr int kFirstMinorWithStorageVersion = 6;

std::string EncodeList(const std::vector<node::MemberInfo>& members) {
  membership::View view;
  for (const node::MemberInfo& m : members) {
    view.members[m.id] = {m.id, m.peer_urls, m.is_learner, m.name, m.client_urls};
  }
  return membership::EncodeMembers(view) + "\n";
}

std::optional<node::ReadmitRequest> ParseRebuild(std::string_view body) {
  const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("id") || !json["id"].is_number_unsigned()) {
    return std::nullopt;
  }
  node::ReadmitRequest out;
  out.id = MemberId(json["id"].get<std::uint64_t>());
  const auto urls = json.find("peerURLs");
  if (urls == json.end() || !urls->is_array() || urls->empty()) return std::nullopt;
  for (const auto& url : *urls) {
    if (!url.is_string()) return std::nullopt;
    out.peer_urls.push_back(url.get<std::string>());
  }
  const auto resumes = json.find("resumes");
  out.resumes = resumes != json.end() && resumes->is_boolean() && resumes->get<bool>();
  return out;
}

class PeerHandler final : public base::HttpHandler {
 public:
  explicit PeerHandler(PeerDeps deps)
      : deps_(std::move(deps)), cluster_id_(base::FormatHex(deps_.node.cluster_id().value())) {}

  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    const std::string& path = request.path;
    if (path == "/version") return ServeVersion(request, *responder);
    if (path == "/members") return ServeMembers(request, *responder);
    if (path == "/members/hashkv") return ServeHash(request, std::move(responder));
    if (path.starts_with(kPromotePath)) return ServePromotion(request, std::move(responder));
    if (path == "/members/rebuild" && deps_.member != nullptr)
      return ServeRebuild(request, std::move(responder));
    if (path == "/leases") return ServeLeaseRenewal(deps_, request, std::move(responder));
    if (path == "/leases/internal") {
      return ServeLeaseTimeToLive(deps_, request, std::move(responder));
    }
    if (path == "/downgrade/enabled") return ServeDowngrade(request, std::move(responder));
    ReplyNotFound(*responder);
  }

 private:
  std::pair<std::string, std::string> ClusterHeader() const {
    return {"X-Etcd-Cluster-ID", cluster_id_};
  }

  void ServeVersion(const base::HttpRequest& request, base::HttpResponder& responder) const;
  void ServeMembers(const base::HttpRequest& request, base::HttpResponder& responder) const;
  void ServeHash(const base::HttpRequest& request, base::HttpResponderPtr responder) const;
  void AnswerHash(Revision at, base::HttpResponder& responder) const;
  void ServePromotion(const base::HttpRequest& request, base::HttpResponderPtr responder) const;
  void RefusePromotion(const absl::Status& status, base::HttpResponder& responder) const;
  void RefuseRebuild(const absl::Status& status, base::HttpResponder& responder) const;
  void ServeRebuild(const base::HttpRequest& request, base::HttpResponderPtr responder) const;
  void ServeDowngrade(const base::HttpRequest& request, base::HttpResponderPtr responder) const;

  const PeerDeps deps_;
  const std::string cluster_id_;
};

// What this member reports follows the cluster version; members of the same make look at the field
// that others ignore, and so know when the whole cluster could do more.
void PeerHandler::ServeVersion(const base::HttpRequest& request,
                               base::HttpResponder& responder) const {
  if (!RequireGet(request, responder)) return;
  const std::string cluster = deps_.node.ClusterVersion();
  const std::string reported = deps_.node.ReportedVersion();
  std::string body = "{\"etcdserver\":\"" + reported + "\",\"etcdcluster\":\"" +
                     (cluster.empty() ? "not_decided" : cluster) + "\"";
  // Members of the versions before that do not have it.
  if (node::MinorOf(reported) >= kFirstMinorWithStorageVersion) {
    const std::string storage = deps_.node.StorageVersion();
    body += ",\"storage\":\"" + (storage.empty() ? "unknown" : storage) + "\"";
  }
  body += std::string(",\"") + node::kTrueVersionKey + "\":\"" + deps_.server_version + "\"}";
  responder.Reply(200, {{"Content-Type", "application/json"}}, std::move(body));
}

void PeerHandler::ServeMembers(const base::HttpRequest& request,
                               base::HttpResponder& responder) const {
  if (!RequireGet(request, responder)) return;
  responder.Reply(200, {ClusterHeader(), {"Content-Type", "application/json"}},
                  EncodeList(deps_.node.Members()));
}

// GET with a body {"revision":N}; 0 or absent: the head.
void PeerHandler::ServeHash(const base::HttpRequest& request,
                            base::HttpResponderPtr responder) const {
  if (!RequireGet(request, *responder)) return;
  const std::string_view asked = request.Header("x-etcd-cluster-id");
  if (!asked.empty() && asked != cluster_id_) {
    return ReplyError(*responder, 412, "cluster ID mismatch", {ClusterHeader()});
  }
  const auto json = nlohmann::json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  const auto revision = json.is_object() ? json.find("revision") : json.end();
  const bool given = json.is_object() && revision != json.end();
  if (!json.is_object() || (given && !revision->is_number_integer())) {
    return ReplyError(*responder, 400, "error unmarshalling request");
  }
  const Revision at(given ? revision->get<std::int64_t>() : 0);
  deps_.bulk.Post([this, at, responder = std::move(responder)] { AnswerHash(at, *responder); });
}

void PeerHandler::AnswerHash(Revision at, base::HttpResponder& responder) const {
  const absl::StatusOr<mvcc::HashResult> hash = deps_.store.HashKv(at);
  if (!hash.ok()) {
    const auto errc = ErrcOf(hash.status());
    const std::string_view why =
        errc == Errc::kCompacted        ? "mvcc: required revision has been compacted"
        : errc == Errc::kFutureRevision ? "mvcc: required revision is a future revision"
                                        : base::MessageOf(hash.status());
    return ReplyError(responder, 400, std::string(why), {ClusterHeader()});
  }
  std::string body = "{\"header\":{\"revision\":" + std::to_string(hash->current.value()) + "}";
  const auto add = [&](const char* name, std::int64_t value) {
    if (value != 0) body += std::string(",\"") + name + "\":" + std::to_string(value);
  };
  add("hash", hash->hash);
  add("compact_revision", hash->compact_revision.value());
  add("hash_revision", hash->hash_revision.value());
  responder.Reply(200, {ClusterHeader(), {"Content-Type", "application/json"}}, body + "}");
}

void PeerHandler::ServePromotion(const base::HttpRequest& request,
                                 base::HttpResponderPtr responder) const {
  if (request.method != "POST") {
    return ReplyError(*responder, 405, "Method Not Allowed", {{"Allow", "POST"}});
  }
  const std::string_view text = std::string_view(request.path).substr(kPromotePath.size());
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return ReplyError(*responder, 404, "member " + std::string(text) + " not found in cluster",
                      {ClusterHeader()});
  }
  deps_.node.PromoteMember(
      MemberId(id), {},
      [this, responder](const absl::StatusOr<std::vector<node::MemberInfo>>& members) {
        if (!members.ok()) return RefusePromotion(members.status(), *responder);
        responder->Reply(200, {ClusterHeader(), {"Content-Type", "application/json"}},
                         EncodeList(*members));
      });
}

// The asking member tells the cases apart by code and text.
void PeerHandler::RefusePromotion(const absl::Status& status,
                                  base::HttpResponder& responder) const {
  switch (ErrcOf(status).value_or(Errc::kOk)) {
    case Errc::kMemberNotFound:
      return ReplyError(responder, 404, "membership: ID not found", {ClusterHeader()});
    case Errc::kMemberNotLearner:
      return ReplyError(responder, 412, "membership: can only promote a learner member",
                        {ClusterHeader()});
    case Errc::kLearnerNotReady:
      return ReplyError(responder, 412, std::string(base::MessageOf(status)), {ClusterHeader()});
    default:
      return responder.Reply(500, {ClusterHeader(), {"Content-Type", "application/json"}},
                             "{\"message\":\"Internal Server Error\"}");
  }
}

// Ours: {"id":1,"peerURLs":["http://h:2380"],"resumes":false} from a member whose data is damaged
// (node/readmission.h) -> {"id":2,"members":[...]}, 503 from others than the leader, 412 with the
// reason why not. The cluster's id is required: this removes a member.
void PeerHandler::ServeRebuild(const base::HttpRequest& request,
                               base::HttpResponderPtr responder) const {
  if (request.method != "POST") {
    return ReplyError(*responder, 405, "Method Not Allowed", {{"Allow", "POST"}});
  }
  if (request.Header("x-etcd-cluster-id") != cluster_id_) {
    return ReplyError(*responder, 412, "cluster ID mismatch", {ClusterHeader()});
  }
  const auto parsed = ParseRebuild(request.body);
  if (!parsed.has_value()) return ReplyError(*responder, 400, "error unmarshalling request");
  deps_.member->Readmit(*parsed, [this, responder](const absl::StatusOr<node::AddedMember>& added) {
    if (!added.ok()) return RefuseRebuild(added.status(), *responder);
    responder->Reply(200, {ClusterHeader(), {"Content-Type", "application/json"}},
                     "{\"id\":" + std::to_string(added->member.id.value()) +
                         ",\"members\":" + EncodeList(added->members) + "}");
  });
}

void PeerHandler::RefuseRebuild(const absl::Status& status, base::HttpResponder& responder) const {
  const auto errc = ErrcOf(status);
  const int code = errc == Errc::kNotLeader                                 ? 503
                   : errc == Errc::kMemberNotFound                          ? 404
                   : status.code() == absl::StatusCode::kFailedPrecondition ? 412
                                                                            : 500;
  ReplyError(responder, code, std::string(base::MessageOf(status)), {ClusterHeader()});
}

void PeerHandler::ServeDowngrade(const base::HttpRequest& request,
                                 base::HttpResponderPtr responder) const {
  if (!RequireGet(request, *responder)) return;
  deps_.node.ReadIndex([this, responder = std::move(responder)](const absl::Status& status) {
    if (!status.ok()) {
      return ReplyError(*responder, 500, "failed linearized read: context deadline exceeded",
                        {ClusterHeader()});
    }
    responder->Reply(200, {ClusterHeader(), {"Content-Type", "text/plain"}},
                     deps_.node.Downgrade().enabled ? "true" : "false");
  });
}

}  // namespace

std::unique_ptr<base::HttpHandler> MakePeerHandler(PeerDeps deps) {
  return std::make_unique<PeerHandler>(std::move(deps));
}

}  // namespace etcd::api::http
