#include "tests/simulation/admin_client.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/base/status.h"
#include "tests/simulation/network.h"

namespace etcd::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kVotersMax = 7;
constexpr seconds kRepairEvery(1);
// A proposal that nobody waits for any more is dropped long before.
constexpr seconds kForgotten(20);

// It may still change who belongs to the cluster.
bool IsUnknownChange(const std::string& path, const Reply& reply) {
  if (!path.starts_with("/etcdserverpb.Cluster/") || path.ends_with("MemberList")) return false;
  return reply.kind == Reply::Kind::kLost ||
         (reply.kind == Reply::Kind::kError && Clients::IsUnknown(reply.status));
}

}  // namespace

void AdminClient::Start() {
  const Options::Admin& options = shared_.options.admin;
  Repeat(options.reconfigure_every, [this] { Reconfigure(); });
  Repeat(options.move_leader_every, [this] { MoveLeader(); });
  Repeat(options.defragment_every, [this] { Defragment(); });
  Repeat(options.ruin_every, [this] { Ruin(); });
  Repeat(options.ruin_every == Nanos(0) ? Nanos(0) : kRepairEvery, [this] { Repair(); });
}

void AdminClient::Repeat(Nanos every, std::function<void()> operation) {
  if (every == Nanos(0)) return;
  shared_.world.After(Between(shared_.random(), Nanos(0), 2 * every),
                      [this, every, operation = std::move(operation)]() mutable {
                        if (shared_.quiet) return;
                        if (!busy_) operation();
                        Repeat(every, std::move(operation));
                      });
}

// Given up when it takes too long: what comes of it shows in the list.
void AdminClient::Call(SimMember& member, const std::string& path, const std::string& request,
                       std::function<void(const Reply&)> then) {
  busy_ = true;
  const std::uint64_t call = ++call_;
  auto once = std::make_shared<std::function<void(const Reply&)>>(
      [this, call, path, then = std::move(then)](const Reply& reply) {
        if (call_ != call || !busy_) return;
        busy_ = false;
        if (reply.kind == Reply::Kind::kError) {
          shared_.world.Trace(fmt::format("operator: {}: {}", path, base::MessageOf(reply.status)));
        }
        if (reply.kind != Reply::Kind::kOk) home_.Move();
        if (IsUnknownChange(path, reply)) sure_at_ = shared_.world.now() + kForgotten;
        then(reply);
      });
  shared_.world.After(seconds(15), [once] { (*once)({Reply::Kind::kLost, "", {}}); });
  member.Call(path, request, [once](const Reply& reply) { (*once)(reply); });
}

void AdminClient::Look(std::function<void(const Members&)> then) {
  etcdserverpb::MemberListRequest request;
  request.set_linearizable(true);
  Call(home_.member(), "/etcdserverpb.Cluster/MemberList", request.SerializeAsString(),
       [this, then = std::move(then)](const Reply& reply) {
         Members list;
         if (reply.kind != Reply::Kind::kOk) return LookBehind();
         if (list.ParseFromString(reply.bytes)) then(list);
       });
}

// There may be no majority, and so nobody who serves, until a voter that was added is started. As a
// joiner does, it asks the peer port of somebody; nobody is taken out by what that one knows.
void AdminClient::LookBehind() {
  Cluster& cluster = shared_.cluster;
  StartAdded(cluster.machine(cluster.Draw(shared_.random())).ListMembers());
}

void AdminClient::Settle() {
  // On and on: a damaged disk may still be found.
  shared_.world.After(milliseconds(300), [this] {
    if (!busy_) Look([this](const Members& list) { is_settled_ = !Follow(list); });
    Settle();
  });
}

// ---- Who belongs to the cluster

void AdminClient::Reconfigure() {
  Look([this](const Members& list) {
    if (!Follow(list) && !shared_.quiet) Change(list);
  });
}

// A machine whose member is not in the list was removed; one that is lost must be.
bool AdminClient::Follow(const Members& list) {
  Cluster& cluster = shared_.cluster;
  for (const int machine : cluster.InUse()) {
    const MemberId id = cluster.machine(machine).id();
    bool listed = !id;
    for (const auto& member : list.members()) listed |= member.id() == id.value();
    if (listed && cluster.IsLost(machine)) {
      TakeOut(id);
      return true;
    }
    if (listed) continue;
    shared_.world.Trace(fmt::format("operator: m{} is out", machine));
    shared_.world.Count("machine retired");
    cluster.Retire(machine);
    return true;
  }
  return StartAdded(list);
}

// A member in the list that nobody runs was added: its machine starts now. Not one whose disks went
// when it heard of its removal, which the list may not know yet: without them it must never start.
bool AdminClient::StartAdded(const Members& list) {
  Cluster& cluster = shared_.cluster;
  for (const auto& member : list.members()) {
    const MemberId id(member.id());
    if (cluster.MachineOf(id) != 0 || cluster.IsGone(id) || member.peerurls_size() == 0) continue;
    const int machine = Network::MachineOf(member.peerurls(0));
    if (cluster.IsInUse(machine) || cluster.machine(machine).is_running()) return true;  // later
    shared_.world.Trace(fmt::format("operator: m{} joins as {:x}", machine, member.id()));
    shared_.world.Count(member.islearner() ? "learner joins" : "voter joins");
    cluster.Join(machine, id, list);
    return true;
  }
  return false;
}

void AdminClient::Change(const Members& list) {
  const std::uint64_t draw = shared_.random().Below(100);
  if (draw < 30 && list.members_size() < kVotersMax) return Add(draw < 15);
  if (draw < 55) return Promote(list);
  if (draw < 90 && !IsDamaged(list)) return Remove(list);
  Update(list);
}

void AdminClient::Add(bool is_learner) {
  const int machine = shared_.cluster.Spare();
  if (machine == 0) return;
  etcdserverpb::MemberAddRequest request;
  request.add_peerurls(Network::UrlOf(machine));
  request.set_islearner(is_learner);
  shared_.world.Trace(fmt::format("operator: adds m{}{}", machine, is_learner ? " to learn" : ""));
  Call(home_.member(), "/etcdserverpb.Cluster/MemberAdd", request.SerializeAsString(),
       [this](const Reply& reply) {
         etcdserverpb::MemberAddResponse added;
         if (reply.kind != Reply::Kind::kOk || !added.ParseFromString(reply.bytes)) return;
         Members list;
         *list.mutable_header() = added.header();
         *list.mutable_members() = added.members();
         StartAdded(list);
       });
}

void AdminClient::Promote(const Members& list) {
  for (const auto& member : list.members()) {
    if (!member.islearner()) continue;
    etcdserverpb::MemberPromoteRequest request;
    request.set_id(member.id());
    shared_.world.Trace(fmt::format("operator: promotes {:x}", member.id()));
    return Call(home_.member(), "/etcdserverpb.Cluster/MemberPromote", request.SerializeAsString(),
                [this](const Reply& reply) {
                  if (reply.kind == Reply::Kind::kOk) shared_.world.Count("learner promoted");
                });
  }
}

void AdminClient::Remove(const Members& list) {
  if (list.members_size() < 2) return;
  const auto count = static_cast<std::uint64_t>(list.members_size());
  const auto& victim = list.members(static_cast<int>(shared_.random().Below(count)));
  etcdserverpb::MemberRemoveRequest request;
  request.set_id(victim.id());
  shared_.world.Trace(fmt::format("operator: removes {:x}", victim.id()));
  // Its machine stays for a while, as one whose owner does not know yet.
  Call(home_.member(), "/etcdserverpb.Cluster/MemberRemove", request.SerializeAsString(),
       [](const Reply&) {});
}

void AdminClient::Update(const Members& list) {
  const auto count = static_cast<std::uint64_t>(list.members_size());
  const auto& member = list.members(static_cast<int>(shared_.random().Below(count)));
  if (member.peerurls_size() == 0) return;
  const int machine = Network::MachineOf(member.peerurls(0));
  etcdserverpb::MemberUpdateRequest request;
  request.set_id(member.id());
  request.add_peerurls(Network::UrlOf(machine, member.peerurls(0) == Network::UrlOf(machine)));
  Call(home_.member(), "/etcdserverpb.Cluster/MemberUpdate", request.SerializeAsString(),
       [this](const Reply& reply) {
         if (reply.kind == Reply::Kind::kOk) shared_.world.Count("member updated");
       });
}

// ---- Machines that are lost

void AdminClient::Repair() {
  Look([this](const Members& list) {
    if (Follow(list) || shared_.quiet) return;
    if (list.members_size() < shared_.options.members) Add(shared_.random().Below(2) == 0);
  });
}

void AdminClient::TakeOut(MemberId id) {
  etcdserverpb::MemberRemoveRequest request;
  request.set_id(id.value());
  Call(home_.member(), "/etcdserverpb.Cluster/MemberRemove", request.SerializeAsString(),
       [](const Reply&) {});
}

// What was acknowledged is on a majority, and a majority without the lost machine must be left that
// has all of it: never two at a time, and not while the majority may be about to change.
bool AdminClient::CanDoWithoutOne(const Members& list) const {
  if (shared_.quiet || shared_.world.now() < sure_at_ || IsDamaged(list)) return false;
  int voters = 0;
  for (const auto& member : list.members()) {
    const int machine = shared_.cluster.MachineOf(MemberId(member.id()));
    if (machine == 0 || shared_.cluster.IsLost(machine)) return false;
    if (!member.islearner()) ++voters;
  }
  return voters >= 3;
}

// Somebody's disk is damaged, which shows at its next start: nobody else may go meanwhile.
bool AdminClient::IsDamaged(const Members& list) const {
  return std::any_of(list.members().begin(), list.members().end(), [this](const auto& member) {
    const int machine = shared_.cluster.MachineOf(MemberId(member.id()));
    return machine != 0 && shared_.cluster.machine(machine).is_damaged();
  });
}

void AdminClient::Ruin() {
  Look([this](const Members& list) {
    if (!CanDoWithoutOne(list)) return;
    const auto count = static_cast<std::uint64_t>(list.members_size());
    const auto& victim = list.members(static_cast<int>(shared_.random().Below(count)));
    const int machine = shared_.cluster.MachineOf(MemberId(victim.id()));
    if (shared_.random().Below(2) == 0) {
      shared_.world.Count("disks lost");
      return shared_.cluster.Lose(machine);
    }
    shared_.cluster.machine(machine).DamageDisk();
  });
}

// ---- The rest

void AdminClient::MoveLeader() {
  const int leader = shared_.cluster.LeaderMachine();
  const int to = shared_.cluster.Draw(shared_.random());
  if (leader == 0 || to == leader || !shared_.cluster.machine(to).id()) return;
  etcdserverpb::MoveLeaderRequest request;
  request.set_targetid(shared_.cluster.machine(to).id().value());
  Call(shared_.cluster.machine(leader), "/etcdserverpb.Maintenance/MoveLeader",
       request.SerializeAsString(), [this](const Reply& reply) {
         if (reply.kind == Reply::Kind::kOk) shared_.world.Count("leader moved");
       });
}

void AdminClient::Defragment() {
  Call(home_.member(), "/etcdserverpb.Maintenance/Defragment", "", [this](const Reply& reply) {
    if (reply.kind == Reply::Kind::kOk) shared_.world.Count("defragmentation");
  });
}

}  // namespace etcd::simulation
