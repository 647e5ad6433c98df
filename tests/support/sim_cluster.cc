#include "tests/support/sim_cluster.h"

#include <utility>

#include "server/base/check.h"

namespace etcd::testing {
namespace {

std::string NameOf(std::size_t i) { return "n" + std::to_string(i + 1); }

std::string PeerUrlOf(std::size_t i) { return "http://10.0.0." + std::to_string(i + 1) + ":2380"; }

}  // namespace

SimCluster::SimCluster(std::uint64_t seed, std::size_t members,
                       const std::function<void(node::MemberOptions&)>& shape)
    : scheduler(seed), network(scheduler, seed + 1) {
  for (std::size_t i = 0; i < members; ++i) {
    node::MemberOptions options = SimMember::DefaultOptions();
    options.name = NameOf(i);
    options.client_urls = {"http://10.0.0." + std::to_string(i + 1) + ":2379"};
    options.initial_cluster.clear();
    for (std::size_t j = 0; j < members; ++j) {
      options.initial_cluster.push_back({NameOf(j), {PeerUrlOf(j)}});
    }
    if (shape) shape(options);
    members_.push_back(
        std::make_unique<SimMember>(SimMember::Machine{.scheduler = scheduler,
                                                       .first_process = (i + 1) << 32,
                                                       .seed = seed * 1000 + i,
                                                       .peers = network.PortOf(i)},
                                    std::move(options)));
  }
}

SimCluster::~SimCluster() = default;

absl::Status SimCluster::Open(std::size_t i) {
  SimMember& member = *members_.at(i);
  if (absl::Status status = member.Open(); !status.ok()) return status;
  network.Attach(i, member->member_id(), *member);
  return absl::OkStatus();
}

bool SimCluster::Boot() {
  for (std::size_t i = 0; i < size(); ++i) {
    const absl::Status status = Open(i);
    CHECK(status.ok()) << status;
  }
  return WaitFor([this] {
    for (auto& member : members_) {
      if (!member->is_ready()) return false;
    }
    return true;
  });
}

// A process that dies tidies nothing up.
void SimCluster::Detach(std::size_t i) {
  SimDisk& disk = members_.at(i)->disk;
  disk.SetFaultHook([](DiskOp, const std::string&) { return absl::InternalError("killed"); });
  network.Detach(i);
  disk.SetFaultHook(nullptr);
}

void SimCluster::Kill(std::size_t i) {
  Detach(i);
  members_.at(i)->Kill();
}

void SimCluster::Crash(std::size_t i, std::uint64_t seed) {
  Detach(i);
  members_.at(i)->Crash(seed);
}

// The transport goes before the member, as in a real process, but after the hand-over.
void SimCluster::Stop(std::size_t i) {
  members_.at(i)->Stop();
  network.Detach(i);
}

std::optional<std::size_t> SimCluster::Leader() {
  std::optional<std::size_t> leader;
  Term term;
  for (std::size_t i = 0; i < size(); ++i) {
    SimMember& member = *members_[i];
    if (!member.is_running()) continue;
    const node::Status status = member->status();
    if (status.leader != member->member_id() || status.term <= term) continue;
    leader = i;
    term = status.term;
  }
  return leader;
}

std::size_t SimCluster::AwaitLeader() {
  CHECK(WaitFor([this] { return Leader().has_value(); })) << "no leader";
  return *Leader();
}

bool SimCluster::AwaitConverged() {
  return WaitFor([this] {
    std::optional<Index> index;
    for (auto& member : members_) {
      if (!member->is_running()) continue;
      const node::Status status = (*member)->status();
      if (status.applied != status.committed) return false;
      if (index.has_value() && *index != status.applied) return false;
      index = status.applied;
    }
    return true;
  });
}

std::optional<std::uint32_t> SimCluster::CommonHash() {
  std::optional<std::uint32_t> common;
  for (auto& member : members_) {
    if (!member->is_running()) continue;
    const auto hash = (*member)->store().HashKv(Revision(0));
    CHECK(hash.ok()) << hash.status();
    if (common.has_value() && *common != hash->hash) return std::nullopt;
    common = hash->hash;
  }
  return common;
}

}  // namespace etcd::testing
