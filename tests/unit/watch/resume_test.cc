#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/watch/hub_fixture.h"

// Going on where one stopped: a client that comes back, a watch thread that fell behind the store.
namespace etcd::watch {
namespace {

class WatchResume : public HubFixture {
 protected:
  // A client that watches "a" from where its last stream ended.
  struct Client {
    std::shared_ptr<TestSink> sink;
    StreamId id;
    std::int64_t last = 0;  // revision of its newest event
  };
  void Connect(Client& client) {
    client.sink = std::make_shared<TestSink>();
    client.id = hub->OpenStream(client.sink);
    hub->Create(client.id, Spec("a", "", client.last + 1));
  }
  static void Read(Client& client) {
    for (const auto& message : client.sink->Take()) {
      if (message.kind != Kind::kEvents) continue;
      for (const Event& event : DecodeEvents(message.events.bytes)) {
        ASSERT_EQ(event.mod, client.last + 1) << "repeated or lost";
        client.last = event.mod;
      }
    }
  }
  // Some revisions, with the watch thread anywhere between them.
  void Write(std::uint64_t most) {
    for (auto n = random.Below(most); n > 0; --n) {
      db.Put("a", "v");
      if (random.Below(2) == 0) executor.RunOne();
    }
  }
  void ExpectResumeRepeatsNothing();

  base::SeededRandom random{9};
};

void WatchResume::ExpectResumeRepeatsNothing() {
  std::array<Client, 3> clients;
  for (Client& client : clients) client.last = db.store->current_revision().value();
  for (int round = 0; round < 300 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    Write(20);  // what the clients miss while they are away
    for (Client& client : clients) {
      Connect(client);
      Write(3);
    }
    // Two are cut off anywhere from before their first event on, so that they differ in what they
    // have when they come back; one reads slowly.
    clients[1].sink->reading = false;
    for (auto n = random.Below(8); n > 0; --n) executor.RunOne();
    hub->CloseStream(clients[0].id);
    Write(20);
    if (random.Below(2) == 0) hub->CloseStream(clients[1].id);
    do {
      Run();
      clients[1].sink->Drain();
    } while (executor.RunOne());
    for (Client& client : clients) {
      Read(client);
      hub->CloseStream(client.id);
    }
    ASSERT_EQ(clients[2].last, db.store->current_revision().value());
  }
}

// etcd issues 15274, 17247: resuming at the last revision + 1 repeats nothing, whether what comes
// next is history, live, or both; clients that are differently far share the steps of history.
TEST_F(WatchResume, Bug17247RepeatsNothing) { ExpectResumeRepeatsNothing(); }

// The same from the engine, in steps and responses of a few revisions, on streams that are full
// after a few.
TEST_F(WatchResume, Bug17247RepeatsNothingInSmallSteps) {
  WatchOptions options;
  options.recent_bytes_max = 100;
  options.catch_up_revisions_per_step = 7;
  options.catch_up_revisions_per_response = 3;
  options.stream_pending_bytes_max = 300;
  Start(options);
  ExpectResumeRepeatsNothing();
}

// Passes on what the store announces and remembers it without holding it.
class WeakObserver final : public mvcc::RevisionObserver {
 public:
  explicit WeakObserver(mvcc::RevisionObserver& next) : next_(next) {}
  void OnRevisions(
      const std::vector<std::shared_ptr<const mvcc::RevisionChanges>>& revisions) override {
    seen_.insert(seen_.end(), revisions.begin(), revisions.end());
    next_.OnRevisions(revisions);
  }
  auto alive() const {
    return std::ranges::count_if(seen_, [](const auto& weak) { return !weak.expired(); });
  }
  void Forget() { seen_.clear(); }

 private:
  mvcc::RevisionObserver& next_;
  std::vector<std::weak_ptr<const mvcc::RevisionChanges>> seen_;
};

TEST_F(WatchResume, AWatchThreadThatIsFarBehindHoldsBoundedMemoryAndLosesNothing) {
  WatchOptions options;
  options.inbox_bytes_max = 2000;
  options.recent_bytes_max = 1000;
  Start(options);
  WeakObserver observer(*hub);
  db.store->SetObserver(&observer);
  Create(Spec("a"));
  std::int64_t last = db.store->current_revision().value();
  for (int writes = 1; writes < 100; ++writes) {  // the bound is met anywhere, also by the last
    observer.Forget();
    for (int i = 0; i < writes; ++i) db.Put("a", std::string(100, 'v'));  // it does not run
    EXPECT_LT(observer.alive(), 30);
    for (const Event& event : ReceivedEvents()) {
      ASSERT_EQ(event.mod, last + 1);
      last = event.mod;
    }
    EXPECT_EQ(last, db.store->current_revision().value());
  }
}

TEST_F(WatchResume, ASnapshotInAFullInboxIsStillAnswered) {
  WatchOptions options;
  options.inbox_bytes_max = 500;
  Start(options);
  int answered = 0;
  for (int i = 0; i < 3; ++i) {
    db.Put("a", std::string(100, 'v'));
    hub->Restored(*db.store, [&] { ++answered; });
    for (int n = 0; n < 20; ++n) db.Put("a", std::string(100, 'v'));
  }
  Run();
  EXPECT_EQ(answered, 3);
}

}  // namespace
}  // namespace etcd::watch
