// What a member and the others of its cluster have to do with each other, apart from raft.
#include <chrono>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/install.h"
#include "server/node/member_impl.h"

namespace etcd::node {
namespace {

// As etcd: from the removal of this member to its end.
constexpr std::chrono::seconds kRemovedDelay(1);

}  // namespace

void MemberImpl::Receive(std::vector<raft::Message> messages) {
  // A kSnap comes with a database, through ReceiveSnapshot only.
  std::erase_if(messages,
                [](const raft::Message& m) { return m.type == raft::MessageType::kSnap; });
  if (!messages.empty()) raft_->inbox().Put(std::move(messages));
}

absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> MemberImpl::ReceiveSnapshot(
    raft::Message message) {
  if (message.type != raft::MessageType::kSnap || message.snapshot.empty()) {
    return base::MakeStatus(absl::StatusCode::kInvalidArgument, "wrong raft message type");
  }
  return ReceiveImage(shared_, std::move(message), [this](raft::Message received) {
    std::vector<raft::Message> one;
    one.push_back(std::move(received));
    raft_->inbox().Put(std::move(one));
  });
}

// The .snap file is the snapshot thread's, the log the raft thread's.
void MemberImpl::SaveReceived(const raft::Snapshot& snapshot) {
  snapshots_->SaveReceived(snapshot, [this] { raft_->OnReceivedSaved(); });
}

void MemberImpl::InstallSnapshot(const raft::SnapshotMetadata& metadata) {
  apply_->EnqueueStep([this, metadata] {
    if (!Install(shared_, *apply_, metadata)) return false;
    snapshots_->OnInstalled(metadata.index);
    return true;
  });
}

void MemberImpl::OnInstalled(Index) {
  duties_->OnMembersChanged();
  ConnectPeers();
  if (shared_.cluster.view()->removed.contains(shared_.id)) OnRemovedByPeers();
}

void MemberImpl::OnRemovedByPeers() {
  if (removed_.exchange(true)) return;
  LOG_WARN("the member has been permanently removed from the cluster",
           {"local-member-id", base::FormatHex(shared_.id.value())});
  if (shared_.ports.removed) shared_.ports.removed();
}

// The view may be ahead of the change that is the reason for the call, never behind it.
void MemberImpl::ConnectPeers() {
  const membership::ViewPtr view = shared_.cluster.view();
  if (view->members.empty()) return ConnectToJoined();
  for (const auto& [id, member] : view->members) {
    if (id == shared_.id) continue;
    std::vector<std::string>& urls = peers_[id];
    if (urls == member.peer_urls) continue;
    urls = member.peer_urls;
    shared_.ports.peers.AddPeer(id, urls);
  }
  std::erase_if(peers_, [&](const auto& peer) {
    if (view->Find(peer.first) != nullptr) return false;
    shared_.ports.peers.RemovePeer(peer.first);
    return true;
  });
}

// Until a joiner knows the cluster from the log, it knows whom it was told.
void MemberImpl::ConnectToJoined() {
  if (!shared_.options.joins.has_value()) return;
  for (const membership::Member& member : shared_.options.joins->members) {
    if (member.id == shared_.id) continue;
    peers_[member.id] = member.peer_urls;
    shared_.ports.peers.AddPeer(member.id, member.peer_urls);
  }
}

void MemberImpl::OnConfChange(const raft::ConfChange& change) {
  duties_->OnMembersChanged();
  ConnectPeers();
  if (change.type != raft::ConfChangeType::kRemoveNode || change.node_id != shared_.id) return;
  // Not at once: the others may need this member to learn that the change is committed.
  shared_.ports.raft.PostAfter(kRemovedDelay, [this] { OnRemovedByPeers(); });
}

}  // namespace etcd::node
