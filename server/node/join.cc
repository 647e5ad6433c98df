#include "server/node/join.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/versions.h"

namespace etcd::node {
namespace {

absl::Status Invalid(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

std::string_view HeaderOf(const ports::PeerReply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return {};
}

// The text of a URL with its host resolved; unix sockets and "localhost" stay as they are.
absl::StatusOr<std::string> Resolved(const std::string& url, const Resolver& resolve) {
  const std::size_t host_at = url.find("://");
  if (host_at == std::string::npos || url.starts_with("unix")) return url;
  const std::string host = url.substr(host_at + 3);
  if (host.starts_with("localhost:")) return url;
  ASSIGN_OR_RETURN(const std::string address, resolve(host));
  return url.substr(0, host_at + 3) + address;
}

// OK when both lists name the same places, in any order.
absl::Status SameUrls(std::vector<std::string> a, std::vector<std::string> b,
                      const Resolver& resolve) {
  if (a.size() != b.size()) return Invalid("the numbers of URLs differ");
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  if (a == b) return absl::OkStatus();
  for (auto* urls : {&a, &b}) {
    for (std::string& url : *urls) {
      ASSIGN_OR_RETURN(url, Resolved(url, resolve));
    }
    std::sort(urls->begin(), urls->end());
  }
  if (a == b) return absl::OkStatus();
  return Invalid(fmt::format("resolved urls: {} != {}", a, b));
}

std::string Describe(const ListedCluster& cluster) {
  std::vector<std::string> members;
  for (const membership::Member& m : cluster.members) {
    members.push_back(
        fmt::format("&{{ID:{} RaftAttributes:{{PeerURLs:[{}] IsLearner:{}}} "
                    "Attributes:{{Name:{} ClientURLs:[{}]}}}}",
                    base::FormatHex(m.id.value()), fmt::join(m.peer_urls, " "), m.is_learner,
                    m.name, fmt::join(m.client_urls, " ")));
  }
  return fmt::format("{{ClusterID:{} Members:[{}] RemovedMemberIDs:[]}}",
                     base::FormatHex(cluster.id.value()), fmt::join(members, " "));
}

std::string ReadText(const nlohmann::json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

}  // namespace

absl::StatusOr<ListedCluster> ParseMembersReply(const ports::PeerReply& reply) {
  if (reply.status != 200) return Invalid(fmt::format("answered {}", reply.status));
  ListedCluster out;
  const std::string_view id = HeaderOf(reply, "x-etcd-cluster-id");
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), value, 16);
  if (id.empty() || error != std::errc() || end != id.data() + id.size()) {
    return Invalid("the answer carries no cluster id");
  }
  out.id = ClusterId(value);
  ASSIGN_OR_RETURN(out.members, membership::DecodeMembers(reply.body));
  if (out.members.empty()) return Invalid("the answer lists no member");
  return out;
}

absl::StatusOr<PeerVersions> ParseVersionReply(const ports::PeerReply& reply) {
  if (reply.status != 200) return Invalid(fmt::format("answered {}", reply.status));
  const auto json = nlohmann::json::parse(reply.body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Invalid("the answer is no version");
  PeerVersions out = {ReadText(json, "etcdserver"), ReadText(json, "etcdcluster"),
                      ReadText(json, kTrueVersionKey)};
  if (MinorOf(out.server) < 0) return Invalid("the answer is no version");
  return out;
}

absl::StatusOr<JoinedCluster> MatchCluster(const std::vector<InitialMember>& initial,
                                           const std::string& own_name, const ListedCluster& listed,
                                           const Resolver& resolve) {
  const auto refuse = [&](const std::string& why) {
    return Invalid(fmt::format("error validating peerURLs {}: {}", Describe(listed), why));
  };
  if (initial.size() != listed.members.size()) return refuse("member count is unequal");
  JoinedCluster out;
  out.id = listed.id;
  for (const membership::Member& member : listed.members) {
    absl::Status last;
    const auto found = std::find_if(initial.begin(), initial.end(), [&](const InitialMember& own) {
      const absl::Status same = SameUrls(member.peer_urls, own.peer_urls, resolve);
      if (!same.ok()) last = same;
      return same.ok();
    });
    if (found == initial.end()) {
      return refuse(fmt::format(
          "PeerURLs: no match found for existing member ({}, [{}]), last resolver error ({})",
          base::FormatHex(member.id.value()), fmt::join(member.peer_urls, " "),
          base::MessageOf(last)));
    }
    if (found->name == own_name) out.own_id = member.id;
    out.members.push_back(member);
  }
  if (!out.own_id) return refuse("this member is not among them");
  return out;
}

absl::StatusOr<std::string> CheckJoinVersions(const std::vector<PeerVersions>& peers,
                                              bool downgrade_enabled, std::string_view own) {
  const int own_minor = MinorOf(own);
  const int lowest = downgrade_enabled ? own_minor + 1 : 0;
  const int highest = downgrade_enabled ? own_minor + 1 : own_minor;
  int found = -1;
  for (const PeerVersions& peer : peers) {
    const int minor = MinorOf(peer.cluster);
    if (minor < 0) continue;  // not decided yet
    if (minor >= lowest && minor <= highest) {
      found = std::max(found, minor);
      continue;
    }
    LOG_WARN("cluster version of remote member is not compatible",
             {"remote-member-cluster-version", peer.cluster}, {"local-member-version", own},
             {"reason", minor > highest ? "too high" : "too low"});
    return Invalid("incompatible with current running cluster");
  }
  if (found < 0) return Invalid("incompatible with current running cluster");
  return ClusterVersionOf(found);
}

bool IsBootstrapped(const ListedCluster& listed, MemberId id) {
  return std::any_of(listed.members.begin(), listed.members.end(), [&](const auto& member) {
    return member.id == id && !member.client_urls.empty();
  });
}

}  // namespace etcd::node
