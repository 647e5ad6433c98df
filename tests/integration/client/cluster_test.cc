// The client against three members of ours: membership, leadership, and what it says of writes
// while members are killed and stand still.
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "client/client.h"
#include "server/base/errc.h"
#include "tests/support/peer_etcd.h"
#include "tests/support/temp_dir.h"

namespace etcd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kPatience{60};

class ClusterTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kMembers = 3;

  void SetUp() override {
    std::string initial;
    for (std::size_t i = 0; i < kMembers; ++i) {
      members_.push_back(NewMember("m" + std::to_string(i)));
      initial +=
          (i > 0 ? "," : "") + std::string("m") + std::to_string(i) + "=" + members_[i]->peer_url();
    }
    for (auto& member : members_) {
      member->AddFlag("--initial-cluster=" + initial);
      member->Launch();
    }
    Config config;
    for (auto& member : members_) {
      ASSERT_TRUE(member->AwaitReady(kPatience)) << member->Log();
      config.endpoints.push_back(member->client_url());
    }
    config.call_timeout = kPatience;
    auto client = Client::Create(config);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  std::unique_ptr<testing::PeerEtcd> NewMember(const std::string& name) {
    auto member = std::make_unique<testing::PeerEtcd>(ETCD_BINARY, directory_.path() + "/" + name);
    member->AddFlag("--name=" + name);
    return member;
  }
  CallOptions At(std::size_t member) const {
    CallOptions options;
    options.endpoint = members_[member]->client_url();
    return options;
  }
  // The member that leads, in the eyes of all; kMembers when they do not agree in time.
  std::size_t Leader() {
    std::size_t leader = kMembers;
    Eventually([&] {
      std::array<StatusResponse, kMembers> seen;
      for (std::size_t i = 0; i < kMembers; ++i) {
        const auto status = client_->Status(At(i));
        if (!status.ok() || status->leader == MemberId()) return false;
        seen[i] = *status;
      }
      for (std::size_t i = 0; i < kMembers; ++i) {
        if (seen[i].leader != seen[0].leader) return false;
        if (seen[i].leader == seen[i].header.member_id) leader = i;
      }
      return leader < kMembers;
    });
    return leader;
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    const auto end = steady_clock::now() + kPatience;
    while (!condition()) {
      if (steady_clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(20));  // poll interval, not a wait
    }
    return true;
  }

  testing::TempDir directory_;
  std::vector<std::unique_ptr<testing::PeerEtcd>> members_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClusterTest, AMemberJoinsAsALearnerVotesAndLeaves) {
  auto fourth = NewMember("m3");
  absl::StatusOr<MemberAddResponse> added;
  // Refused until all members have been connected for some seconds.
  ASSERT_TRUE(Eventually([&] {
    added = client_->MemberAddAsLearner({fourth->peer_url()});
    return added.ok() || ErrcOf(added.status()) != Errc::kUnhealthyCluster;
  }));
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_TRUE(added->member.is_learner);
  EXPECT_EQ(added->members.size(), 4U);
  const MemberId id = added->member.id;
  // Within the same second it is the id that exists: that is made of URLs and time. On a busy
  // machine members lose each other for a moment.
  std::optional<Errc> again;
  EXPECT_TRUE(Eventually([&] {
    again = ErrcOf(client_->MemberAddAsLearner({fourth->peer_url()}).status());
    return again != Errc::kMemberExists && again != Errc::kUnhealthyCluster;
  }));
  EXPECT_EQ(again, Errc::kPeerUrlExists);
  EXPECT_EQ(ErrcOf(client_->MemberPromote(id).status()), Errc::kLearnerNotReady);

  std::string initial;
  for (const Member& member : added->members) {
    initial += (initial.empty() ? "" : ",") + (member.id == id ? std::string("m3") : member.name) +
               "=" + member.peer_urls[0];
  }
  fourth->AddFlag("--initial-cluster=" + initial);
  fourth->AddFlag("--initial-cluster-state=existing");
  fourth->Launch();
  std::vector<std::string> endpoints = client_->endpoints();
  endpoints.push_back(fourth->client_url());
  ASSERT_TRUE(client_->SetEndpoints(endpoints).ok());
  CallOptions at_fourth;
  at_fourth.endpoint = fourth->client_url();
  absl::StatusOr<StatusResponse> status;
  ASSERT_TRUE(Eventually([&] {
    status = client_->Status(at_fourth);
    return status.ok() && status->is_learner;
  })) << status.status();
  EXPECT_EQ(status->header.member_id, id);

  // By name it refuses; without a name somebody else is asked.
  PutRequest put;
  put.key = "a";
  EXPECT_EQ(ErrcOf(client_->Put(put, at_fourth).status()), Errc::kNotSupportedForLearner);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(client_->Put(put).ok());

  absl::StatusOr<MembersResponse> promoted;
  ASSERT_TRUE(Eventually([&] {
    promoted = client_->MemberPromote(id);
    return promoted.ok() || ErrcOf(promoted.status()) != Errc::kLearnerNotReady;
  }));
  ASSERT_TRUE(promoted.ok()) << promoted.status();
  for (const Member& member : promoted->members) EXPECT_FALSE(member.is_learner);

  const auto updated = client_->MemberUpdate(id, {fourth->peer_url(), "http://127.0.0.1:1"});
  ASSERT_TRUE(updated.ok()) << updated.status();
  absl::StatusOr<MembersResponse> removed;
  ASSERT_TRUE(Eventually([&] {
    removed = client_->MemberRemove(id);
    return removed.ok() || ErrcOf(removed.status()) != Errc::kUnhealthyCluster;
  }));
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(removed->members.size(), 3U);
  ASSERT_TRUE(client_->SetEndpoints({endpoints.begin(), endpoints.end() - 1}).ok());
  EXPECT_EQ(ErrcOf(client_->MemberRemove(id).status()), Errc::kMemberNotFound);
}

TEST_F(ClusterTest, LeadershipMovesWhereItIsToldTo) {
  const std::size_t leader = Leader();
  ASSERT_LT(leader, kMembers);
  const std::size_t next = (leader + 1) % kMembers;
  const auto status = client_->Status(At(next));
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(ErrcOf(client_->MoveLeader(status->header.member_id, At(next))), Errc::kNotLeader);
  EXPECT_EQ(ErrcOf(client_->MoveLeader(MemberId(1), At(leader))), Errc::kBadLeaderTransferee);
  const absl::Status moved = client_->MoveLeader(status->header.member_id, At(leader));
  ASSERT_TRUE(moved.ok()) << moved;
  EXPECT_EQ(Leader(), next);
}

TEST_F(ClusterTest, HashesAndSnapshotsOfAllMembersAgree) {
  PutRequest put;
  put.key = "a";
  Revision revision;
  for (int i = 0; i < 20; ++i) {
    put.value = std::to_string(i);
    const auto done = client_->Put(put);
    ASSERT_TRUE(done.ok()) << done.status();
    revision = done->header.revision;
  }
  std::vector<std::uint32_t> hashes;
  for (std::size_t i = 0; i < kMembers; ++i) {
    ASSERT_TRUE(client_->Range(RangeRequest::Key("a"), At(i)).ok());  // has applied it all
    const auto hash = client_->HashKv(revision, At(i));
    ASSERT_TRUE(hash.ok()) << hash.status();
    hashes.push_back(hash->hash);
    const auto snapshot =
        client_->Snapshot([](std::string_view, std::uint64_t) { return absl::OkStatus(); }, At(i));
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
  }
  EXPECT_EQ(hashes, std::vector<std::uint32_t>(kMembers, hashes[0]));
}

// What became of a writer's keys, in the client's words.
struct Written {
  std::vector<std::string> acknowledged;
  std::vector<std::string> not_applied;
  std::size_t unknown = 0;
};

void Write(Client& client, const std::string& name, const std::atomic<bool>& stop, Written& to) {
  for (int i = 0; !stop; ++i) {
    PutRequest put;
    put.key = name + "/" + std::to_string(i);
    CallOptions options;
    options.timeout = milliseconds(1500);
    const absl::Status status = client.Put(put, options).status();
    if (status.ok()) {
      to.acknowledged.push_back(put.key);
    } else if (OutcomeOf(status) == Outcome::kNotApplied) {
      to.not_applied.push_back(put.key);
    } else {
      ++to.unknown;
    }
  }
}

// Threads that write until they are told to stop.
class Writers {
 public:
  Writers(Client& client, std::size_t count) : written(count) {
    for (std::size_t i = 0; i < count; ++i) {
      threads_.emplace_back(
          [this, &client, i] { Write(client, "w" + std::to_string(i), stop_, written[i]); });
    }
  }
  ~Writers() { Stop(); }
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::vector<Written> written;  // to be read after Stop

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

TEST_F(ClusterTest, WhatIsSaidOfAWriteIsTrueWhileMembersFail) {
  Writers writers(*client_, 3);
  for (std::size_t round = 0; round < 6; ++round) {
    const std::size_t leader = Leader();
    ASSERT_LT(leader, kMembers);
    const std::size_t victim = round % 2 == 0 ? leader : (leader + 1) % kMembers;
    if (round % 3 == 2) {
      // Stands still until the others have a leader of their own.
      members_[victim]->Signal(SIGSTOP);
      EXPECT_TRUE(Eventually([&] {
        const auto status = client_->Status(At((victim + 1) % kMembers));
        return status.ok() && status->leader != MemberId();
      }));
      members_[victim]->Signal(SIGCONT);
    } else {
      members_[victim]->Kill();
      ASSERT_TRUE(members_[victim]->Start(kPatience)) << members_[victim]->Log();
    }
  }
  writers.Stop();

  std::size_t acknowledged = 0;
  for (const Written& one : writers.written) {
    acknowledged += one.acknowledged.size();
    for (const std::string& key : one.acknowledged) {
      const auto got = client_->Range(RangeRequest::Key(key));
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(got->count, 1) << key << " was acknowledged and is lost";
    }
    for (const std::string& key : one.not_applied) {
      const auto got = client_->Range(RangeRequest::Key(key));
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(got->count, 0) << key << " was said to be without effect";
    }
  }
  EXPECT_GT(acknowledged, 0U);
}

}  // namespace
}  // namespace etcd::client
