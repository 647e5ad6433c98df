#include "operator/plan/view.h"

#include <algorithm>

#include <fmt/format.h>

#include "operator/plan/plan.h"
#include "server/base/check.h"

namespace etcd::plan {
namespace {

// Entries that a participating voter may be behind.
constexpr std::uint64_t kLagMax = 5000;

bool HasUrl(const Listed& listed, const std::string& url) {
  return std::ranges::find(listed.peer_urls, url) != listed.peer_urls.end();
}

template <class Map>
auto* ValueOf(const Map& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

View::View(const Wanted& wanted, const Observed& observed) : wanted_(wanted), observed_(observed) {
  FindLeader();
  if (!is_quorate()) return;
  for (const Listed& listed : members()) {
    if (!listed.is_learner) ++voters_;
    if (listed.is_learner || listed.name.empty()) ++learners_or_unstarted_;
  }
}

const std::vector<Listed>& View::members() const {
  CHECK(is_quorate()) << "no list to decide by";
  return *observed_.members;
}

const Listed* View::ListedOf(const Record& record) const {
  const std::string url = PeerUrl(wanted_, record.name);
  const Listed* found = nullptr;
  for (const Listed& listed : members()) {
    if (record.id != MemberId{} && listed.id == record.id) return &listed;
    if (listed.name == record.name || HasUrl(listed, url)) found = &listed;
  }
  return found;
}

const Record* View::RecordOf(const Listed& listed) const {
  const auto found = std::ranges::find_if(observed_.records, [&](const Record& record) {
    return (record.id != MemberId{} && record.id == listed.id) || record.name == listed.name ||
           HasUrl(listed, PeerUrl(wanted_, record.name));
  });
  return found == observed_.records.end() ? nullptr : &*found;
}

std::string View::MismatchOf(const Record& record) const {
  const Listed* listed = ListedOf(record);
  if (!record.has_joined || listed == nullptr) return {};
  const std::string url = PeerUrl(wanted_, record.name);
  if (record.id != MemberId{} && listed->id != record.id) {
    return fmt::format(
        "{} joined as member {:x}, but the list has it as {:x}; delete its EtcdMember to have "
        "another member in its place",
        record.name, record.id.value(), listed->id.value());
  }
  if (HasUrl(*listed, url)) return {};
  return fmt::format(
      "{} is listed with the peer URL {} in place of {}; set it back with etcdctl member update "
      "{:x} --peer-urls={}",
      record.name, listed->peer_urls.empty() ? "(none)" : listed->peer_urls.front(), url,
      listed->id.value(), url);
}

const Health* View::HealthOf(const std::string& member) const {
  return ValueOf(observed_.health, member);
}
const Pod* View::PodOf(const std::string& member) const { return ValueOf(observed_.pods, member); }
const Volume* View::VolumeOf(const std::string& member) const {
  return ValueOf(observed_.volumes, member);
}

void View::FindLeader() {
  std::map<MemberId, std::size_t> followers;
  for (const auto& [member, health] : observed_.health) {
    if (health.leader != MemberId{}) ++followers[health.leader];
  }
  std::size_t most = 0;
  for (const auto& [id, count] : followers) {
    if (count == most) leader_ = {};  // no agreement
    if (count > most) leader_ = id;
    most = std::max(most, count);
  }
}

const Record* View::LeaderRecord() const {
  for (const Record& record : observed_.records) {
    const Health* health = HealthOf(record.name);
    if (health != nullptr && leader_ != MemberId{} && health->id == leader_) return &record;
  }
  return nullptr;
}

std::optional<std::uint64_t> View::Lag(const std::string& member) const {
  const Record* leader = LeaderRecord();
  const Health* own = HealthOf(member);
  if (leader == nullptr || own == nullptr) return std::nullopt;
  const std::uint64_t target = HealthOf(leader->name)->raft_index;
  return target > own->applied_index ? target - own->applied_index : 0;
}

bool View::IsParticipating(const Record& record) const {
  const Listed* listed = ListedOf(record);
  const Health* health = HealthOf(record.name);
  if (listed == nullptr || listed->is_learner || health == nullptr) return false;
  if (health->cluster != observed_.cluster || health->id != listed->id) return false;
  if (health->is_corrupt) return false;
  if (health->leader == MemberId{} || health->leader != leader_) return false;
  const std::optional<std::uint64_t> lag = Lag(record.name);
  return lag.has_value() && *lag <= kLagMax;
}

std::size_t View::participating() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      observed_.records, [this](const Record& record) { return IsParticipating(record); }));
}

bool View::has_alarm() const {
  return std::ranges::any_of(observed_.health,
                             [](const auto& entry) { return entry.second.has_alarm; });
}

bool View::has_other_cluster() const {
  return std::ranges::any_of(observed_.health, [this](const auto& entry) {
    return entry.second.cluster != observed_.cluster;
  });
}

bool View::MayRemove(const Record& record) const {
  if (voters_ <= 1) return false;
  if (voters_ == 2) return AllVotersParticipate();
  const std::size_t rest = participating() - (IsParticipating(record) ? 1 : 0);
  return rest >= (voters_ - 1) / 2 + 1;
}

}  // namespace etcd::plan
