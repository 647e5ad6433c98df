#include "fake_etcd.h"

#include <algorithm>

#include "server/base/errc.h"

namespace etcd::loop {
namespace {

constexpr ClusterId kCluster{0xabc};

}  // namespace

void FakeEtcd::Run(const std::map<std::string, Server>& servers) {
  const std::lock_guard lock(mu_);
  for (const auto& [url, server] : servers) {
    const auto before = running_.find(url);
    if (before == running_.end() || before->second.volume != server.volume) Start(server);
  }
  running_ = servers;
  Elect();
}

void FakeEtcd::Start(const Server& server) {
  Member* member = ByPeerUrl(server.peer_url);
  const bool has_data = member != nullptr && member->has_started && member->volume == server.volume;
  if (has_data) return;
  if (server.is_new_cluster) {
    if (!members_.empty()) faults.push_back("a second cluster: " + server.name);
    members_.push_back(
        {MemberId(next_id_++), server.name, server.peer_url, server.volume, false, true});
    return;
  }
  if (member == nullptr) return;  // it stops by itself: not in the list
  if (member->has_started) {
    faults.push_back("a member starts on an empty volume: " + server.name);
    return;
  }
  const auto entries = std::ranges::count(server.initial_cluster, '=');
  const bool is_right = server.initial_cluster.find(server.name + "=") != std::string::npos &&
                        static_cast<std::size_t>(entries) == members_.size();
  if (!is_right) return;  // "member count is unequal"
  member->name = server.name;
  member->volume = server.volume;
  member->has_started = true;
}

void FakeEtcd::UpdatePeerUrl(const std::string& name, const std::string& url) {
  const std::lock_guard lock(mu_);
  const auto found = std::ranges::find(members_, name, &Member::name);
  if (found != members_.end()) found->peer_url = url;
}

MemberId FakeEtcd::AddForeign(const std::string& url) {
  const std::lock_guard lock(mu_);
  members_.push_back({MemberId(next_id_++), "", url, "", true, false});
  return members_.back().id;
}

void FakeEtcd::RemoveByHand(const std::string& name) {
  const std::lock_guard lock(mu_);
  std::erase_if(members_, [&](const Member& one) { return one.name == name; });
  Elect();
}

void FakeEtcd::Forget() {
  const std::lock_guard lock(mu_);
  members_.clear();
  running_.clear();
  leader_ = {};
}

void FakeEtcd::Silence(const std::string& name, bool is_silent) {
  const std::lock_guard lock(mu_);
  silent_[name] = is_silent;
  Elect();
}

bool FakeEtcd::IsUp(const Member& member) const {
  if (!member.has_started) return false;
  const auto silent = silent_.find(member.name);
  if (silent != silent_.end() && silent->second) return false;
  return std::ranges::any_of(running_, [&](const auto& one) {
    return one.second.name == member.name && one.second.volume == member.volume;
  });
}

std::size_t FakeEtcd::Voters(bool only_up) const {
  return static_cast<std::size_t>(std::ranges::count_if(members_, [&](const Member& member) {
    return !member.is_learner && (!only_up || IsUp(member));
  }));
}

std::size_t FakeEtcd::voters() {
  const std::lock_guard lock(mu_);
  return Voters(false);
}

std::vector<member::ListedMember> FakeEtcd::members() {
  const std::lock_guard lock(mu_);
  std::vector<member::ListedMember> list;
  for (const Member& member : members_) {
    list.push_back(
        {member.id, member.has_started ? member.name : "", {member.peer_url}, member.is_learner});
  }
  return list;
}

std::string FakeEtcd::leader() {
  const std::lock_guard lock(mu_);
  const Member* member = ById(leader_);
  return member == nullptr ? std::string() : member->name;
}

void FakeEtcd::Elect() {
  const Member* now = ById(leader_);
  const bool stays = now != nullptr && IsUp(*now) && !now->is_learner && IsQuorate();
  if (stays) return;
  leader_ = {};
  if (!IsQuorate()) return;
  for (const Member& member : members_) {
    if (!member.is_learner && IsUp(member)) leader_ = member.id;
  }
}

FakeEtcd::Member* FakeEtcd::ById(MemberId id) {
  const auto found = std::ranges::find(members_, id, &Member::id);
  return found == members_.end() ? nullptr : &*found;
}

FakeEtcd::Member* FakeEtcd::ByPeerUrl(const std::string& url) {
  const auto found = std::ranges::find(members_, url, &Member::peer_url);
  return found == members_.end() ? nullptr : &*found;
}

const FakeEtcd::Member* FakeEtcd::At(const std::string& url) {
  const auto server = running_.find(url);
  if (server == running_.end()) return nullptr;
  const auto member = std::ranges::find(members_, server->second.name, &Member::name);
  return member != members_.end() && IsUp(*member) ? &*member : nullptr;
}

absl::StatusOr<member::Answer> FakeEtcd::Status(const std::string& url) {
  const std::lock_guard lock(mu_);
  const Member* member = At(url);
  if (member == nullptr) return absl::UnavailableError("connection refused");
  return member::Answer{.cluster = kCluster,
                        .id = member->id,
                        .leader = leader_,
                        .is_learner = member->is_learner,
                        .raft_index = index_,
                        .applied_index = index_,
                        .version = "3.6.16",
                        .cluster_version = "3.6.0"};
}

absl::StatusOr<member::MemberList> FakeEtcd::List(const std::string& url) {
  {
    const std::lock_guard lock(mu_);
    const Member* member = At(url);
    if (member == nullptr || !IsQuorate()) return absl::UnavailableError("no leader");
    if (member->is_learner) return Error(Errc::kNotSupportedForLearner);
  }
  member::MemberList list{.cluster = kCluster, .members = members()};
  if (hides != MemberId{} && ++lists_ % 2 == 1) {
    std::erase_if(list.members, [&](const auto& one) { return one.id == hides; });
  }
  return list;
}

absl::Status FakeEtcd::Change(const std::string& url, const std::function<absl::Status()>& change) {
  ++changes;
  absl::Status status;
  {
    const std::lock_guard lock(mu_);
    if (At(url) == nullptr || !IsQuorate()) return absl::UnavailableError("no leader");
    status = change();
    ++index_;
    Elect();
  }
  if (loses_answer && loses_answer()) return absl::UnavailableError("lost");
  return status;
}

absl::Status FakeEtcd::AddLearner(const std::string& url, const std::string& peer_url) {
  return Change(url, [&] {
    if (ByPeerUrl(peer_url) != nullptr) return Error(Errc::kPeerUrlExists);
    if (Voters(true) < Voters(false)) return Error(Errc::kUnhealthyCluster);
    const bool has_learner = std::ranges::any_of(members_, &Member::is_learner);
    if (has_learner) return Error(Errc::kTooManyLearners);
    members_.push_back({MemberId(next_id_++), "", peer_url, "", true, false});
    return absl::OkStatus();
  });
}

absl::Status FakeEtcd::Promote(const std::string& url, MemberId id) {
  return Change(url, [&] {
    Member* member = ById(id);
    if (member == nullptr) return Error(Errc::kMemberNotFound);
    if (!member->is_learner) return Error(Errc::kMemberNotLearner);
    if (!IsUp(*member)) return Error(Errc::kLearnerNotReady);
    member->is_learner = false;
    return absl::OkStatus();
  });
}

absl::Status FakeEtcd::Remove(const std::string& url, MemberId id) {
  return Change(url, [&] {
    const Member* member = ById(id);
    if (member == nullptr) return Error(Errc::kMemberNotFound);
    if (!member->is_learner) {
      const std::size_t rest = Voters(true) - (IsUp(*member) ? 1 : 0);
      if (rest < (Voters(false) - 1) / 2 + 1) faults.push_back("removal below the quorum");
      if (leader_ == id && Voters(false) > 1) faults.push_back("the leader was removed");
    }
    std::erase_if(members_, [&](const Member& one) { return one.id == id; });
    return absl::OkStatus();
  });
}

absl::Status FakeEtcd::MoveLeader(const std::string& url, MemberId to) {
  return Change(url, [&] {
    if (At(url)->id != leader_) return Error(Errc::kNotLeader);
    const Member* member = ById(to);
    if (member == nullptr || !IsUp(*member)) return Error(Errc::kBadLeaderTransferee);
    leader_ = to;
    return absl::OkStatus();
  });
}

}  // namespace etcd::loop
