// The client against one member: ours, and Debian's Go etcd.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "client/client.h"
#include "server/base/errc.h"
#include "tests/support/peer_etcd.h"
#include "tests/support/temp_dir.h"

namespace etcd::client {
namespace {

constexpr char kDebianEtcd[] = "/usr/bin/etcd";

class MemberTest : public ::testing::TestWithParam<std::string> {
 protected:
  MemberTest() : etcd_(GetParam(), directory_.path() + "/data") {}

  void SetUp() override {
    ASSERT_TRUE(etcd_.Start()) << etcd_.Log();
    auto client = Client::Create({.endpoints = {etcd_.client_url()}});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  testing::TempDir directory_;
  testing::PeerEtcd etcd_;
  std::unique_ptr<Client> client_;
};

TEST_P(MemberTest, StatusPutGetAndMemberList) {
  const auto status = client_->Status();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_NE(status->header.cluster_id, ClusterId());
  EXPECT_EQ(status->leader, status->header.member_id);
  const auto put = client_->Put({.key = "a", .value = "1"});
  ASSERT_TRUE(put.ok()) << put.status();
  const auto got = client_->Range(RangeRequest::Key("a"));
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->kvs.size(), 1U);
  EXPECT_EQ(got->kvs[0].value, "1");
  EXPECT_EQ(got->kvs[0].mod_revision, put->header.revision);
  const auto members = client_->MemberList(Client::Consistency::kLinearizable);
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->members.size(), 1U);
  EXPECT_EQ(members->members[0].id, status->header.member_id);
  EXPECT_EQ(members->members[0].peer_urls, std::vector<std::string>{etcd_.peer_url()});
}

INSTANTIATE_TEST_SUITE_P(Servers, MemberTest, ::testing::Values(ETCD_BINARY, kDebianEtcd),
                         [](const auto& server) {
                           return std::string(server.param == kDebianEtcd ? "Debian" : "Ours");
                         });

}  // namespace
}  // namespace etcd::client
