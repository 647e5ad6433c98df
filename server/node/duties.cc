#include "server/node/duties.h"

#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/entries.h"

namespace etcd::node {
namespace {

// As etcd: at the first commit of a term and every 4 s.
constexpr std::chrono::seconds kVersionInterval(4);

// major.minor.0 of a server version: what the cluster can agree on.
std::string ClusterVersionOf(const std::string& server_version) {
  return server_version.substr(0, server_version.rfind('.')) + ".0";
}

}  // namespace

Duties::Duties(Shared& shared, Propose propose)
    : shared_(shared),
      propose_(std::move(propose)),
      compactor_(std::make_unique<AutoCompactor>(shared.options, shared.ports.raft.clock().Now())) {
}

void Duties::Start(absl::AnyInvocable<void()> ready) { ready_ = std::move(ready); }

void Duties::OnTick() {
  if (shared_.is_stopping.load()) return;
  Publish();
  DecideClusterVersion();
  RaiseAlarm();
  Compact();
}

// Answers come on other threads and are brought back to the raft thread, where this state lives.
void Duties::Publish() {
  if (published_ || publishing_ || shared_.leader.load() == 0) return;
  publishing_ = true;
  propose_(
      [this](RequestId id) {
        return EncodeMemberAttributes(id, shared_.id, shared_.options.name,
                                      shared_.options.client_urls);
      },
      [this](apply::Result result) {
        shared_.ports.raft.Post([this, ok = result.status.ok()] {
          publishing_ = false;
          if (!ok || published_) return;
          published_ = true;
          LOG_INFO("published local member to cluster through raft",
                   {"local-member-id", base::FormatHex(shared_.id.value())});
          if (ready_) std::exchange(ready_, nullptr)();
        });
      });
}

// A cluster of one decides by itself; with more members the versions of the others count too, and
// they come with the peer protocol.
void Duties::DecideClusterVersion() {
  if (!is_leader() || deciding_) return;
  const auto now = shared_.ports.raft.clock().Now();
  if (now < next_version_check_) return;
  next_version_check_ = now + kVersionInterval;
  const membership::ViewPtr view = shared_.cluster.view();
  const std::string version = ClusterVersionOf(shared_.options.server_version);
  if (view->members.size() != 1 || view->cluster_version == version) return;
  if (view->downgrade.has_value() && view->downgrade->enabled) return;
  deciding_ = true;
  propose_(
      [version](RequestId id) { return EncodeClusterVersion(id, version); },
      [this](const apply::Result&) { shared_.ports.raft.Post([this] { deciding_ = false; }); });
}

void Duties::RaiseAlarm() {
  if (!wants_alarm_.load() || raising_ || shared_.leader.load() == 0) return;
  const apply::Alarm alarm{shared_.id, apply::kAlarmNoSpace};
  if (shared_.alarms.view()->contains(alarm)) {
    wants_alarm_.store(false);
    return;
  }
  raising_ = true;
  LOG_WARN("the backend quota is exceeded, raising alarm NOSPACE",
           {"quota-bytes", shared_.quota.bytes()});
  propose_([this](RequestId id) { return EncodeRaiseAlarm(id, shared_.id, apply::kAlarmNoSpace); },
           [this](apply::Result result) {
             shared_.ports.raft.Post([this, ok = result.status.ok()] {
               raising_ = false;
               if (ok) wants_alarm_.store(false);
             });
           });
}

void Duties::Compact() {
  const auto now = shared_.ports.raft.clock().Now();
  const auto revision = compactor_->Poll(now, shared_.store->current_revision(), is_leader());
  if (!revision.has_value()) return;
  LOG_INFO("starting auto compaction", {"revision", *revision});
  propose_(
      [r = *revision](RequestId id) { return EncodeCompaction(id, r); },
      [this, r = *revision](apply::Result result) {
        const bool ok = result.status.ok() || ErrcOf(result.status) == Errc::kCompacted;
        shared_.ports.raft.Post([this, r, ok] {
          LOG_INFO(ok ? "completed auto compaction" : "failed auto compaction", {"revision", r});
          compactor_->OnDone(r, ok, shared_.ports.raft.clock().Now());
        });
      });
}

}  // namespace etcd::node
