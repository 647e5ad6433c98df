#include "server/node/duties.h"

#include <algorithm>
#include <utility>

#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/entries.h"
#include "server/node/versions.h"

namespace etcd::node {
namespace {

constexpr int kFirstMinorWithPublish = 6;  // ClusterMemberAttrSet

std::string EncodeAttributes(RequestId id, const Shared& shared, bool is_request) {
  if (is_request) {
    return EncodeMemberAttributes(id, shared.id, shared.options.name, shared.options.client_urls);
  }
  membership::Member self;
  self.name = shared.options.name;
  self.client_urls = shared.options.client_urls;
  return EncodeLegacyPut(id, LegacyAttributesPath(shared.id), membership::EncodeAttributes(self));
}

}  // namespace

Duties::Duties(Shared& shared, Propose propose, ReadIndex read_index)
    : shared_(shared),
      propose_(std::move(propose)),
      read_index_(std::move(read_index)),
      versions_(shared, [this](auto encode,
                               ProposeDone done) { propose_(std::move(encode), std::move(done)); }),
      compactor_(std::make_unique<AutoCompactor>(shared.options, shared.ports.raft.clock().Now())) {
}

void Duties::Start(absl::AnyInvocable<void()> ready) { ready_ = std::move(ready); }

void Duties::OnTick() {
  if (shared_.is_stopping.load()) return;
  Publish();
  versions_.OnTick();
  RaiseAlarm();
  Compact();
}

// Answers come on other threads and are brought back to the raft thread, where this state lives.
void Duties::Publish() {
  if (published_ || publishing_ || shared_.leader.load() == 0) return;
  // With others the form depends on the version, which the leader sets first of all.
  const membership::ViewPtr view = shared_.cluster.view();
  if (!view->members.contains(shared_.id)) return;  // not that far yet
  if (view->members.size() > 1 && view->cluster_version.empty()) return;
  FAILPOINT("beforePublishing");
  publishing_ = true;
  // Who joins, or was away, replays versions that are long past, and members of today may not live
  // through the form of those.
  read_index_([this](const absl::Status& status) {
    shared_.ports.raft.Post([this, ok = status.ok()] {
      if (ok) return ChooseForm();
      publishing_ = false;  // the next tick tries again
    });
  });
}

// The form that every member of a cluster of this version understands (raft-peer-storage.md 5.4). A
// member alone needs it too: whoever joins, or goes back to its version, replays the log. Only a
// cluster of one that has no version yet will get ours. While the version cannot be decided because
// somebody is away, those who answer count.
void Duties::ChooseForm() {
  const membership::ViewPtr view = shared_.cluster.view();
  const int minor = MinorOf(view->cluster_version);
  if (view->members.size() == 1 && view->cluster_version.empty()) return PublishAs(true);
  if (minor >= kOldestMinor) return PublishAs(minor >= kFirstMinorWithPublish);
  versions_.Ask([this](const VersionDuty::Answers& answers) {
    const bool has_old = std::ranges::any_of(answers, [](const auto& answer) {
      return answer.has_value() && MinorOf(answer->version) < kFirstMinorWithRequests;
    });
    PublishAs(!has_old);
  });
}

void Duties::PublishAs(bool is_request) {
  propose_([this, is_request](RequestId id) { return EncodeAttributes(id, shared_, is_request); },
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
