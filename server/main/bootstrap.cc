#include "server/main/bootstrap.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/config/urls.h"
#include "server/config/version.h"
#include "server/net/address.h"
#include "server/node/corruption.h"
#include "server/node/join.h"
#include "server/node/peer_hashes.h"

namespace etcd::server {
namespace {

constexpr std::chrono::seconds kJoinTimeout(10);
constexpr std::chrono::seconds kCheckTimeout(1);
constexpr std::chrono::milliseconds kRetryPause(100);

absl::Status Failed(const std::string& message) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, message);
}

absl::StatusOr<ports::PeerReply> Ask(ports::PeerClient& client, const std::string& url,
                                     std::string path, std::chrono::nanoseconds timeout) {
  std::promise<absl::StatusOr<ports::PeerReply>> answer;
  ports::PeerRequest request;
  request.path = std::move(path);
  client.Ask(url, std::move(request), timeout, [&answer](absl::StatusOr<ports::PeerReply> reply) {
    answer.set_value(std::move(reply));
  });
  return answer.get_future().get();
}

// Of all other listed members, ascending.
std::vector<std::string> OtherUrls(const config::Config& config) {
  std::vector<std::string> urls;
  for (const auto& [name, own] : config.initial_members) {
    if (name != config.name) urls.insert(urls.end(), own.begin(), own.end());
  }
  std::sort(urls.begin(), urls.end());
  return urls;
}

std::vector<node::InitialMember> Initial(const config::Config& config) {
  std::vector<node::InitialMember> out;
  out.reserve(config.initial_members.size());
  for (const auto& [name, urls] : config.initial_members) out.push_back({name, urls});
  return out;
}

// Answers that may come after one has been good enough.
struct Race {
  std::mutex mu;
  std::condition_variable changed;
  std::size_t missing = 0;
  std::optional<node::ListedCluster> found;
};

void Note(Race& race, const std::string& url, const absl::StatusOr<ports::PeerReply>& reply) {
  auto listed = reply.ok() ? node::ParseMembersReply(*reply)
                           : absl::StatusOr<node::ListedCluster>(reply.status());
  if (!listed.ok()) {
    LOG_WARN("failed to get cluster response", {"address", url + "/members"},
             {"error", listed.status()});
  }
  const std::lock_guard lock(race.mu);
  --race.missing;
  if (listed.ok() && !race.found.has_value()) race.found = *std::move(listed);
  race.changed.notify_all();
}

// The first address of the name, as text.
absl::StatusOr<std::string> ResolveHostPort(const std::string& host_port) {
  ASSIGN_OR_RETURN(const config::HostPort parts, config::SplitHostPort(host_port));
  if (config::IsIpLiteral(parts.host)) return host_port;
  ASSIGN_OR_RETURN(const std::vector<net::Address> found,
                   net::Resolve({parts.host, parts.port, {}}));
  return net::ToText(found.front());
}

// The cluster version that this member will work at.
absl::StatusOr<std::string> AskVersions(const node::JoinedCluster& cluster,
                                        ports::PeerClient& client) {
  std::vector<node::PeerVersions> versions;
  bool downgrade = false;
  for (const membership::Member& member : cluster.members) {
    if (member.id == cluster.own_id) continue;
    for (const std::string& url : member.peer_urls) {
      const auto reply = Ask(client, url, "/version", kJoinTimeout);
      auto parsed = reply.ok() ? node::ParseVersionReply(*reply)
                               : absl::StatusOr<node::PeerVersions>(reply.status());
      if (!parsed.ok()) {
        LOG_WARN("failed to get version of remote peer", {"remote-peer", url},
                 {"error", parsed.status()});
        continue;
      }
      versions.push_back(*std::move(parsed));
      const auto enabled = Ask(client, url, "/downgrade/enabled", kCheckTimeout);
      downgrade = downgrade || (enabled.ok() && enabled->status == 200 && enabled->body == "true");
      break;
    }
  }
  return node::CheckJoinVersions(versions, downgrade, config::kEtcdVersion);
}

}  // namespace

// All are asked at once, the first good answer counts: members that have just been started as well
// have bound their ports, and answer nobody yet.
std::optional<node::ListedCluster> FetchCluster(const std::vector<std::string>& urls,
                                                ports::PeerClient& client,
                                                std::chrono::nanoseconds timeout) {
  const auto race = std::make_shared<Race>();
  race->missing = urls.size();
  for (const std::string& url : urls) {
    ports::PeerRequest request;
    request.path = "/members";
    client.Ask(
        url, std::move(request), timeout,
        [race, url](const absl::StatusOr<ports::PeerReply>& reply) { Note(*race, url, reply); });
  }
  std::unique_lock lock(race->mu);
  race->changed.wait(lock, [&] { return race->missing == 0 || race->found.has_value(); });
  return race->found;
}

absl::StatusOr<node::JoinedCluster> AskToJoin(const config::Config& config,
                                              ports::PeerClient& client) {
  const auto listed = FetchCluster(OtherUrls(config), client, kJoinTimeout);
  if (!listed.has_value()) {
    return Failed(
        "cannot fetch cluster info from peer urls: could not retrieve cluster information from "
        "the given URLs");
  }
  ASSIGN_OR_RETURN(node::JoinedCluster cluster,
                   node::MatchCluster(Initial(config), config.name, *listed, ResolveHostPort));
  const auto learners = std::ranges::count_if(
      cluster.members, [](const membership::Member& m) { return m.is_learner; });
  if (learners > config.max_learners) {
    return Failed("membership: too many learner members in cluster");
  }
  ASSIGN_OR_RETURN(cluster.version, AskVersions(cluster, client));
  return cluster;
}

absl::Status CheckNotBootstrapped(const config::Config& config, ports::PeerClient& client) {
  const std::vector<std::string> others = OtherUrls(config);
  if (others.empty()) return absl::OkStatus();
  const auto listed = FetchCluster(others, client, kCheckTimeout);
  const MemberId id = membership::MakeMemberId(config.initial_members.at(config.name),
                                               config.initial_cluster_token, std::nullopt);
  if (!listed.has_value() || !node::IsBootstrapped(*listed, id)) return absl::OkStatus();
  return Failed(
      fmt::format("member {} has already been bootstrapped", base::FormatHex(id.value())));
}

absl::StatusOr<node::JoinedCluster> AskToRejoin(const std::vector<std::string>& urls,
                                                ClusterId cluster, MemberId own_id,
                                                ports::PeerClient& client) {
  const auto give_up = std::chrono::steady_clock::now() + kJoinTimeout;
  const auto is_self = [&](const membership::Member& m) { return m.id == own_id; };
  while (true) {
    const auto listed = FetchCluster(urls, client, kCheckTimeout);
    if (listed.has_value() && listed->id == cluster &&
        std::ranges::any_of(listed->members, is_self)) {
      node::JoinedCluster joined{cluster, own_id, listed->members, ""};
      ASSIGN_OR_RETURN(joined.version, AskVersions(joined, client));
      return joined;
    }
    if (std::chrono::steady_clock::now() >= give_up) {
      return Failed("no other member lists member " + base::FormatHex(own_id.value()));
    }
    std::this_thread::sleep_for(kRetryPause);
  }
}

absl::Status CheckAgainstPeers(node::Member& member, ports::PeerClient& client,
                               std::chrono::nanoseconds timeout) {
  const std::string id = base::FormatHex(member.member_id().value());
  LOG_INFO("starting initial corruption check", {"local-member-id", id}, {"timeout", timeout});
  const auto own = node::HashOfHead(member.store());
  if (!own.ok()) {
    return base::MakeStatus(own.status().code(), fmt::format("{} failed to fetch hash ({})", id,
                                                             base::MessageOf(own.status())));
  }
  std::vector<membership::Member> members;
  for (const node::MemberInfo& info : member.Members()) {
    members.push_back({info.id, info.peer_urls, info.is_learner, info.name, info.client_urls});
  }
  std::promise<std::vector<node::PeerHash>> answers;
  node::AskPeerHashes(
      client, {member.member_id(), member.cluster_id(), own->hash_revision, timeout}, members,
      [&answers](std::vector<node::PeerHash> peers) { answers.set_value(std::move(peers)); });
  return node::CheckInitialHash(member.member_id(), *own, answers.get_future().get());
}

}  // namespace etcd::server
