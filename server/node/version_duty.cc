#include "server/node/version_duty.h"

#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/entries.h"
#include "server/node/join.h"

namespace etcd::node {
namespace {

constexpr std::chrono::seconds kInterval(4);
// While the version is not decided: members that are just starting answer soon.
constexpr std::chrono::seconds kUndecidedInterval(1);
constexpr std::chrono::seconds kAskTimeout(1);

}  // namespace

// The answers of one round; the last one in ends it.
struct VersionDuty::Round {
  Answers answers;
  std::size_t missing = 0;
  OnAnswers done;
};

void VersionDuty::OnTick() {
  if (!is_leader() || busy_ || shared_.is_stopping.load()) return;
  const auto now = shared_.ports.raft.clock().Now();
  if (now < next_round_) return;
  const int minor = MinorOf(shared_.cluster.view()->cluster_version);
  next_round_ = now + (minor < kOldestMinor ? kUndecidedInterval : kInterval);
  busy_ = true;
  Ask([this, era = era_](const Answers& answers) {
    busy_ = false;
    Decide(answers, era);
  });
}

void VersionDuty::Ask(OnAnswers done) {
  auto round = std::make_shared<Round>();
  round->done = std::move(done);
  const membership::ViewPtr view = shared_.cluster.view();
  for (const auto& [id, member] : view->members) {
    if (id == shared_.id || shared_.ports.peer_client == nullptr) {
      round->answers.push_back(MemberVersion{shared_.options.server_version, true});
      continue;
    }
    round->answers.emplace_back();
    ++round->missing;
  }
  if (round->missing == 0) return round->done(round->answers);
  std::size_t slot = 0;
  for (const auto& [id, member] : view->members) {
    if (id != shared_.id) AskOne(round, slot, member.peer_urls);
    ++slot;
  }
}

// Its URLs one after the other, until one answers.
void VersionDuty::AskOne(const std::shared_ptr<Round>& round, std::size_t slot,
                         std::vector<std::string> urls) {
  if (urls.empty()) {
    if (--round->missing == 0) round->done(round->answers);
    return;
  }
  const std::string url = urls.front();
  urls.erase(urls.begin());
  ports::PeerRequest request;
  request.path = "/version";
  shared_.ports.peer_client->Ask(
      url, std::move(request), kAskTimeout,
      [this, round, slot, urls = std::move(urls)](absl::StatusOr<ports::PeerReply> reply) mutable {
        shared_.ports.raft.Post(
            [this, round, slot, urls = std::move(urls), reply = std::move(reply)]() mutable {
              const auto parsed = reply.ok() ? ParseVersionReply(*reply)
                                             : absl::StatusOr<PeerVersions>(reply.status());
              if (!parsed.ok()) return AskOne(round, slot, std::move(urls));
              const bool is_ours = MinorOf(parsed->true_version) >= 0;
              round->answers[slot] =
                  MemberVersion{is_ours ? parsed->true_version : parsed->server, is_ours};
              if (--round->missing == 0) round->done(round->answers);
            });
      });
}

void VersionDuty::Decide(const Answers& answers, std::uint64_t asked_in) {
  if (!is_leader() || shared_.is_stopping.load()) return;
  const membership::ViewPtr view = shared_.cluster.view();
  // Somebody may have come or gone since the questions were sent.
  if (const auto span = SpanOf(answers); span.has_value() && asked_in == era_) {
    shared_.heard_versions = span;
  }
  VersionState state;
  state.current = view->cluster_version;
  state.hold = shared_.options.hold_cluster_version;
  if (view->downgrade.has_value() && view->downgrade->enabled) {
    state.downgrade_target = view->downgrade->target_version;
  }
  const VersionDecision decision = DecideVersion(state, answers);
  if (decision.cancel_downgrade) return CancelDowngrade();
  if (!decision.version.empty()) SetVersion(decision.version, decision.all_know_requests);
}

void VersionDuty::SetVersion(const std::string& version, bool all_know_requests) {
  LOG_INFO("updating cluster version", {"from", shared_.cluster.view()->cluster_version},
           {"to", version});
  busy_ = true;
  propose_(
      [version, all_know_requests](RequestId id) {
        return all_know_requests ? EncodeClusterVersion(id, version)
                                 : EncodeLegacyPut(id, kLegacyVersionPath, version);
      },
      [this](const apply::Result&) { shared_.ports.raft.Post([this] { busy_ = false; }); });
}

void VersionDuty::CancelDowngrade() {
  LOG_INFO("the cluster has been downgraded",
           {"cluster-version", shared_.cluster.view()->cluster_version});
  busy_ = true;
  propose_([](RequestId id) { return EncodeDowngradeCancel(id); },
           [this](const apply::Result&) { shared_.ports.raft.Post([this] { busy_ = false; }); });
}

}  // namespace etcd::node
