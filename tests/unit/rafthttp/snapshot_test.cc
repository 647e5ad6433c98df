#include <future>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/rafthttp/snapshot_body.h"
#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/raw_http.h"
#include "tests/unit/rafthttp/snapshot_fixture.h"

namespace etcd::rafthttp {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Pair;
using ::testing::StartsWith;

std::string Framed(const raft::Message& message) {
  std::string bytes;
  base::AppendBigEndian64(bytes, raftcodec::EncodedSize(message));
  raftcodec::AppendTo(bytes, message);
  return bytes;
}

class SnapshotTransfer : public ::testing::Test {
 protected:
  SnapshotTransfer() : a(1, FastOptions()), b(2, Patient()) { a.Knows(b); }
  // A sender that was answered may be back before its place is free again, so there are enough.
  static TransportOptions Patient() {
    TransportOptions options = FastOptions();
    options.snapshots_received_max = 100;
    return options;
  }
  void Send(std::unique_ptr<ports::SnapshotSource> source) {
    a.transport().SendSnapshot(SnapMessage(a.id(), b.id()), std::move(source));
  }
  bool AwaitReports(std::size_t count) {
    return a.receiver.Await([&] { return a.receiver.snapshot_reports.size() == count; });
  }

  TestMember a;
  TestMember b;
};

TEST_F(SnapshotTransfer, ArrivesWholeAndIsReported) {
  std::string database(5'000'000, 'd');
  for (std::size_t i = 0; i < database.size(); i += 997) database[i] = static_cast<char>(i);
  Send(std::make_unique<StringSource>(database));
  ASSERT_TRUE(AwaitReports(1));
  EXPECT_THAT(a.receiver.snapshot_reports, ElementsAre(Pair(b.id(), true)));
  ASSERT_TRUE(b.receiver.Await([&] { return b.receiver.databases.size() == 1; }));
  EXPECT_TRUE(b.receiver.databases[0] == database);
  EXPECT_THAT(b.receiver.snapshots, ElementsAre(SnapMessage(a.id(), b.id())));
  EXPECT_TRUE(a.observer.Await([&] { return a.observer.snapshots_sent.size() == 1; }));
  EXPECT_TRUE(b.observer.Await([&] { return b.observer.snapshots_received.size() == 1; }));
  EXPECT_THAT(b.observer.snapshots_received, ElementsAre(Pair(a.id(), true)));
}

TEST_F(SnapshotTransfer, AnEmptyDatabaseIsOne) {
  Send(std::make_unique<StringSource>(""));
  ASSERT_TRUE(AwaitReports(1));
  EXPECT_THAT(a.receiver.snapshot_reports, ElementsAre(Pair(b.id(), true)));
}

TEST_F(SnapshotTransfer, ARefusalIsAFailure) {
  b.receiver.Change([&] { b.receiver.refuse_snapshot = absl::UnavailableError("no room"); });
  Send(std::make_unique<StringSource>(std::string(50'000'000, 'd')));
  ASSERT_TRUE(AwaitReports(1));
  b.receiver.Change([&] { b.receiver.refuse_snapshot = absl::OkStatus(); });
  b.receiver.Change([&] { b.receiver.refuse_write = absl::UnavailableError("disk"); });
  Send(std::make_unique<StringSource>("db"));
  ASSERT_TRUE(AwaitReports(2));
  b.receiver.Change([&] { b.receiver.refuse_write = absl::OkStatus(); });
  b.receiver.Change([&] { b.receiver.refuse_finish = absl::UnavailableError("image"); });
  Send(std::make_unique<StringSource>("db"));
  ASSERT_TRUE(AwaitReports(3));
  EXPECT_THAT(a.receiver.snapshot_reports,
              ElementsAre(Pair(b.id(), false), Pair(b.id(), false), Pair(b.id(), false)));
  EXPECT_TRUE(b.receiver.databases.empty());
}

TEST_F(SnapshotTransfer, ASourceThatEndsEarlyLeavesNothingBehind) {
  Send(std::make_unique<StringSource>("short", 5'000'000));
  ASSERT_TRUE(AwaitReports(1));
  EXPECT_THAT(a.receiver.snapshot_reports, ElementsAre(Pair(b.id(), false)));
  EXPECT_TRUE(b.receiver.Await([&] { return b.receiver.abandoned == 1; }));
  EXPECT_TRUE(b.receiver.databases.empty());
}

// Blocks until the test lets it go on.
class HeldSource final : public ports::SnapshotSource {
 public:
  explicit HeldSource(std::shared_future<void> go) : go_(std::move(go)) {}
  std::uint64_t size() const override { return 1; }
  absl::StatusOr<std::size_t> Read(std::span<char> buffer) override {
    go_.wait();
    buffer[0] = 'x';
    return 1;
  }

 private:
  const std::shared_future<void> go_;
};

TEST_F(SnapshotTransfer, OneAtATimeToAPeer) {
  std::promise<void> go;
  Send(std::make_unique<HeldSource>(go.get_future().share()));
  Send(std::make_unique<StringSource>("second"));
  ASSERT_TRUE(AwaitReports(1));
  EXPECT_THAT(a.receiver.snapshot_reports, ElementsAre(Pair(b.id(), false)));
  go.set_value();
  ASSERT_TRUE(AwaitReports(2));
  EXPECT_THAT(a.receiver.snapshot_reports, ElementsAre(Pair(b.id(), false), Pair(b.id(), true)));
  // The next one may go as soon as the report is there.
  Send(std::make_unique<StringSource>("third"));
  ASSERT_TRUE(AwaitReports(3));
  EXPECT_TRUE(a.receiver.snapshot_reports[2].second);
}

TEST_F(SnapshotTransfer, ToNobodyOrToTheDeadFails) {
  a.transport().SendSnapshot(SnapMessage(a.id(), MemberId(9)), std::make_unique<StringSource>("x"));
  ASSERT_TRUE(AwaitReports(1));
  b.Stop();
  Send(std::make_unique<StringSource>("x"));
  ASSERT_TRUE(AwaitReports(2));
  EXPECT_THAT(a.receiver.snapshot_reports,
              ElementsAre(Pair(MemberId(9), false), Pair(b.id(), false)));
  // Raft sends it nothing but probes until it is heard of.
  EXPECT_TRUE(a.receiver.Await([&] { return a.receiver.unreachable[b.id()] > 0; }));
}

TEST_F(SnapshotTransfer, StopEndsItWithOneReport) {
  TestMember sender(3, FastOptions());
  const RawListener silent;
  sender.transport().AddPeer(MemberId(4), {silent.url()});
  sender.transport().SendSnapshot(SnapMessage(sender.id(), MemberId(4)),
                                  std::make_unique<StringSource>(std::string(100, 'x')));
  EXPECT_TRUE(sender.observer.Await([&] { return sender.observer.sending > 0; }));
  sender.Stop();
  EXPECT_THAT(sender.receiver.snapshot_reports, ElementsAre(Pair(MemberId(4), false)));
  sender.transport().SendSnapshot(SnapMessage(sender.id(), MemberId(4)), nullptr);
  EXPECT_EQ(sender.receiver.snapshot_reports.size(), 2U);
}

constexpr std::string_view kHeaders =
    "X-Server-Version: 3.6.16\r\nX-Min-Cluster-Version: 3.0.0\r\nX-Etcd-Cluster-ID: c1\r\n"
    "X-Server-From: 1\r\n";

std::string Chunked(std::string_view body, bool end = true) {
  std::string text = "POST /raft/snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" +
                     std::string(kHeaders) + "\r\n";
  for (std::size_t at = 0; at < body.size(); at += 100) {
    const std::string_view piece = body.substr(at, 100);
    text += base::FormatHex(piece.size()) + "\r\n" + std::string(piece) + "\r\n";
  }
  return end ? text + "0\r\n\r\n" : text;
}

TEST_F(SnapshotTransfer, GoSendsItChunked) {
  RawConnection connection = RawConnection::Dial(b.port());
  connection.Send(Chunked(Framed(SnapMessage(a.id(), b.id())) + std::string(1000, 'd')));
  EXPECT_THAT(connection.ReadAll(), AllOf(StartsWith("HTTP/1.1 204 No Content\r\n"),
                                          ::testing::HasSubstr("X-Etcd-Cluster-Id: c1\r\n")));
  EXPECT_THAT(b.receiver.databases, ElementsAre(std::string(1000, 'd')));
}

TEST_F(SnapshotTransfer, ACutBodyIsNoSnapshot) {
  {
    RawConnection connection = RawConnection::Dial(b.port());
    connection.Send(
        Chunked(Framed(SnapMessage(a.id(), b.id())) + std::string(1000, 'd'), /*end=*/false));
  }
  EXPECT_TRUE(b.receiver.Await([&] { return b.receiver.abandoned == 1; }));
  EXPECT_TRUE(b.receiver.databases.empty());
}

TEST_F(SnapshotTransfer, ASilentSenderIsGivenUp) {
  RawConnection connection = RawConnection::Dial(b.port());
  connection.Send(Chunked(Framed(SnapMessage(a.id(), b.id())), /*end=*/false));
  EXPECT_THAT(connection.ReadAll(), StartsWith("HTTP/1.1 500 "));
  EXPECT_EQ(b.receiver.abandoned, 1);
}

TEST_F(SnapshotTransfer, BadBodiesAreRefusedWithGosTexts) {
  const auto answer = [&](const std::string& body) {
    RawConnection connection = RawConnection::Dial(b.port());
    connection.Send(Request("POST /raft/snapshot", kHeaders, body));
    return connection.ReadAll();
  };
  const std::string short_body = std::string(7, '\0');
  EXPECT_THAT(answer(short_body),
              AllOf(StartsWith("HTTP/1.1 400 "),
                    EndsWith("failed to decode raft message (unexpected EOF)\n")));
  EXPECT_THAT(answer("garbage that is long enough"),
              AllOf(StartsWith("HTTP/1.1 400 "),
                    EndsWith("failed to decode raft message (rafthttp: error limit exceeded)\n")));
  EXPECT_THAT(answer(Framed(Heartbeat(a.id(), b.id()))),
              AllOf(StartsWith("HTTP/1.1 400 "), EndsWith("wrong raft message type\n")));
  EXPECT_THAT(answer(Framed(SnapMessage(a.id(), MemberId(9))) + "db"),
              AllOf(StartsWith("HTTP/1.1 500 "),
                    EndsWith("failed to process raft message (cannot process message to mismatch "
                             "member)\n")));
  b.receiver.Change([&] { b.receiver.removed.insert(a.id()); });
  EXPECT_THAT(answer(Framed(SnapMessage(a.id(), b.id())) + "db"),
              AllOf(StartsWith("HTTP/1.1 500 "),
                    EndsWith("failed to process raft message (cannot process message from removed "
                             "member)\n")));
  EXPECT_TRUE(b.receiver.snapshots.empty());
}

// Whatever the cuts, the database is what came behind the message.
TEST(SnapshotBody, CanBeCutAnywhere) {
  const std::string bytes = Framed(SnapMessage(MemberId(1), MemberId(2))) + "database";
  for (std::size_t step = 1; step < bytes.size(); ++step) {
    RecordingReceiver receiver;
    SnapshotBody body(
        1000, [&](raft::Message message) { return receiver.ReceiveSnapshot(std::move(message)); });
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      ASSERT_TRUE(body.OnBody(std::string_view(bytes).substr(at, step)).ok());
    }
    EXPECT_EQ(body.Finish(true).status, 204);
    EXPECT_THAT(receiver.databases, ElementsAre("database")) << step;
  }
}

}  // namespace
}  // namespace etcd::rafthttp
