#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/snapshot_fixture.h"

// Peers whose URLs have names.
namespace etcd::rafthttp {
namespace {

// Name servers of a test: addresses that change, and a name that nobody answers for. Shared with
// lookups under way, which nobody waits for.
class Names {
 public:
  void Set(const std::string& host, const std::string& address) {
    const std::lock_guard lock(mu_);
    addresses_[host] = address;
    changed_.notify_all();
  }
  absl::StatusOr<std::vector<net::Address>> Lookup(const net::Endpoint& endpoint) {
    std::unique_lock lock(mu_);
    ++asked_[endpoint.host];
    changed_.notify_all();
    changed_.wait(lock, [&] { return addresses_.contains(endpoint.host); });
    return std::vector{*net::LiteralAddress({addresses_[endpoint.host], endpoint.port, {}})};
  }
  bool AwaitAsked(const std::string& host) {
    std::unique_lock lock(mu_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return asked_[host] > 0; });
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::map<std::string, std::string> addresses_;
  std::map<std::string, int> asked_;
};

class NamedPeers : public ::testing::Test {
 protected:
  TransportOptions Options() const {
    TransportOptions options = FastOptions();
    options.lookup = [names = names](const net::Endpoint& e) { return names->Lookup(e); };
    return options;
  }
  static TransportOptions At(const std::string& address, std::uint16_t port) {
    TransportOptions options = FastOptions();
    options.listen_urls = {{"http", address + ":" + std::to_string(port)}};
    return options;
  }

  const std::shared_ptr<Names> names = std::make_shared<Names>();
};

// A container that comes back with another address: nobody tells the member but the name servers.
TEST_F(NamedPeers, AreFoundAgainWhenTheAnswerChanges) {
  names->Set("b.test", "127.0.0.2");
  TestMember a(1, Options());
  auto b = std::make_unique<TestMember>(2, At("127.0.0.2", 0));
  const std::uint16_t port = b->port();
  a.transport().AddPeer(b->id(), {"http://b.test:" + std::to_string(port)});
  b->Knows(a);
  ASSERT_TRUE(a.AwaitStreams(MemberId(2)));
  b->Stop();
  ASSERT_TRUE(a.AwaitStreams(MemberId(2), 0));
  TestMember moved(2, At("127.0.0.3", port));
  ASSERT_EQ(moved.port(), port);
  moved.Knows(a);
  ASSERT_TRUE(a.AwaitStreams(MemberId(2), 2));  // those that it dials
  names->Set("b.test", "127.0.0.3");
  EXPECT_TRUE(a.AwaitStreams(MemberId(2)));
  a.transport().SendSnapshot(SnapMessage(a.id(), MemberId(2)),
                             std::make_unique<StringSource>("database"));
  EXPECT_TRUE(a.receiver.Await([&] { return !a.receiver.snapshot_reports.empty(); }));
  EXPECT_TRUE(a.receiver.snapshot_reports[0].second);
}

// Without a thread for each, one dead name would hold up the whole cluster.
TEST_F(NamedPeers, DoNotWaitForTheNameOfAnother) {
  names->Set("b.test", "127.0.0.1");
  TestMember a(1, Options());
  TestMember b(2, FastOptions());
  b.Knows(a);
  a.transport().AddPeer(MemberId(3), {"http://dead.test:2380"});
  ASSERT_TRUE(names->AwaitAsked("dead.test"));
  a.transport().AddPeer(b.id(), {"http://b.test:" + std::to_string(b.port())});
  EXPECT_TRUE(a.AwaitStreams(b.id()));
  a.Stop();  // nor does this wait
  names->Set("dead.test", "127.0.0.1");
}

}  // namespace
}  // namespace etcd::rafthttp
