#include "server/main/figures.h"

#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "server/config/version.h"
#include "server/main/observers.h"
#include "server/metrics/process_metrics.h"

namespace etcd::server {
namespace {

using Alarm = std::pair<std::string, std::string>;  // member id, type

std::set<Alarm> RaisedAlarms(const node::Member& member) {
  std::set<Alarm> raised;
  for (const node::AlarmInfo& alarm : member.Alarms()) {
    raised.emplace(base::FormatHex(alarm.member.value()), AlarmName(alarm.type));
  }
  return raised;
}

// State between scrapes: an alarm that was seen once stays as a series, at 0 when it is gone.
class Figures {
 public:
  Figures(metrics::ServerMetrics& metrics, node::Member& member)
      : metrics_(metrics), member_(member) {}

  void Collect() {
    CollectRaft();
    CollectStore();
    const std::string version = member_.ClusterVersion();
    metrics_.SetClusterVersion(version.substr(0, version.rfind('.')));
    std::set<Alarm> raised = RaisedAlarms(member_);
    for (const Alarm& alarm : alarms_) {
      if (!raised.contains(alarm)) metrics_.SetAlarm(alarm.first, alarm.second, false);
    }
    for (const Alarm& alarm : raised) metrics_.SetAlarm(alarm.first, alarm.second, true);
    alarms_.merge(raised);
  }

 private:
  void CollectRaft() {
    const node::Status status = member_.status();
    metrics_.has_leader.Set(status.leader.value() != 0 ? 1 : 0);
    metrics_.is_leader.Set(status.leader == member_.member_id() ? 1 : 0);
    metrics_.is_learner.Set(status.is_learner ? 1 : 0);
    metrics_.proposals_committed.Set(static_cast<double>(status.committed.value()));
    metrics_.proposals_pending.Set(static_cast<double>(member_.PendingProposals()));
    metrics_.proposals_applied.Set(static_cast<double>(status.applied.value()));
  }

  void CollectStore() {
    metrics_.quota_backend_bytes.Set(static_cast<double>(member_.QuotaBytes()));
    metrics_.db_size.Set(static_cast<double>(member_.BackendBytes()));
    metrics_.db_size_in_use.Set(static_cast<double>(member_.BackendBytesInUse()));
    mvcc::Store& store = member_.store();
    metrics_.current_revision.Set(static_cast<double>(store.current_revision().value()));
    metrics_.compact_revision.Set(static_cast<double>(store.compact_revision().value()));
    metrics_.keys.Set(static_cast<double>(store.live_keys()));
    metrics_.open_read_transactions.Set(static_cast<double>(store.open_reads()));
    const mvcc::OperationCounts counts = store.counts();
    metrics_.ranges.Set(counts.ranges);
    metrics_.puts.Set(counts.puts);
    metrics_.put_bytes.Set(static_cast<double>(counts.put_bytes));
    metrics_.deletes.Set(counts.deletes);
    metrics_.txns.Set(counts.txns);
  }

  metrics::ServerMetrics& metrics_;
  node::Member& member_;
  std::set<Alarm> alarms_;
};

}  // namespace

void AddMemberFigures(metrics::Registry& registry, metrics::ServerMetrics& metrics,
                      node::Member& member) {
  auto figures = std::make_shared<Figures>(metrics, member);
  registry.AddCollector([figures] { figures->Collect(); });
}

void SetConstants(metrics::ServerMetrics& metrics, const node::Member& member,
                  const config::Config& config) {
  metrics.SetIdentity(base::FormatHex(member.member_id().value()), config::kEtcdVersion);
  for (std::size_t i = 0; i < config::kGates; ++i) {
    const auto gate = static_cast<config::Gate>(i);
    metrics.SetFeature(config::RowOf(gate).name, config::RowOf(gate).stage,
                       config.feature_gates.enabled(gate));
  }
}

std::string DebugVars(const std::vector<std::string>& command_line, const node::Member& member) {
  const node::Status status = member.status();
  nlohmann::ordered_json raft;
  raft["id"] = base::FormatHex(member.member_id().value());
  raft["term"] = status.term.value();
  raft["commit"] = status.committed.value();
  raft["lead"] = base::FormatHex(status.leader.value());
  raft["raftState"] = status.leader == member.member_id() ? "StateLeader" : "StateFollower";
  raft["applied"] = status.applied.value();
  nlohmann::ordered_json vars;
  vars["cmdline"] = command_line;
  vars["file_descriptor_limit"] = metrics::DescriptorLimit();
  vars["memstats"] = nlohmann::ordered_json::object();
  vars["raft.status"] = raft;
  return vars.dump() + "\n";
}

}  // namespace etcd::server
