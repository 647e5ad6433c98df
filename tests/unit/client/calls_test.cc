// Every field of requests and answers goes over the wire; values of the config are looked at.
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/unit/client/client_fixture.h"
#include "tests/unit/client/scripted_server.h"

namespace etcd::client {
namespace {

namespace pb = etcdserverpb;

template <typename Message>
Message Parsed(std::string_view bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

pb::ResponseHeader SomeHeader() {
  pb::ResponseHeader header;
  header.set_cluster_id(0xfedcba9876543210);
  header.set_member_id(0x8000000000000001);
  header.set_revision(7);
  header.set_raft_term(3);
  return header;
}

void ExpectSomeHeader(const ResponseHeader& header) {
  EXPECT_EQ(header.cluster_id, ClusterId(0xfedcba9876543210));
  EXPECT_EQ(header.member_id, MemberId(0x8000000000000001));
  EXPECT_EQ(header.revision, Revision(7));
  EXPECT_EQ(header.raft_term, Term(3));
}

mvccpb::KeyValue SomePair() {
  mvccpb::KeyValue kv;
  kv.set_key(std::string("k\0", 2));
  kv.set_value("v\xff");
  kv.set_create_revision(2);
  kv.set_mod_revision(5);
  kv.set_version(4);
  kv.set_lease(-6);
  return kv;
}

void ExpectSomePair(const KeyValue& kv) {
  EXPECT_EQ(kv.key, std::string("k\0", 2));
  EXPECT_EQ(kv.value, "v\xff");
  EXPECT_EQ(kv.create_revision, Revision(2));
  EXPECT_EQ(kv.mod_revision, Revision(5));
  EXPECT_EQ(kv.version, 4);
  EXPECT_EQ(kv.lease, LeaseId(-6));
}

// A server that keeps the last request and gives one answer.
class Calls : public ::testing::Test {
 protected:
  void Serve(const std::string& path, const google::protobuf::MessageLite& answer) {
    server_.On(path, [this, bytes = answer.SerializeAsString()](std::string_view request) {
      request_ = request;
      return bytes;
    });
    server_.Start();
    client_ = ClientOf({server_.endpoint()});
  }

  std::string request_;  // written before the answer, read after it
  ScriptedServer server_;
  std::unique_ptr<Client> client_;
};

TEST_F(Calls, Range) {
  pb::RangeResponse answer;
  *answer.mutable_header() = SomeHeader();
  *answer.add_kvs() = SomePair();
  answer.set_more(true);
  answer.set_count(9);
  Serve(kRangePath, answer);
  const auto got = client_->Range({.key = "a",
                                   .range_end = "b",
                                   .limit = 1,
                                   .revision = Revision(6),
                                   .sort_order = SortOrder::kDescend,
                                   .sort_target = SortTarget::kMod,
                                   .serializable = true,
                                   .keys_only = true,
                                   .count_only = true});
  ASSERT_TRUE(got.ok()) << got.status();
  ExpectSomeHeader(got->header);
  ASSERT_EQ(got->kvs.size(), 1U);
  ExpectSomePair(got->kvs[0]);
  EXPECT_TRUE(got->more);
  EXPECT_EQ(got->count, 9);
  const auto sent = Parsed<pb::RangeRequest>(request_);
  EXPECT_EQ(sent.ShortDebugString(),
            "key: \"a\" range_end: \"b\" limit: 1 revision: 6 sort_order: DESCEND sort_target: MOD "
            "serializable: true keys_only: true count_only: true");
}

TEST_F(Calls, Put) {
  pb::PutResponse answer;
  *answer.mutable_header() = SomeHeader();
  *answer.mutable_prev_kv() = SomePair();
  Serve(kPutPath, answer);
  const auto put = client_->Put({.key = "a",
                                 .value = "b",
                                 .lease = LeaseId(5),
                                 .prev_kv = true,
                                 .ignore_value = true,
                                 .ignore_lease = true});
  ASSERT_TRUE(put.ok()) << put.status();
  ExpectSomeHeader(put->header);
  EXPECT_TRUE(put->has_prev_kv);
  ExpectSomePair(put->prev_kv);
  EXPECT_EQ(Parsed<pb::PutRequest>(request_).ShortDebugString(),
            "key: \"a\" value: \"b\" lease: 5 prev_kv: true ignore_value: true ignore_lease: true");
}

TEST_F(Calls, Delete) {
  pb::DeleteRangeResponse answer;
  *answer.mutable_header() = SomeHeader();
  answer.set_deleted(2);
  *answer.add_prev_kvs() = SomePair();
  Serve(kDeletePath, answer);
  const auto deleted = client_->Delete({.key = "a", .range_end = "b", .prev_kv = true});
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  ExpectSomeHeader(deleted->header);
  EXPECT_EQ(deleted->deleted, 2);
  ASSERT_EQ(deleted->prev_kvs.size(), 1U);
  ExpectSomePair(deleted->prev_kvs[0]);
  EXPECT_EQ(Parsed<pb::DeleteRangeRequest>(request_).ShortDebugString(),
            "key: \"a\" range_end: \"b\" prev_kv: true");
}

TEST_F(Calls, Txn) {
  pb::TxnResponse answer;
  *answer.mutable_header() = SomeHeader();
  answer.set_succeeded(true);
  answer.add_responses()->mutable_response_put();
  answer.add_responses()->mutable_response_range()->set_count(3);
  answer.add_responses()->mutable_response_delete_range()->set_deleted(4);
  Serve(kTxnPath, answer);
  TxnRequest request;
  const std::pair<Compare::Target, Compare::Result> comparisons[] = {
      {Compare::Target::kVersion, Compare::Result::kEqual},
      {Compare::Target::kCreateRevision, Compare::Result::kGreater},
      {Compare::Target::kModRevision, Compare::Result::kLess},
      {Compare::Target::kLease, Compare::Result::kNotEqual}};
  for (const auto& [target, result] : comparisons) {
    request.compares.push_back({.key = "a", .target = target, .result = result, .number = 1});
  }
  request.compares.push_back(
      {.key = "a", .range_end = "b", .target = Compare::Target::kValue, .value = "v"});
  request.success = {PutRequest{.key = "p"}, RangeRequest{.key = "r"}};
  request.failure = {DeleteRequest{.key = "d"}};
  const auto done = client_->Txn(request);
  ASSERT_TRUE(done.ok()) << done.status();
  ExpectSomeHeader(done->header);
  EXPECT_TRUE(done->succeeded);
  ASSERT_EQ(done->responses.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<PutResponse>(done->responses[0]));
  EXPECT_EQ(std::get<RangeResponse>(done->responses[1]).count, 3);
  EXPECT_EQ(std::get<DeleteResponse>(done->responses[2]).deleted, 4);
  EXPECT_EQ(Parsed<pb::TxnRequest>(request_).ShortDebugString(),
            "compare { key: \"a\" version: 1 } "
            "compare { result: GREATER target: CREATE key: \"a\" create_revision: 1 } "
            "compare { result: LESS target: MOD key: \"a\" mod_revision: 1 } "
            "compare { result: NOT_EQUAL target: LEASE key: \"a\" lease: 1 } "
            "compare { target: VALUE key: \"a\" value: \"v\" range_end: \"b\" } "
            "success { request_put { key: \"p\" } } success { request_range { key: \"r\" } } "
            "failure { request_delete_range { key: \"d\" } }");
}

TEST_F(Calls, Status) {
  pb::StatusResponse answer;
  *answer.mutable_header() = SomeHeader();
  answer.set_version("3.6.16");
  answer.set_dbsize(1);
  answer.set_leader(2);
  answer.set_raftindex(3);
  answer.set_raftterm(4);
  answer.set_raftappliedindex(5);
  answer.add_errors("e");
  answer.set_dbsizeinuse(6);
  answer.set_islearner(true);
  answer.set_storageversion("3.6.0");
  answer.set_dbsizequota(7);
  answer.mutable_downgradeinfo()->set_enabled(true);
  answer.mutable_downgradeinfo()->set_targetversion("3.5.0");
  Serve(kStatusPath, answer);
  const auto status = client_->Status();
  ASSERT_TRUE(status.ok()) << status.status();
  ExpectSomeHeader(status->header);
  EXPECT_EQ(server_.api_version, "3.6");
  EXPECT_EQ(status->version, "3.6.16");
  EXPECT_EQ(status->db_size_bytes, 1);
  EXPECT_EQ(status->leader, MemberId(2));
  EXPECT_EQ(status->raft_index, Index(3));
  EXPECT_EQ(status->raft_term, Term(4));
  EXPECT_EQ(status->raft_applied_index, Index(5));
  EXPECT_EQ(status->errors, std::vector<std::string>{"e"});
  EXPECT_EQ(status->db_size_in_use_bytes, 6);
  EXPECT_TRUE(status->is_learner);
  EXPECT_EQ(status->storage_version, "3.6.0");
  EXPECT_EQ(status->db_size_quota_bytes, 7);
  EXPECT_TRUE(status->downgrade_enabled);
  EXPECT_EQ(status->downgrade_target_version, "3.5.0");
}

TEST_F(Calls, AlarmDisarm) {
  pb::AlarmResponse answer;
  pb::AlarmMember* alarm = answer.add_alarms();
  alarm->set_memberid(8);
  alarm->set_alarm(pb::CORRUPT);
  Serve(kAlarmPath, answer);
  const auto gone = client_->AlarmDisarm({MemberId(8), AlarmType::kCorrupt});
  ASSERT_TRUE(gone.ok()) << gone.status();
  ASSERT_EQ(gone->alarms.size(), 1U);
  EXPECT_EQ(gone->alarms[0].member_id, MemberId(8));
  EXPECT_EQ(gone->alarms[0].type, AlarmType::kCorrupt);
  EXPECT_EQ(gone->header.cluster_id, ClusterId());  // 3.4 sends none
  EXPECT_EQ(Parsed<pb::AlarmRequest>(request_).ShortDebugString(),
            "action: DEACTIVATE memberID: 8 alarm: CORRUPT");
}

TEST(Prefixes, EndBehindTheirLastKey) {
  EXPECT_EQ(PrefixEnd("a"), "b");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_EQ(PrefixEnd("a\x7f"), "a\x80");
  EXPECT_EQ(PrefixEnd(""), std::string(1, '\0'));
  EXPECT_EQ(PrefixEnd("\xff\xff"), std::string(1, '\0'));
  EXPECT_EQ(RangeRequest::Prefix("").key, std::string(1, '\0'));
}

absl::StatusCode CodeOfCreate(Config config) {
  if (config.endpoints.empty()) config.endpoints = {"http://127.0.0.1:1"};
  return Client::Create(std::move(config)).status().code();
}

TEST(ConfigTest, WhatIsNotSupportedYetIsRefused) {
  EXPECT_EQ(CodeOfCreate({}), absl::StatusCode::kOk);
  const auto unimplemented = absl::StatusCode::kUnimplemented;
  EXPECT_EQ(CodeOfCreate({.endpoints = {"https://m0:2379"}}), unimplemented);
  EXPECT_EQ(CodeOfCreate({.tls = {.trusted_ca_file = "ca"}}), unimplemented);
  EXPECT_EQ(CodeOfCreate({.tls = {.cert_file = "crt"}}), unimplemented);
  EXPECT_EQ(CodeOfCreate({.tls = {.key_file = "key"}}), unimplemented);
  EXPECT_EQ(CodeOfCreate({.tls = {.server_name = "m0"}}), unimplemented);
  EXPECT_EQ(CodeOfCreate({.tls = {.insecure_skip_verify = true}}), unimplemented);
  EXPECT_EQ(CodeOfCreate({.credentials = {.username = "root"}}), unimplemented);
  EXPECT_EQ(CodeOfCreate({.credentials = {.password = "x"}}), unimplemented);
}

TEST(ConfigTest, EndpointsMustBeThereAndGood) {
  EXPECT_EQ(Client::Create({}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOfCreate({.endpoints = {"m0"}}), absl::StatusCode::kInvalidArgument);
}

TEST(Endpoints, AreReplacedAsAWholeOrNotAtAll) {
  const auto client = ClientOf({"http://m0:1", "http://m1:1", "http://m0:1"});
  EXPECT_EQ(client->endpoints(), (std::vector<std::string>{"http://m0:1", "http://m1:1"}));
  EXPECT_FALSE(client->SetEndpoints({"http://m2:1", "m3"}).ok());
  EXPECT_FALSE(client->SetEndpoints({}).ok());
  EXPECT_EQ(client->endpoints().size(), 2U);
  ASSERT_TRUE(client->SetEndpoints({"http://m2:1"}).ok());
  EXPECT_EQ(client->endpoints(), std::vector<std::string>{"http://m2:1"});
}

TEST(Endpoints, CallsAboutOneMemberWantItNamed) {
  const auto client = ClientOf({"http://m0:1", "http://m1:1"});
  EXPECT_TRUE(absl::IsInvalidArgument(client->Status().status()));
  EXPECT_TRUE(absl::IsInvalidArgument(client->HashKv(Revision(0)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(client->MoveLeader(MemberId(1))));
  EXPECT_TRUE(absl::IsInvalidArgument(client->Defragment()));
  const auto foreign = client->Status({.endpoint = "http://m2:1"});
  EXPECT_TRUE(absl::IsInvalidArgument(foreign.status()));
  EXPECT_TRUE(WasNeverSent(foreign.status()));
}

}  // namespace
}  // namespace etcd::client
