#include "server/transport/server.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/transport/h2_client.h"
#include "tests/unit/transport/test_server.h"

namespace etcd::transport {
namespace {

// A method that never answers: it keeps its calls open.
struct WaitingMethod {
  explicit WaitingMethod(TestServer& server) {
    server.Unary("/t.S/Wait", [this](auto, std::string_view, base::UnaryDone done) {
      answers.push_back(std::move(done));
      ++waiting;
    });
  }
  std::vector<base::UnaryDone> answers;
  std::atomic<int> waiting = 0;
};

TEST(ServerStop, SaysGoodbyeAndLetsCallsEnd) {
  TestServer server;
  std::atomic<bool> started = false;
  base::UnaryDone answer;
  server.Unary("/t.S/Wait", [&](auto, std::string_view, base::UnaryDone done) {
    answer = std::move(done);
    started = true;
  });
  server.Start();
  H2Client client(server.port);
  const std::int32_t id = client.Call("/t.S/Wait", GrpcMessage(""));
  ASSERT_TRUE(client.RunUntil([&] { return started.load(); }));
  std::thread stopper([&] { server.server->Stop(std::chrono::seconds(10)); });
  ASSERT_TRUE(client.RunUntil([&] { return client.goaways() == 2; }));
  EXPECT_EQ(client.goaway_code(), 0U);
  EXPECT_EQ(client.goaway_text(), "graceful_stop");
  EXPECT_FALSE(client.stream(id).closed);
  answer(base::Body());
  ASSERT_TRUE(client.Finish(id));
  EXPECT_EQ(client.stream(id).GrpcStatus(), 0);
  client.RunUntil([&] { return false; });
  EXPECT_TRUE(client.connection_closed());
  stopper.join();
}

TEST(ServerStop, IdleConnectionsDoNotHoldItUp) {
  TestServer server;
  server.Unary("/t.S/Echo",
               [](auto, std::string_view, base::UnaryDone done) { done(base::Body()); });
  server.Http([](auto, base::HttpResponderPtr responder) { responder->Reply(200, {}, "x"); });
  server.Start();
  H2Client client(server.port);
  ASSERT_TRUE(client.Finish(client.Call("/t.S/Echo", GrpcMessage(""))));
  RawClient silent(server.port);
  RawClient http(server.port);
  http.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  http.ReadUntil("\r\n\r\nx");
  const auto begin = std::chrono::steady_clock::now();
  std::thread stopper([&] { server.server->Stop(std::chrono::seconds(30)); });
  client.RunUntil([&] { return false; });
  http.ReadToEnd();
  silent.ReadToEnd();
  stopper.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
}

TEST(ServerStop, CutsStreamsWhenThePatienceIsOver) {
  TestServer server;
  WaitingMethod method(server);
  server.Start();
  H2Client client(server.port);
  const std::int32_t id = client.Call("/t.S/Wait", GrpcMessage(""));
  ASSERT_TRUE(client.RunUntil([&] { return method.waiting == 1; }));
  std::thread stopper([&] { server.server->Stop(std::chrono::milliseconds(50)); });
  client.RunUntil([&] { return false; });
  EXPECT_TRUE(client.connection_closed());
  EXPECT_EQ(client.stream(id).GrpcStatus(), -1);
  stopper.join();
}

TEST(ServerListen, ReportsAPortInUse) {
  TestServer first;
  first.Start();
  TestServer second;
  second.options.endpoints[0].port = first.port;
  Server server(second.options);
  EXPECT_EQ(server.Listen().status().code(), absl::StatusCode::kUnavailable);
}

TEST(ServerListen, ServesEveryEndpointOnManyLoops) {
  TestServer server;
  server.options.loops = 3;
  server.options.endpoints.resize(2);
  server.options.endpoints[1].host = "localhost";
  server.Unary("/t.S/Echo",
               [](auto, std::string_view, base::UnaryDone done) { done(base::Body()); });
  server.server = std::make_unique<Server>(server.options);
  const auto ports = server.server->Listen();
  ASSERT_TRUE(ports.ok());
  server.server->Start(server.methods, nullptr);
  for (int i = 0; i < 6; ++i) {
    H2Client client((*ports)[static_cast<std::size_t>(i % 2)]);
    const std::int32_t id = client.Call("/t.S/Echo", GrpcMessage(""));
    ASSERT_TRUE(client.Finish(id));
    EXPECT_EQ(client.stream(id).GrpcStatus(), 0);
  }
}

TEST(Keepalive, SilentConnectionIsPingedAndClosedWithoutAnAnswer) {
  TestServer server;
  server.options.ping_interval = std::chrono::milliseconds(50);
  server.options.ping_timeout = std::chrono::milliseconds(100);
  server.Start();
  H2Client alive(server.port);
  RawClient dead(server.port);
  dead.Send(H2Start());
  ASSERT_TRUE(alive.RunUntil([&] { return alive.pings_received() >= 2; }));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!dead.closed() && std::chrono::steady_clock::now() < deadline) {
    alive.RunUntil([&, seen = alive.pings_received()] { return alive.pings_received() > seen; });
    dead.ReadSome(std::chrono::milliseconds(0));
  }
  EXPECT_TRUE(dead.closed());
  EXPECT_FALSE(alive.connection_closed());
}

TEST(CallContextExecutor, RunsTasksOnTheLoopOfTheCall) {
  TestServer server;
  std::atomic<bool> same = false;
  std::thread worker;
  server.Unary("/t.S/Hop",
               [&](base::CallContextPtr context, std::string_view, base::UnaryDone done) {
                 const auto loop_thread = std::this_thread::get_id();
                 worker = std::thread([&, loop_thread, context, done = std::move(done)]() mutable {
                   context->executor->PostAfter(std::chrono::milliseconds(5),
                                                [&, loop_thread, done = std::move(done)]() mutable {
                                                  same = std::this_thread::get_id() == loop_thread;
                                                  done(base::Body());
                                                });
                 });
               });
  server.Start();
  H2Client client(server.port);
  const std::int32_t id = client.Call("/t.S/Hop", GrpcMessage(""));
  ASSERT_TRUE(client.Finish(id));
  EXPECT_TRUE(same);
  worker.join();
}

TEST(ConcurrentStreams, AboveTheLimitAreRefused) {
  TestServer server;
  server.options.concurrent_streams_max = 2;
  WaitingMethod method(server);
  server.Start();
  // By hand: a real client would wait instead of breaking the limit.
  RawClient client(server.port);
  std::string bytes = H2Start();
  for (std::int32_t id : {1, 3, 5}) {
    bytes += H2Frame(1, 4, id, GrpcHeaderBlock("/t.S/Wait")) + H2Frame(0, 1, id, GrpcMessage(""));
  }
  client.Send(bytes);
  // RST_STREAM with REFUSED_STREAM on stream 5.
  const std::string refused = H2Frame(3, 0, 5, std::string("\0\0\0\x07", 4));
  EXPECT_NE(client.ReadUntil(refused).find(refused), std::string::npos);
  EXPECT_EQ(method.waiting, 2);
}

}  // namespace
}  // namespace etcd::transport
