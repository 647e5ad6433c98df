#include "server/rafthttp/pipeline.h"

#include <chrono>
#include <string>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/rafthttp/peer_head.h"

namespace etcd::rafthttp {

bool Pipeline::Send(raft::Message message) {
  const TransportOptions& options = link_.context.options;
  if (queue_.size() >= options.pipeline_messages_max || link_.urls.Pick() == nullptr) return false;
  queue_.push_back(std::move(message));
  if (posting_ < options.pipeline_posts) PostNext();
  return true;
}

void Pipeline::PostNext() {
  const config::Url* const url = link_.urls.Pick();
  if (queue_.empty() || url == nullptr) return;
  const Context& context = link_.context;
  HttpClient::Call call;
  call.url = *url;
  call.request.method = "POST";
  call.request.path = "/raft";
  call.request.headers = MakePeerHeaders(context.self);
  call.request.headers.emplace_back("Content-Type", "application/protobuf");
  call.request.body = raftcodec::Encode(queue_.front());
  call.timeout = context.options.read_timeout + context.options.election_timeout;
  call.reuse = HttpClient::Reuse::kAllowed;  // raft does not mind a message that comes twice
  queue_.pop_front();
  ++posting_;
  const std::size_t bytes = call.request.body.size();
  context.client.Send(std::move(call), [this, alive = alive_, url = *url,
                                        bytes](const absl::StatusOr<ports::PeerReply>& reply) {
    if (*alive) OnReply(url, bytes, reply);
  });
}

void Pipeline::OnReply(const config::Url& url, std::size_t bytes,
                       const absl::StatusOr<ports::PeerReply>& reply) {
  --posting_;
  if (!reply.ok()) {
    Failed(url, base::MessageOf(reply.status()));
  } else if (reply->status == 204) {
    link_.context.observer.OnSent(link_.id, bytes);
    link_.status.Activate();
  } else {
    if (reply->status == 403) link_.context.receiver.OnRemovedByPeers();
    Failed(url, "unexpected http status " + std::to_string(reply->status) + ": " + reply->body);
  }
  PostNext();
}

void Pipeline::Failed(const config::Url& url, std::string_view why) {
  link_.urls.Failed(url);
  link_.status.Deactivate("failed to write " + base::FormatHex(link_.id.value()) +
                          " on pipeline (" + std::string(why) + ")");
  link_.context.observer.OnSendFailed(link_.id);
  link_.context.receiver.ReportUnreachable(link_.id);
}

}  // namespace etcd::rafthttp
