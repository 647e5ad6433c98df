#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/rafthttp/message_check.h"
#include "server/rafthttp/server_session.h"

// The requests of the raft protocol (raft-peer-storage.md 3.3, 3.4, 3.8): checks in etcd's order,
// with its status codes and texts.
namespace etcd::rafthttp {
namespace {

std::string Hex(MemberId id) { return base::FormatHex(id.value()); }

void AddClusterId(const Context& context, Answer& answer) {
  answer.headers.emplace_back("X-Etcd-Cluster-Id",
                              base::FormatHex(context.self.cluster_id.value()));
}

}  // namespace

PeerHead ServerSession::Head() const {
  return ReadPeerHead([&](std::string_view name) { return parser_->Header(name); });
}

// Whose refusals are counted together: posts apart from streams, since one kind may be accepted
// while the other is refused, again and again. Without a name, by address without the port.
std::string ServerSession::Sender(const PeerHead& head) const {
  const std::string_view peer = connection_->peer();
  const std::string_view from =
      head.from.empty() ? peer.substr(0, peer.rfind(':')) : head.from.substr(0, 32);
  return std::string(from) + (path_.starts_with("/raft/stream/") ? " stream" : " post");
}

void ServerSession::LogRefused(std::string_view message, std::string_view cause) {
  const PeerHead head = Head();
  if (!server_.IsNewCause(Sender(head), cause)) return;
  const Identity& self = server_.context().self;
  LOG_WARN(message, {"local-member-id", Hex(self.id)},
           {"local-member-cluster-id", base::FormatHex(self.cluster_id.value())},
           {"local-member-server-version", self.server_version()},
           {"remote-peer-server-from", head.from.substr(0, 32)},
           {"remote-peer-cluster-id", head.cluster_id.substr(0, 32)},
           {"remote-peer-server-version", head.server_version.substr(0, 32)},
           {"remote-address", connection_->peer()}, {"error", cause});
}

// False: refused, or the connection is gone.
bool ServerSession::CheckCompatibility(const PeerHead& head) {
  const Compatibility found = CheckPeer(head, server_.context().self);
  if (found == Compatibility::kGood) return true;
  if (found == Compatibility::kAbort) {
    LogRefused("failed to check version compatibility", "malformed version");
    Close();
    server_.Remove(this);
    return false;
  }
  Answer answer = RefusedFor(found);
  if (found == Compatibility::kOtherCluster) {
    LogRefused("request cluster ID mismatch", "cluster ID mismatch");
  } else {
    LogRefused("failed to check version compatibility", "incompatible version");
  }
  AddClusterId(server_.context(), answer);
  Refuse(std::move(answer));
  return false;
}

// So that somebody who is not known as a member yet gets answers.
void ServerSession::AddRemote(const PeerHead& head) {
  const auto from = ParseHexId(head.from);
  if (!from || head.urls.empty()) return;
  const auto urls = ParsePeerUrls(head.urls);
  if (urls) return server_.peers().AddRemote(MemberId(*from), *urls);
  LogRefused("request with malformed peer URLs", "malformed peer URLs");
  Close();  // as Go does
  server_.Remove(this);
}

Answer ServerSession::TakeMessage() {
  const Context& context = server_.context();
  Answer answer;
  auto message = DecodeFromPeer(body_, Channel::kStream);
  if (!message.ok()) {
    LogRefused("failed to unmarshal Raft message", base::MessageOf(message.status()));
    context.observer.OnReceiveFailed(connection_->peer());
    answer = ErrorAnswer(400, "error unmarshalling raft message");
  } else if (message->to != context.self.id || context.receiver.IsRemoved(message->from)) {
    LogRefused("failed to process Raft message",
               message->to != context.self.id ? "cannot process message to mismatch member"
                                              : "cannot process message from removed member");
    answer = ErrorAnswer(500, "error processing raft message");
    answer.close = true;
  } else {
    context.observer.OnReceived(message->from, body_.size());
    answer.status = 204;
    server_.Accepted(Sender(Head()));
    const MemberId from = message->from;
    std::vector<raft::Message> messages;
    messages.push_back(*std::move(message));
    Deliver(context, from, std::move(messages));
  }
  AddClusterId(context, answer);
  return answer;
}

std::optional<Answer> ServerSession::CheckStream(const PeerHead& head, const StreamPath& path) {
  if (!CheckCompatibility(head)) return std::exchange(refusal_, std::nullopt);
  if (!path.kind) return ErrorAnswer(404, "invalid path");
  if (!path.from) return ErrorAnswer(404, "invalid from");
  const Context& context = server_.context();
  if (context.receiver.IsRemoved(*path.from)) {
    LogRefused("rejected stream from remote peer because it was removed", "removed member");
    return ErrorAnswer(410, "removed member");
  }
  if (server_.peers().Find(*path.from) == nullptr) {
    LogRefused("failed to find remote peer in cluster", "error sender not found");
    AddRemote(head);
    return ErrorAnswer(404, "error sender not found");
  }
  if (head.to != Hex(context.self.id)) {
    LogRefused("ignored streaming request; ID mismatch", "to field mismatch");
    return ErrorAnswer(412, "to field mismatch");
  }
  return std::nullopt;
}

void ServerSession::AnswerStream() {
  const Context& context = server_.context();
  const StreamPath path = ParseStreamPath(path_);
  std::optional<Answer> refused = CheckStream(Head(), path);
  if (connection_ == nullptr) return;
  const Headers own = {{"X-Etcd-Cluster-Id", base::FormatHex(context.self.cluster_id.value())},
                       {"X-Server-Version", context.self.server_version()}};
  if (refused) {
    std::erase_if(refused->headers, [](const auto& h) { return h.first == "X-Etcd-Cluster-Id"; });
    refused->headers.insert(refused->headers.end(), own.begin(), own.end());
    return Reply(*std::move(refused));
  }
  server_.Accepted(Sender(Head()));
  ConnectionPtr connection = std::exchange(connection_, nullptr);
  server_.Remove(this);
  server_.peers()
      .Find(*path.from)
      ->Attach(*path.kind, std::move(connection),
               ResponseHead(200, own, /*length=*/std::nullopt, /*keep_alive=*/true));
}

void ServerSession::HandOverSnapshot(std::string_view rest) {
  deadline_.Disarm();
  SnapshotReceiver::Request request;
  request.parser = std::move(parser_);
  request.parser->SetSink(nullptr);
  request.input = rest;
  request.peer = connection_->peer();
  request.stream = std::exchange(connection_, nullptr)->Release();
  server_.Remove(this);
  server_.snapshots().Start(std::move(request));
}

}  // namespace etcd::rafthttp
