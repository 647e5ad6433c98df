// Which attempts are repeated where, over real connections to servers that answer what a test
// wants.
#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "tests/unit/client/client_fixture.h"
#include "tests/unit/client/raw_server.h"
#include "tests/unit/client/scripted_server.h"

namespace etcd::client {
namespace {

using std::chrono::milliseconds;

// Two endpoints; whichever is asked first answers the first call with `failure`, all later calls
// succeed.
class OneFailure : public ::testing::Test {
 protected:
  void FailOnce(const std::string& path, const absl::Status& failure) {
    for (ScriptedServer& server : servers_) {
      server.On(path, [this, failure](std::string_view) -> absl::StatusOr<std::string> {
        if (asked_++ == 0) return failure;
        return std::string();
      });
      server.Start();
    }
    client_ = ClientOf({servers_[0].endpoint(), servers_[1].endpoint()});
  }

  std::atomic<int> asked_{0};
  ScriptedServer servers_[2];
  std::unique_ptr<Client> client_;
};

TEST_F(OneFailure, AReadIsRepeatedOnTheOtherEndpointWhileUnavailable) {
  FailOnce(kRangePath, Error(Errc::kNoLeader));
  const auto got = client_->Range(RangeRequest::Key("a"));
  EXPECT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(servers_[0].calls(kRangePath), 1);
  EXPECT_EQ(servers_[1].calls(kRangePath), 1);
}

// A server that keeps the deadline of the attempt may say so before this side does.
TEST_F(OneFailure, AReadGoesOnWhenOneServerFoundNoTimeForIt) {
  FailOnce(kRangePath, Error(Errc::kContextDeadlineExceeded));
  const auto got = client_->Range(RangeRequest::Key("a"));
  EXPECT_TRUE(got.ok()) << got.status();
}

TEST_F(OneFailure, AReadIsNotRepeatedAfterAnyOtherAnswer) {
  FailOnce(kRangePath, Error(Errc::kCompacted));
  const auto got = client_->Range(RangeRequest::Key("a"));
  EXPECT_EQ(ErrcOf(got.status()), Errc::kCompacted);
  EXPECT_EQ(asked_, 1);
}

TEST_F(OneFailure, AChangeIsNotRepeatedWhenItsOutcomeIsUnknown) {
  FailOnce(kPutPath, Error(Errc::kTimeout));
  const auto put = client_->Put(SomePut());
  EXPECT_EQ(ErrcOf(put.status()), Errc::kTimeout);
  EXPECT_EQ(OutcomeOf(put.status()), Outcome::kUnknown);
  EXPECT_EQ(asked_, 1);
}

TEST_F(OneFailure, AChangeIsNotRepeatedWhenItIsRefused) {
  FailOnce(kPutPath, Error(Errc::kUnhealthyCluster));
  const auto put = client_->Put(SomePut());
  EXPECT_EQ(ErrcOf(put.status()), Errc::kUnhealthyCluster);
  EXPECT_EQ(OutcomeOf(put.status()), Outcome::kNotApplied);
  EXPECT_EQ(asked_, 1);
}

TEST_F(OneFailure, WhatALearnerRefusesIsAskedOfAnother) {
  FailOnce(kPutPath, Error(Errc::kNotSupportedForLearner));
  EXPECT_TRUE(client_->Put(SomePut()).ok());
  EXPECT_EQ(asked_, 2);
}

TEST_F(OneFailure, TheWordOfAnOldLearnerIsUnderstoodToo) {
  FailOnce(kPutPath, absl::UnavailableError("etcdserver: rpc not supported for learner"));
  EXPECT_TRUE(client_->Put(SomePut()).ok());
  EXPECT_EQ(asked_, 2);
}

TEST_F(OneFailure, ADisarmedAlarmMayBeDisarmedTwice) {
  FailOnce(kAlarmPath, Error(Errc::kTimeout));
  EXPECT_TRUE(client_->AlarmDisarm({MemberId(1), AlarmType::kNoSpace}).ok());
  EXPECT_EQ(asked_, 2);
}

TEST_F(OneFailure, ANamedEndpointAnswersForItself) {
  FailOnce(kRangePath, Error(Errc::kNoLeader));
  CallOptions options;
  options.endpoint = servers_[1].endpoint();
  EXPECT_EQ(ErrcOf(client_->Range(RangeRequest::Key("a"), options).status()), Errc::kNoLeader);
  EXPECT_EQ(servers_[0].calls(kRangePath), 0);
  EXPECT_EQ(servers_[1].calls(kRangePath), 1);
}

TEST(Repeats, LearnersOnlyIsAnAnswer) {
  ScriptedServer servers[2];
  for (ScriptedServer& server : servers) {
    server.Always(kPutPath, Error(Errc::kNotSupportedForLearner));
    server.Start();
  }
  const auto client = ClientOf({servers[0].endpoint(), servers[1].endpoint()});
  const auto put = client->Put(SomePut());
  EXPECT_EQ(ErrcOf(put.status()), Errc::kNotSupportedForLearner);
  EXPECT_EQ(servers[0].calls(kPutPath) + servers[1].calls(kPutPath), 2);
}

TEST(Repeats, AReadEndsWithTheLastAnswerWhenItsTimeIsOver) {
  ScriptedServer server;
  server.Always(kRangePath, Error(Errc::kNoLeader));
  server.Start();
  const auto client = ClientOf({server.endpoint()});
  CallOptions options;
  options.timeout = milliseconds(500);
  const auto got = client->Range(RangeRequest::Key("a"), options);
  ASSERT_FALSE(got.ok());
  // The time may also end in the middle of an attempt.
  EXPECT_TRUE(ErrcOf(got.status()) == Errc::kNoLeader || absl::IsDeadlineExceeded(got.status()))
      << got.status();
}

TEST(Repeats, AReadDoesNotStakeAllItsTimeOnAnEndpointThatHangs) {
  ScriptedServer hung;
  hung.Hang(kRangePath);
  hung.Start();
  ScriptedServer well;
  well.Always(kRangePath, absl::OkStatus());
  well.Start();
  const auto client = ClientOf({hung.endpoint(), well.endpoint()}, std::chrono::seconds(6));
  // Whoever is asked first, one of two calls begins with the one that hangs.
  EXPECT_TRUE(client->Range(RangeRequest::Key("a")).ok());
  EXPECT_TRUE(client->Range(RangeRequest::Key("a")).ok());
}

TEST(Repeats, AChangeGoesToAnEndpointThatTakesConnections) {
  RawServer refused(RawServer::Way::kRefused);
  RawServer no_http2(RawServer::Way::kNoHttp2);
  ScriptedServer well;
  well.Always(kPutPath, absl::OkStatus());
  well.Start();
  const auto client = ClientOf({refused.endpoint(), no_http2.endpoint(), well.endpoint()});
  for (int i = 0; i < 10; ++i) {
    const auto put = client->Put(SomePut());
    EXPECT_TRUE(put.ok()) << put.status();
  }
  EXPECT_EQ(well.calls(kPutPath), 10);
}

TEST(Repeats, AnUnnamedCallWaitsForAConnection) {
  RawServer refused(RawServer::Way::kRefused);
  const auto client = ClientOf({refused.endpoint()});
  CallOptions options;
  options.timeout = milliseconds(300);
  const auto begin = std::chrono::steady_clock::now();
  const auto put = client->Put(SomePut(), options);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(300));
  EXPECT_TRUE(WasNeverSent(put.status())) << put.status();
  EXPECT_EQ(OutcomeOf(put.status()), Outcome::kNotApplied);
}

TEST(Repeats, ANamedEndpointThatRefusesFailsAtOnce) {
  RawServer refused(RawServer::Way::kRefused);
  ScriptedServer other;
  other.Always(kStatusPath, absl::OkStatus());
  other.Start();
  // Without a timeout: this test ends only if the call does by itself.
  const auto client = ClientOf({refused.endpoint(), other.endpoint()}, milliseconds(-1));
  CallOptions options;
  options.endpoint = refused.endpoint();
  for (int i = 0; i < 3; ++i) {
    const auto status = client->Status(options);
    EXPECT_TRUE(absl::IsUnavailable(status.status())) << status.status();
    EXPECT_TRUE(WasNeverSent(status.status()));
  }
  EXPECT_EQ(other.calls(kStatusPath), 0);
}

}  // namespace
}  // namespace etcd::client
