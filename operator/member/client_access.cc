#include "operator/member/client_access.h"

#include <chrono>
#include <utility>

#include "client/client.h"
#include "server/base/status.h"

namespace etcd::member {
namespace {

// Deadlines (operator-spec 6.7).
constexpr std::chrono::seconds kStatusTimeout{3};
constexpr std::chrono::seconds kListTimeout{5};
constexpr std::chrono::seconds kChangeTimeout{5};
constexpr std::chrono::minutes kUnusedMax{10};

client::CallOptions To(const std::string& url, std::chrono::milliseconds timeout) {
  client::CallOptions options;
  options.timeout = timeout;
  options.endpoint = url;
  return options;
}

bool Names(const std::vector<std::string>& errors, std::string_view alarm) {
  for (const std::string& error : errors) {
    if (error.find(alarm) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

ClientAccess::~ClientAccess() = default;

absl::StatusOr<std::shared_ptr<client::Client>> ClientAccess::ClientOf(const std::string& url) {
  const auto now = clock_.Now();
  std::vector<std::shared_ptr<client::Client>> unused;  // closed without the lock
  const std::lock_guard lock(mu_);
  std::erase_if(clients_, [&](auto& item) {
    if (item.first == url || now - item.second.used < kUnusedMax) return false;
    unused.push_back(std::move(item.second.client));
    return true;
  });
  Entry& entry = clients_[url];
  entry.used = now;
  if (entry.client == nullptr) {
    client::Config config;
    config.endpoints = {url};
    config.dial_timeout = kStatusTimeout;
    absl::StatusOr<std::unique_ptr<client::Client>> made = client::Client::Create(config);
    if (!made.ok()) {
      clients_.erase(url);
      return made.status();
    }
    entry.client = *std::move(made);
  }
  return entry.client;
}

absl::StatusOr<Answer> ClientAccess::Status(const std::string& url) {
  ASSIGN_OR_RETURN(const std::shared_ptr<client::Client> client, ClientOf(url));
  ASSIGN_OR_RETURN(const client::StatusResponse status, client->Status(To(url, kStatusTimeout)));
  Answer answer;
  answer.cluster = status.header.cluster_id;
  answer.id = status.header.member_id;
  answer.leader = status.leader;
  answer.is_learner = status.is_learner;
  answer.raft_term = status.raft_term.value();
  answer.raft_index = status.raft_index.value();
  answer.applied_index = status.raft_applied_index.value();
  answer.db_size = status.db_size_bytes;
  answer.db_size_in_use = status.db_size_in_use_bytes;
  answer.version = status.version;
  answer.cluster_version = status.storage_version;
  // AlarmList would write an entry into the log each time.
  answer.has_no_space = Names(status.errors, "NOSPACE");
  answer.is_corrupt = Names(status.errors, "CORRUPT");
  return answer;
}

absl::StatusOr<MemberList> ClientAccess::List(const std::string& url) {
  ASSIGN_OR_RETURN(const std::shared_ptr<client::Client> client, ClientOf(url));
  ASSIGN_OR_RETURN(
      const client::MembersResponse response,
      client->MemberList(client::Client::Consistency::kLinearizable, To(url, kListTimeout)));
  MemberList list{.cluster = response.header.cluster_id};
  for (const client::Member& member : response.members) {
    list.members.push_back({.id = member.id,
                            .name = member.name,
                            .peer_urls = member.peer_urls,
                            .is_learner = member.is_learner});
  }
  return list;
}

absl::Status ClientAccess::AddLearner(const std::string& url, const std::string& peer_url) {
  ASSIGN_OR_RETURN(const std::shared_ptr<client::Client> client, ClientOf(url));
  return client->MemberAddAsLearner({peer_url}, To(url, kChangeTimeout)).status();
}

absl::Status ClientAccess::Promote(const std::string& url, MemberId id) {
  ASSIGN_OR_RETURN(const std::shared_ptr<client::Client> client, ClientOf(url));
  return client->MemberPromote(id, To(url, kChangeTimeout)).status();
}

absl::Status ClientAccess::Remove(const std::string& url, MemberId id) {
  ASSIGN_OR_RETURN(const std::shared_ptr<client::Client> client, ClientOf(url));
  return client->MemberRemove(id, To(url, kChangeTimeout)).status();
}

absl::Status ClientAccess::MoveLeader(const std::string& url, MemberId to) {
  ASSIGN_OR_RETURN(const std::shared_ptr<client::Client> client, ClientOf(url));
  return client->MoveLeader(to, To(url, kChangeTimeout));
}

}  // namespace etcd::member
