#include "server/rafthttp/server.h"

#include <algorithm>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/rafthttp/server_session.h"
#include "server/rafthttp/url_stream.h"

namespace etcd::rafthttp {
namespace {

constexpr std::size_t kSendersMax = 1024;  // with refusals; they choose their names

}  // namespace

Server::~Server() { Close(); }

absl::StatusOr<std::vector<std::uint16_t>> Server::Listen() {
  std::vector<std::uint16_t> ports;
  for (const config::Url& url : options_.listen_urls) {
    RETURN_IF_ERROR(CheckScheme(url));
    ASSIGN_OR_RETURN(const net::Endpoint endpoint, EndpointOf(url));
    ASSIGN_OR_RETURN(auto listener,
                     net::Listener::Open(loop_, endpoint, {.reuse_port = options_.reuse_port}));
    ports.push_back(listener->port());
    listeners_.push_back(std::move(listener));
  }
  return ports;
}

void Server::Start(Peers& peers, SnapshotReceiver& snapshots, base::HttpHandler* other) {
  peers_ = &peers;
  snapshots_ = &snapshots;
  other_ = other;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    listeners_[i]->Start(
        [this, &url = options_.listen_urls[i]](int descriptor, std::string peer) {
          auto stream = MakeServerStream(descriptor, url);
          if (stream.ok()) Serve(*std::move(stream), std::move(peer));
        },
        [this] { return HasRoom(); });
  }
}

void Server::Close() {
  listeners_.clear();
  const auto sessions = std::exchange(sessions_, {});
  for (const auto& session : sessions) session->Close();
}

void Server::Serve(std::unique_ptr<net::ByteStream> stream, std::string peer) {
  if (sessions_.size() >= options_.connections_max) CloseOldestIdle();
  auto session = std::make_shared<ServerSession>(
      *this, std::make_shared<Connection>(loop_, std::move(stream), options_.write_timeout,
                                          std::move(peer)));
  sessions_.push_back(session);
  session->Start();
}

void Server::Remove(ServerSession* session) {
  const auto found =
      std::ranges::find_if(sessions_, [&](const auto& other) { return other.get() == session; });
  if (found != sessions_.end()) sessions_.erase(found);
}

// Asked before anybody is known to be there, so it closes nothing.
bool Server::HasRoom() const {
  return sessions_.size() < options_.connections_max ||
         std::ranges::any_of(sessions_, [](const auto& session) { return session->half_open(); });
}

void Server::CloseOldestIdle() {
  const auto idle =
      std::ranges::find_if(sessions_, [](const auto& session) { return session->half_open(); });
  if (idle == sessions_.end()) return;
  (*idle)->Close();
  sessions_.erase(idle);
}

bool Server::TakeBodyBytes(std::size_t bytes) {
  if (bytes > options_.bodies_bytes_max - body_bytes_) return false;
  body_bytes_ += bytes;
  return true;
}

bool Server::IsNewCause(const std::string& sender, std::string_view cause) {
  if (causes_.size() >= kSendersMax) causes_.clear();
  return causes_[sender].Add(cause);
}

}  // namespace etcd::rafthttp
