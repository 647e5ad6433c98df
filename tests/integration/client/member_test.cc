// The client against one member: ours, and Debian's Go etcd 3.4.
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "client/client.h"
#include "server/base/errc.h"
#include "tests/support/peer_etcd.h"
#include "tests/support/temp_dir.h"

namespace etcd::client {
namespace {

constexpr char kDebianEtcd[] = "/usr/bin/etcd";
constexpr char kEtcdctl[] = "/usr/bin/etcdctl";

class MemberTest : public ::testing::TestWithParam<std::string> {
 protected:
  MemberTest() : etcd_(GetParam(), directory_.path() + "/data") {}

  void SetUp() override {
    ASSERT_TRUE(etcd_.Start(std::chrono::seconds(60))) << etcd_.Log();
    Config config;
    config.endpoints = {etcd_.client_url()};
    config.call_timeout = std::chrono::seconds(60);
    auto client = Client::Create(config);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  bool is_debian() const { return GetParam() == kDebianEtcd; }

  // Puts and gives its revision.
  Revision PutKey(const std::string& key, const std::string& value) {
    PutRequest request;
    request.key = key;
    request.value = value;
    const auto put = client_->Put(request);
    EXPECT_TRUE(put.ok()) << put.status();
    return put.ok() ? put->header.revision : Revision();
  }

  testing::TempDir directory_;
  testing::PeerEtcd etcd_;
  std::unique_ptr<Client> client_;
};

TEST_P(MemberTest, StatusAndMemberListSayWhoItIs) {
  const auto status = client_->Status();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_NE(status->header.cluster_id, ClusterId());
  EXPECT_EQ(status->leader, status->header.member_id);
  EXPECT_GE(status->raft_index, status->raft_applied_index);
  EXPECT_GT(status->raft_term, Term());
  EXPECT_GT(status->db_size_bytes, 0);
  EXPECT_FALSE(status->is_learner);
  EXPECT_EQ(status->version.substr(0, 3), is_debian() ? "3.4" : "3.6");
  for (const auto consistency :
       {Client::Consistency::kLinearizable, Client::Consistency::kSerializable}) {
    const auto members = client_->MemberList(consistency);
    ASSERT_TRUE(members.ok()) << members.status();
    ASSERT_EQ(members->members.size(), 1U);
    EXPECT_EQ(members->members[0].id, status->header.member_id);
    EXPECT_EQ(members->members[0].name, "default");
    EXPECT_EQ(members->members[0].peer_urls, std::vector<std::string>{etcd_.peer_url()});
    EXPECT_EQ(members->members[0].client_urls, std::vector<std::string>{etcd_.client_url()});
    EXPECT_EQ(members->header.cluster_id, status->header.cluster_id);
  }
}

TEST_P(MemberTest, RangesByPrefixRevisionLimitAndCount) {
  PutKey("a/1", "1");
  const Revision second = PutKey("a/2", "2");
  PutKey("a/3", "3");
  PutKey("b", "4");
  RangeRequest prefix = RangeRequest::Prefix("a/");
  auto got = client_->Range(prefix);
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->kvs.size(), 3U);
  EXPECT_EQ(got->kvs[1].value, "2");
  EXPECT_EQ(got->kvs[1].mod_revision, second);
  prefix.limit = 1;
  prefix.revision = second;
  prefix.sort_order = SortOrder::kDescend;
  got = client_->Range(prefix);
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->kvs.size(), 1U);
  EXPECT_EQ(got->kvs[0].key, "a/2");
  EXPECT_TRUE(got->more);
  EXPECT_EQ(got->count, 2);
  RangeRequest all = RangeRequest::Prefix("");
  all.count_only = true;
  all.serializable = true;
  got = client_->Range(all);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->count, 4);
  EXPECT_TRUE(got->kvs.empty());
}

TEST_P(MemberTest, PutsDeletesAndTransactionsSayWhatWasThere) {
  PutKey("a", "1");
  PutRequest put;
  put.key = "a";
  put.value = "2";
  put.prev_kv = true;
  const auto second = client_->Put(put);
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_TRUE(second->has_prev_kv);
  EXPECT_EQ(second->prev_kv.value, "1");
  TxnRequest txn;
  txn.compares.push_back({.key = "a",
                          .target = Compare::Target::kModRevision,
                          .number = second->header.revision.value()});
  put.value = "3";
  txn.success = {put, RangeRequest::Key("a")};
  txn.failure = {RangeRequest::Key("a")};
  auto done = client_->Txn(txn);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_TRUE(done->succeeded);
  ASSERT_EQ(done->responses.size(), 2U);
  EXPECT_EQ(std::get<RangeResponse>(done->responses[1]).kvs.at(0).value, "3");
  done = client_->Txn(txn);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_FALSE(done->succeeded);
  ASSERT_EQ(done->responses.size(), 1U);
  DeleteRequest request;
  request.key = "a";
  request.prev_kv = true;
  const auto deleted = client_->Delete(request);
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(deleted->deleted, 1);
  ASSERT_EQ(deleted->prev_kvs.size(), 1U);
  EXPECT_EQ(deleted->prev_kvs[0].value, "3");
}

TEST_P(MemberTest, ErrorsAreFound) {
  const Revision first = PutKey("a", "1");
  const Revision second = PutKey("a", "2");
  ASSERT_TRUE(client_->Compact(second, true).ok());
  RangeRequest old = RangeRequest::Key("a");
  old.revision = first;
  EXPECT_EQ(ErrcOf(client_->Range(old).status()), Errc::kCompacted);
  old.revision = second + 1;
  EXPECT_EQ(ErrcOf(client_->Range(old).status()), Errc::kFutureRevision);
  EXPECT_EQ(ErrcOf(client_->Compact(first, false).status()), Errc::kCompacted);
  EXPECT_EQ(ErrcOf(client_->Put({}).status()), Errc::kEmptyKey);
  PutRequest leased;
  leased.key = "a";
  leased.lease = LeaseId(5);
  EXPECT_EQ(ErrcOf(client_->Put(leased).status()), Errc::kLeaseNotFound);
  EXPECT_EQ(ErrcOf(client_->MemberRemove(MemberId(5)).status()), Errc::kMemberNotFound);
  EXPECT_EQ(ErrcOf(client_->MemberAdd({"nonsense"}).status()), Errc::kMemberBadUrls);
  EXPECT_EQ(ErrcOf(client_->MoveLeader(MemberId(5))), Errc::kBadLeaderTransferee);
  const auto status = client_->Status();
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(ErrcOf(client_->MemberPromote(status->leader).status()), Errc::kMemberNotLearner);
}

TEST_P(MemberTest, ATooLargeRequestIsRefusedWithoutEffect) {
  PutRequest put;
  put.key = "a";
  put.value = std::string(1'600'000, 'x');  // above the limit of proposals
  auto status = client_->Put(put).status();
  EXPECT_EQ(ErrcOf(status), Errc::kRequestTooLarge) << status;
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotApplied);
  put.value = std::string(3'000'000, 'x');  // above that of messages
  status = client_->Put(put).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotApplied);
}

TEST_P(MemberTest, AlarmsHashAndDefragment) {
  const auto alarms = client_->AlarmList();
  ASSERT_TRUE(alarms.ok()) << alarms.status();
  EXPECT_TRUE(alarms->alarms.empty());
  const auto disarmed = client_->AlarmDisarm({MemberId(5), AlarmType::kNoSpace});
  ASSERT_TRUE(disarmed.ok()) << disarmed.status();
  EXPECT_TRUE(disarmed->alarms.empty());
  const auto empty = client_->HashKv(Revision(0));
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->hash, 1084519789U);
  EXPECT_EQ(empty->compact_revision, Revision(-1));
  PutKey("a", "1");
  const auto one = client_->HashKv(Revision(2));
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->hash, 2587454935U);
  EXPECT_TRUE(client_->Defragment().ok());
}

TEST_P(MemberTest, ASnapshotIsAFileThatEtcdctlReads) {
  // Some megabytes, so that it comes in many pieces.
  for (int i = 0; i < 40; ++i) PutKey("key" + std::to_string(i), std::string(100'000, 'v'));
  const std::string path = directory_.path() + "/snapshot.db";
  std::ofstream file(path, std::ios::binary);
  std::size_t largest = 0;
  std::uint64_t last_remaining = 1;
  const auto summary = client_->Snapshot(
      [&](std::string_view bytes, std::uint64_t remaining) {
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        largest = std::max(largest, bytes.size());
        last_remaining = remaining;
        return absl::OkStatus();
      },
      {});
  file.close();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_GT(summary->size_bytes, 4'000'000U);
  EXPECT_EQ(summary->image_sha256.size(), 64U);
  EXPECT_EQ(last_remaining, 0U);
  EXPECT_LE(largest, 1U << 20);
  ASSERT_EQ(::access(kEtcdctl, X_OK), 0);
  const std::string check = std::string("ETCDCTL_API=3 ") + kEtcdctl + " snapshot status " + path +
                            " > " + directory_.path() + "/status 2>&1";
  EXPECT_EQ(std::system(check.c_str()), 0);
}

TEST_P(MemberTest, AStoppedMemberIsNoAnswerAndComesBack) {
  PutKey("a", "1");
  etcd_.Stop();
  const auto refused = client_->Status({.endpoint = etcd_.client_url()});
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  PutRequest put;
  put.key = "a";
  put.value = "2";
  const auto lost = client_->Put(put, {.endpoint = etcd_.client_url()});
  EXPECT_TRUE(WasNeverSent(lost.status())) << lost.status();
  ASSERT_TRUE(etcd_.Start(std::chrono::seconds(60))) << etcd_.Log();
  // An unnamed call finds it by itself.
  EXPECT_TRUE(client_->Put(put).ok());
}

INSTANTIATE_TEST_SUITE_P(Servers, MemberTest, ::testing::Values(ETCD_BINARY, kDebianEtcd),
                         [](const auto& server) {
                           return std::string(server.param == kDebianEtcd ? "Debian" : "Ours");
                         });

}  // namespace
}  // namespace etcd::client
