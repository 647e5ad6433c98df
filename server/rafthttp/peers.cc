#include "server/rafthttp/peers.h"

#include <algorithm>
#include <utility>

#include "server/base/log.h"
#include "server/rafthttp/message_check.h"

namespace etcd::rafthttp {

void Peers::Add(MemberId id, const std::vector<std::string>& urls) {
  if (id == context_.self.id) return;
  if (Peer* const known = Find(id)) return known->SetUrls(urls);
  remotes_.erase(id);
  LOG_INFO("starting remote peer", {"remote-peer-id", base::FormatHex(id.value())});
  context_.observer.OnPeerAdded(id);
  peers_.emplace(id, std::make_unique<Peer>(context_, id, urls));
  LOG_INFO("added remote peer", {"local-member-id", base::FormatHex(context_.self.id.value())},
           {"remote-peer-id", base::FormatHex(id.value())}, {"remote-peer-urls", urls});
}

void Peers::Remove(MemberId id) {
  remotes_.erase(id);
  if (peers_.erase(id) == 0) return;
  context_.observer.OnPeerRemoved(id);
  LOG_INFO("removed remote peer", {"local-member-id", base::FormatHex(context_.self.id.value())},
           {"removed-remote-peer-id", base::FormatHex(id.value())});
}

void Peers::Clear() {
  peers_.clear();
  remotes_.clear();
}

Peer* Peers::Find(MemberId id) {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : found->second.get();
}

void Peers::AddRemote(MemberId id, const std::vector<std::string>& urls) {
  if (id == context_.self.id || peers_.contains(id) || remotes_.contains(id)) return;
  if (remotes_.size() >= context_.options.remotes_max) return;
  LOG_INFO("added new remote peer", {"local-member-id", base::FormatHex(context_.self.id.value())},
           {"remote-peer-id", base::FormatHex(id.value())}, {"remote-peer-urls", urls});
  remotes_.emplace(id, std::make_unique<Remote>(context_, id, urls));
}

void Peers::Send(std::vector<raft::Message> messages) {
  touched_.clear();
  for (raft::Message& message : messages) {
    const MemberId to = message.to;
    const std::string_view type = TypeName(message.type);
    bool sent = true;
    if (Peer* const peer = Find(to)) {
      sent = peer->Send(std::move(message));
      if (std::ranges::find(touched_, peer) == touched_.end()) touched_.push_back(peer);
    } else if (const auto remote = remotes_.find(to); remote != remotes_.end()) {
      sent = remote->second->Send(std::move(message));
    }
    if (sent) continue;
    LOG_DEBUG("dropped internal Raft message since sending buffer is full", {"message-type", type},
              {"remote-peer-id", base::FormatHex(to.value())});
    Dropped(to);
  }
  for (Peer* const peer : touched_) peer->Pump();
}

void Peers::Dropped(MemberId to) {
  context_.observer.OnSendFailed(to);
  context_.receiver.ReportUnreachable(to);
  Peer* const peer = Find(to);
  if (peer != nullptr && peer->link().status.IsNewCause("full")) {
    LOG_WARN("dropped internal Raft messages since sending buffer is full",
             {"local-member-id", base::FormatHex(context_.self.id.value())},
             {"remote-peer-id", base::FormatHex(to.value())});
  }
}

}  // namespace etcd::rafthttp
