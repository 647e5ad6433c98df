#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "server/config/urls.h"
#include "server/net/loop.h"
#include "server/ports/peer_receiver.h"
#include "server/rafthttp/dialer.h"
#include "server/rafthttp/http_client.h"
#include "server/rafthttp/observer.h"
#include "server/rafthttp/options.h"
#include "server/rafthttp/peer_status.h"

// What the parts of a link to one peer share.
namespace etcd::rafthttp {

// Of the whole transport, once it has been started. Loop thread only.
struct Context {
  net::Loop& loop;
  const Dialing& dialing;
  const TransportOptions& options;
  const Identity& self;
  ports::PeerReceiver& receiver;
  Observer& observer;
  HttpClient& client;
  StatusBoard& board;
};

// The URLs of a peer; one is used until it fails, then the next (raft-peer-storage.md 3.1).
class UrlPicker {
 public:
  explicit UrlPicker(const std::vector<std::string>& urls) { Set(urls); }

  // URLs that cannot be dialed are left out.
  void Set(const std::vector<std::string>& urls) {
    urls_.clear();
    picked_ = 0;
    for (const std::string& text : urls) {
      if (auto url = config::ParseUrl(text); url.ok()) urls_.push_back(*std::move(url));
    }
    std::ranges::sort(urls_, {}, &config::Url::ToString);
  }
  // Null: there is none.
  const config::Url* Pick() const { return urls_.empty() ? nullptr : &urls_[picked_]; }
  // Reports about one that is not picked any more change nothing.
  void Failed(const config::Url& url) {
    if (!urls_.empty() && urls_[picked_] == url) picked_ = (picked_ + 1) % urls_.size();
  }

 private:
  config::UrlList urls_;
  std::size_t picked_ = 0;
};

// The parts of one peer see each other through this. Outlives them.
struct Link {
  Link(const Context& shared, MemberId peer, const std::vector<std::string>& peer_urls)
      : context(shared), id(peer), urls(peer_urls), status(peer, shared.board, shared.observer) {}

  const Context& context;
  const MemberId id;
  UrlPicker urls;
  PeerStatus status;
};

// Hands the messages that a peer sent to the node, without those that it must not see: of another
// receiver, of removed members, of types that are not for peers.
void Deliver(const Context& context, MemberId sender, std::vector<raft::Message> messages);

}  // namespace etcd::rafthttp
