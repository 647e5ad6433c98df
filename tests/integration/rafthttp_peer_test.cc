#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/membership/member.h"
#include "server/rafthttp/transport.h"
#include "tests/support/peer_etcd.h"
#include "tests/unit/rafthttp/peer_fixture.h"

// Our peer port as the second member of a cluster whose other member is a real etcd: it must take
// us for one of its own, over streams, posts, probes and snapshots.
namespace etcd::rafthttp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// /version, which the leader asks of every member.
class VersionHandler final : public base::HttpHandler {
 public:
  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    const bool known = request.path == "/version";
    responder->Reply(known ? 200 : 404, {{"Content-Type", "application/json"}},
                     R"({"etcdserver":"3.6.16","etcdcluster":"not_decided"})");
  }
};

// A follower without a log: grants votes, acknowledges what it is sent, and says that it has
// nothing when `empty`, until a snapshot has come.
class Follower final : public ports::PeerReceiver {
 public:
  Follower(MemberId self, Transport& transport) : self_(self), transport_(transport) {}

  void Receive(std::vector<raft::Message> messages) override {
    std::vector<raft::Message> answers;
    for (const raft::Message& message : messages) Step(message, answers);
    transport_.Send(std::move(answers));
    record.Receive(std::move(messages));
  }
  absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> ReceiveSnapshot(
      raft::Message message) override {
    raft::Message answer = Answer(message, raft::MessageType::kAppResp);
    answer.index = message.snapshot.metadata.index;
    auto sink = record.ReceiveSnapshot(std::move(message));
    if (!sink.ok()) return sink.status();
    return std::make_unique<Sink>(*std::move(sink), [this, answer] {
      record.Change([this] { empty = false; });
      transport_.Send({answer});
    });
  }
  void ReportUnreachable(MemberId to) override { record.ReportUnreachable(to); }
  void ReportSnapshot(MemberId, bool) override {}
  bool IsRemoved(MemberId) const override { return false; }
  void OnRemovedByPeers() override { record.OnRemovedByPeers(); }

  RecordingReceiver record;
  bool empty = false;  // guarded by record.mu

 private:
  class Sink final : public ports::SnapshotSink {
   public:
    Sink(std::unique_ptr<ports::SnapshotSink> to, std::function<void()> finished)
        : to_(std::move(to)), finished_(std::move(finished)) {}
    absl::Status Write(std::span<const char> bytes) override { return to_->Write(bytes); }
    absl::Status Finish() override {
      const absl::Status status = to_->Finish();
      if (status.ok()) finished_();
      return status;
    }

   private:
    const std::unique_ptr<ports::SnapshotSink> to_;
    const std::function<void()> finished_;
  };

  raft::Message Answer(const raft::Message& message, raft::MessageType type) const {
    raft::Message answer;
    answer.type = type;
    answer.from = self_;
    answer.to = message.from;
    answer.term = message.term;
    return answer;
  }

  void Step(const raft::Message& message, std::vector<raft::Message>& answers) {
    using enum raft::MessageType;
    switch (message.type) {
      case kPreVote:
        return answers.push_back(Answer(message, kPreVoteResp));
      case kVote:
        return answers.push_back(Answer(message, kVoteResp));
      case kHeartbeat:
        answers.push_back(Answer(message, kHeartbeatResp));
        answers.back().context = message.context;
        return;
      case kTimeoutNow:  // it stops and hands over: whoever leads the next term is followed
        answers.push_back(Answer(message, kHeartbeat));
        answers.back().term = message.term + 1;
        return;
      case kApp:
        answers.push_back(Answer(message, kAppResp));
        answers.back().index =
            message.entries.empty() ? message.index : message.entries.back().index;
        if (IsEmpty()) {
          answers.back().index = message.index;
          answers.back().reject = true;
        }
        return;
      default:
        return;
    }
  }
  bool IsEmpty() {
    const std::lock_guard lock(record.mu);
    return empty;
  }

  const MemberId self_;
  Transport& transport_;
};

class RafthttpPeer : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr std::string_view kToken = "rafthttp-test";

  RafthttpPeer()
      : dir_(std::filesystem::temp_directory_path() /
             ("rafthttp_peer_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(dir_);
    transport_ = std::make_unique<Transport>(Options(), &observer_);
    const auto ports = transport_->Listen();
    url_ = "http://127.0.0.1:" + std::to_string(ports.ok() ? ports->front() : 0);
    real_ = std::make_unique<testing::PeerEtcd>(GetParam(), (dir_ / "data").string());
    real_->AddFlag("--initial-cluster=default=" + real_->peer_url() + ",ours=" + url_);
    real_->AddFlag("--initial-cluster-token=" + std::string(kToken));
    real_->AddFlag("--snapshot-count=5");
    real_id_ = membership::MakeMemberId({real_->peer_url()}, kToken, std::nullopt);
    const MemberId self = membership::MakeMemberId({url_}, kToken, std::nullopt);
    follower_ = std::make_unique<Follower>(self, *transport_);
    Identity identity;
    identity.id = self;
    identity.cluster_id = membership::MakeClusterId({self, real_id_});
    identity.name = "ours";
    identity.advertise_urls = {url_};
    identity.server_version = [] { return std::string("3.6.16"); };
    transport_->AddPeer(real_id_, {real_->peer_url()});
    transport_->Start(std::move(identity), *follower_, &versions_);
  }
  ~RafthttpPeer() override {
    real_->Stop();  // while there is somebody to hand over to
    transport_->Stop();
    std::filesystem::remove_all(dir_);
  }
  static TransportOptions Options() {
    TransportOptions options;
    options.listen_urls = {{"http", "127.0.0.1:0"}};
    options.probe_interval = std::chrono::milliseconds(200);
    return options;
  }
  bool Received(const std::function<bool(const raft::Message&)>& wanted) {
    return follower_->record.Await(
        [&] { return std::ranges::any_of(follower_->record.received, wanted); });
  }

  const std::filesystem::path dir_;
  RecordingObserver observer_;
  VersionHandler versions_;
  std::unique_ptr<Transport> transport_;
  std::string url_;
  std::unique_ptr<testing::PeerEtcd> real_;
  MemberId real_id_;
  std::unique_ptr<Follower> follower_;
};

TEST_P(RafthttpPeer, TakesUsForAFollower) {
  ASSERT_TRUE(real_->Start()) << real_->Log();
  EXPECT_TRUE(observer_.Await([&] { return observer_.streams[real_id_] == 4; }));
  EXPECT_TRUE(observer_.Await([&] { return observer_.round_trips.contains(real_id_); }));
  ASSERT_TRUE(real_->Put("some-key", "some-value")) << real_->Log();
  EXPECT_TRUE(Received([](const raft::Message& message) {
    return message.type == raft::MessageType::kApp &&
           std::ranges::any_of(message.entries, [](const raft::Entry& entry) {
             return entry.data.view().find("some-value") != std::string_view::npos;
           });
  }));
  EXPECT_EQ(real_->Get("some-key"), "some-value");
  real_->Stop();
  EXPECT_THAT(real_->Log(), Not(HasSubstr("panic")));
}

// Over the msgapp stream, without a copy on our side, and back out of it: a large value.
TEST_P(RafthttpPeer, LargeEntriesArriveWhole) {
  ASSERT_TRUE(real_->Start()) << real_->Log();
  const std::string value(1'000'000, 'v');
  ASSERT_TRUE(real_->Put("large", value));
  EXPECT_TRUE(Received([&](const raft::Message& message) {
    return std::ranges::any_of(message.entries, [&](const raft::Entry& entry) {
      return entry.data.view().find(value) != std::string_view::npos;
    });
  }));
}

// After its restart the real member's log begins at a snapshot; a follower without a log gets it.
TEST_P(RafthttpPeer, SendsUsItsSnapshot) {
  ASSERT_TRUE(real_->Start()) << real_->Log();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(real_->Put("key" + std::to_string(i), "value"));
  real_->Stop();
  follower_->record.Change([&] { follower_->empty = true; });
  ASSERT_TRUE(real_->Start()) << real_->Log();
  RecordingReceiver& record = follower_->record;
  ASSERT_TRUE(record.Await([&] { return !record.databases.empty(); })) << real_->Log();
  const raft::Snapshot& snapshot = record.snapshots[0].snapshot;
  EXPECT_GT(snapshot.metadata.index, Index(20));
  EXPECT_EQ(snapshot.metadata.conf_state.voters.size(), 2U);
  EXPECT_THAT(snapshot.data, HasSubstr("members"));
  // bbolt's magic number in the first meta page.
  EXPECT_EQ(record.databases[0].substr(16, 4), "\xed\xda\x0c\xed");
  EXPECT_TRUE(real_->Put("after", "it"));
}

std::string NameOfPeer(const ::testing::TestParamInfo<std::string>& peer) {
  if (peer.param == "/usr/bin/etcd") return "debian";
  const std::size_t at = peer.param.find("/v3");
  return at == std::string::npos ? "other" : peer.param.substr(at + 1, 3);
}

INSTANTIATE_TEST_SUITE_P(Etcd, RafthttpPeer, ::testing::ValuesIn(testing::PeerEtcdBinaries()),
                         NameOfPeer);

}  // namespace
}  // namespace etcd::rafthttp
