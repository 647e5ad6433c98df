// Connections that break, ports that do not speak, servers that hang: what the caller is told of
// the fate of his change.
#include <chrono>
#include <future>
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
using Way = RawServer::Way;

CallOptions Named(const std::string& endpoint, milliseconds timeout = kPatience) {
  CallOptions options;
  options.endpoint = endpoint;
  options.timeout = timeout;
  return options;
}

TEST(Hostile, AChangeWhoseConnectionBreaksIsUnknownAndNotSentAgain) {
  RawServer cutter(Way::kCutAfterCall);
  ScriptedServer other;
  other.Always(kPutPath, absl::OkStatus());
  other.Start();
  const auto client = ClientOf({cutter.endpoint(), other.endpoint()});
  const auto put = client->Put(SomePut(), Named(cutter.endpoint()));
  EXPECT_TRUE(absl::IsUnavailable(put.status())) << put.status();
  EXPECT_EQ(OutcomeOf(put.status()), Outcome::kUnknown);
  EXPECT_FALSE(WasNeverSent(put.status()));
  EXPECT_EQ(cutter.requests(), 1);
  EXPECT_EQ(other.calls(kPutPath), 0);
}

TEST(Hostile, AnUnnamedChangeIsNotSentAgainEither) {
  RawServer cutters[2] = {RawServer(Way::kCutAfterCall), RawServer(Way::kCutAfterCall)};
  const auto client = ClientOf({cutters[0].endpoint(), cutters[1].endpoint()});
  const auto put = client->Put(SomePut());
  EXPECT_EQ(OutcomeOf(put.status()), Outcome::kUnknown) << put.status();
  EXPECT_EQ(cutters[0].requests() + cutters[1].requests(), 1);
}

TEST(Hostile, AReadWhoseConnectionBreaksGoesToTheOther) {
  RawServer cutter(Way::kCutAfterCall);
  ScriptedServer other;
  other.Always(kRangePath, absl::OkStatus());
  other.Start();
  const auto client = ClientOf({cutter.endpoint(), other.endpoint()});
  for (int i = 0; i < 4; ++i) {
    const auto got = client->Range(RangeRequest::Key("a"));
    EXPECT_TRUE(got.ok()) << got.status();
  }
}

TEST(Hostile, ANamedReadIsTriedTwiceWhenItsConnectionBreaks) {
  RawServer cutter(Way::kCutAfterCall);
  const auto client = ClientOf({cutter.endpoint()});
  const auto got = client->Range(RangeRequest::Key("a"), Named(cutter.endpoint()));
  EXPECT_TRUE(absl::IsUnavailable(got.status())) << got.status();
  EXPECT_EQ(OutcomeOf(got.status()), Outcome::kNotApplied);
  EXPECT_EQ(cutter.requests(), 2);
}

TEST(Hostile, WithoutAConnectionAChangeWasNeverSent) {
  for (const Way way : {Way::kRefused, Way::kCutAtOnce, Way::kNoHttp2}) {
    RawServer server(way);
    const auto client = ClientOf({server.endpoint()});
    const auto put = client->Put(SomePut(), Named(server.endpoint()));
    EXPECT_TRUE(absl::IsUnavailable(put.status())) << put.status();
    EXPECT_TRUE(WasNeverSent(put.status())) << put.status() << " way " << static_cast<int>(way);
    EXPECT_EQ(OutcomeOf(put.status()), Outcome::kNotApplied);
  }
}

TEST(Hostile, APortThatSaysNothingIsNeverSentTo) {
  RawServer silent(Way::kSilent);
  const auto client = ClientOf({silent.endpoint()});
  const auto put = client->Put(SomePut(), Named(silent.endpoint(), milliseconds(500)));
  EXPECT_FALSE(put.ok());
  EXPECT_TRUE(WasNeverSent(put.status())) << put.status();
}

TEST(Hostile, AGoAwayThatDisownsTheCallIsNoUnknownRepeat) {
  // gRPC itself may send the call once more, since the server has said that it did not look at it;
  // it must end, and never as a success.
  RawServer refuser(Way::kRefuseStreams);
  const auto client = ClientOf({refuser.endpoint()});
  const auto put = client->Put(SomePut(), Named(refuser.endpoint(), milliseconds(1000)));
  EXPECT_FALSE(put.ok());
}

TEST(Hostile, AnAnswerThatIsNoMessageLeavesAChangeUnknown) {
  RawServer garbage(Way::kGarbageMessage);
  const auto client = ClientOf({garbage.endpoint()});
  const auto put = client->Put(SomePut(), Named(garbage.endpoint()));
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(garbage.requests(), 1);
  EXPECT_EQ(OutcomeOf(put.status()), Outcome::kUnknown) << put.status();
}

TEST(Hostile, AChangeThatIsNotAnsweredInTimeIsUnknown) {
  ScriptedServer hung;
  hung.Hang(kPutPath);
  hung.Start();
  const auto client = ClientOf({hung.endpoint()});
  // On a busy machine the time may be over before the call has left.
  absl::Status status;
  while (hung.calls(kPutPath) == 0) {
    status = client->Put(SomePut(), Named(hung.endpoint(), milliseconds(300))).status();
    ASSERT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  }
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
  EXPECT_FALSE(WasNeverSent(status));
}

TEST(Hostile, AConnectionThatAnswersNoPingIsGivenUp) {
  RawServer deaf(Way::kDeaf);
  Config config;
  config.endpoints = {deaf.endpoint()};
  config.call_timeout = milliseconds(-1);  // only the pings end the call
  config.keepalive_time = milliseconds(500);
  config.keepalive_timeout = milliseconds(500);
  const auto client = Client::Create(config);
  ASSERT_TRUE(client.ok());
  const absl::Status status = (*client)->Put(SomePut(), {.endpoint = deaf.endpoint()}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
  EXPECT_EQ(deaf.requests(), 1);
}

TEST(Hostile, CloseEndsWhatIsInFlightAndAllLaterCalls) {
  ScriptedServer hung;
  hung.Hang(kPutPath);
  hung.Start();
  const auto client = ClientOf({hung.endpoint()}, milliseconds(-1));
  auto put = std::async(std::launch::async, [&] { return client->Put(SomePut()).status(); });
  while (hung.calls(kPutPath) == 0) std::this_thread::yield();
  client->Close();
  const absl::Status status = put.get();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
  const absl::Status later = client->Put(SomePut()).status();
  EXPECT_TRUE(absl::IsCancelled(later)) << later;
  EXPECT_TRUE(WasNeverSent(later));
}

TEST(Hostile, CloseEndsTheWaitForAConnection) {
  RawServer servers[2] = {RawServer(Way::kSilent), RawServer(Way::kRefused)};
  Config config;
  config.endpoints = {servers[0].endpoint(), servers[1].endpoint()};
  config.call_timeout = milliseconds(-1);
  config.dial_timeout = std::chrono::hours(1);  // nothing but Close ends the wait
  auto made = Client::Create(config);
  ASSERT_TRUE(made.ok());
  const std::unique_ptr<Client> client = *std::move(made);
  auto put = std::async(std::launch::async, [&] { return client->Put(SomePut()).status(); });
  while (servers[0].connections() == 0) std::this_thread::yield();
  client->Close();
  EXPECT_TRUE(WasNeverSent(put.get()));
}

TEST(Hostile, AConnectionThatHasEndedIsNotUsed) {
  auto server = std::make_unique<ScriptedServer>();
  server->Always(kStatusPath, absl::OkStatus());
  server->Start();
  const std::string endpoint = server->endpoint();
  const auto client = ClientOf({endpoint});
  ASSERT_TRUE(client->Status(Named(endpoint)).ok());
  server.reset();
  const auto put = client->Put(SomePut(), Named(endpoint));
  EXPECT_TRUE(WasNeverSent(put.status())) << put.status();
}

TEST(Hostile, AServerThatComesBackIsFoundAtOnce) {
  auto server = std::make_unique<ScriptedServer>();
  server->Always(kStatusPath, absl::OkStatus());
  server->Start();
  const std::string endpoint = server->endpoint();
  const auto client = ClientOf({endpoint});
  ASSERT_TRUE(client->Status(Named(endpoint)).ok());
  const std::uint16_t port = server->port();
  server.reset();
  EXPECT_TRUE(absl::IsUnavailable(client->Status(Named(endpoint)).status()));
  server = std::make_unique<ScriptedServer>(port);
  server->Always(kStatusPath, absl::OkStatus());
  server->Start();
  // A failed channel may live on for a tenth of a second; gRPC itself would be silent for a minute.
  bool is_back = false;
  for (int i = 0; i < 200 && !is_back; ++i) {
    is_back = client->Status(Named(endpoint)).ok();
    if (!is_back) std::this_thread::sleep_for(milliseconds(25));
  }
  EXPECT_TRUE(is_back);
}

}  // namespace
}  // namespace etcd::client
