// Watchers of a member that is given a snapshot: the store jumps under them.
#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "server/apply/kv_view.h"
#include "server/base/bytes.h"
#include "server/watch/watch_hub.h"
#include "tests/unit/node/lagging.h"

namespace etcd::node {
namespace {

using std::chrono::seconds;
using watch::WatchMessage;
using watch::WatchSpec;

// Revisions of the events of a message: WatchResponse 11 is an Event, whose 2 is the KeyValue.
std::vector<Revision> RevisionsOf(std::string_view block) {
  std::vector<Revision> out;
  const auto take = [](std::string_view& in, std::uint64_t& tag) {
    std::uint64_t size = 0;
    CHECK(base::ConsumeVarint(in, tag) && base::ConsumeVarint(in, size));
    if ((tag & 7) == base::kWireVarint) return std::string_view();
    const std::string_view content = in.substr(0, size);
    in.remove_prefix(size);
    return content;
  };
  while (!block.empty()) {
    std::uint64_t tag = 0;
    std::string_view event = take(block, tag);
    CHECK(tag >> 3 == 11);
    while (!event.empty()) {
      const std::string_view field = take(event, tag);
      apply::KeyValueView kv;
      if (tag >> 3 != 2) continue;
      CHECK(apply::ParseKeyValue(field, kv));
      out.emplace_back(kv.mod_revision);
    }
  }
  return out;
}

// A client's end of a stream. With `reading` off nothing leaves the transport's queue.
class Client final : public watch::WatchSink {
 public:
  void Deliver(std::span<WatchMessage> messages) override {
    for (WatchMessage& message : messages) {
      pending += message.events.bytes.size();
      received.push_back(std::move(message));
    }
    if (reading) pending = 0;
  }
  std::size_t PendingBytes() const override { return pending; }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override {
    below_ = bytes;
    ready_ = std::move(ready);
  }
  void ReadAll() {
    reading = true;
    pending = 0;
    if (ready_) std::exchange(ready_, nullptr)();
  }

  std::vector<Revision> Revisions(WatchId id) const {
    std::vector<Revision> out;
    for (const WatchMessage& message : received) {
      if (message.watch_id != id || message.kind != WatchMessage::Kind::kEvents) continue;
      for (const Revision revision : RevisionsOf(message.events.bytes)) out.push_back(revision);
    }
    return out;
  }

  std::vector<WatchMessage> received;
  std::size_t pending = 0;
  bool reading = true;

 private:
  std::size_t below_ = 0;
  absl::AnyInvocable<void()> ready_;
};

// A cluster of which one member serves watches, is cut off, and gets a snapshot when it is back.
class WatchedMember {
 public:
  explicit WatchedMember(std::uint64_t seed) : cluster(seed, 3, SmallLogs) {
    CHECK(cluster.Boot());
    leader_ = cluster.AwaitLeader();
    watched = (leader_ + 1) % 3;
    // It starts again with a hub, which must be there before anything is published.
    cluster.Kill(watched);
    cluster[watched].before_start = [this](Member& member) {
      watch::WatchOptions options;
      options.stream_pending_bytes_max = 64;
      options.progress_interval = seconds(1);
      hub = std::make_unique<watch::WatchHub>(member.store(), cluster.scheduler.NewExecutor(),
                                              std::make_unique<base::SeededRandom>(1), nullptr,
                                              options);
      member.store().SetObserver(hub.get());
    };
    CHECK_OK(cluster.Open(watched));
    CHECK(cluster.AwaitConverged());
  }
  ~WatchedMember() {
    if (cluster[watched].is_running()) cluster[watched]->store().SetObserver(nullptr);
    hub->Stop();
    cluster.scheduler.RunFor(seconds(1));
  }

  std::shared_ptr<Client> Watch(Revision start, bool progress = false) {
    auto client = std::make_shared<Client>();
    WatchSpec spec;
    spec.key = std::string(1, '\0');
    spec.range_end = spec.key;  // all keys
    spec.start_revision = start;
    spec.progress_notify = progress;
    const watch::StreamId stream = hub->OpenStream(client);
    hub->Create(stream, spec);
    CHECK(cluster.WaitFor([&] { return !client->received.empty(); }));
    return client;
  }
  Revision head() { return cluster[watched]->store().current_revision(); }
  void PutElsewhere(int count) {
    for (int i = 0; i < count; ++i) CHECK_OK(cluster[leader_].Put(Key(i), "new").status);
  }
  void CutOff() {
    cluster.network.Partition({watched});
    leader_ = cluster.AwaitLeader();
  }
  // With a snapshot, whose arrival is awaited.
  void Return() {
    const std::uint64_t before = cluster.network.snapshots_delivered();
    cluster.network.Heal();
    CHECK(cluster.AwaitConverged());
    CHECK(cluster.network.snapshots_delivered() > before);
  }

  SimCluster cluster;
  std::size_t watched = 0;
  std::unique_ptr<watch::WatchHub> hub;

 private:
  std::size_t leader_ = 0;
};

std::vector<Revision> Range(Revision from, Revision to) {
  std::vector<Revision> out;
  for (Revision r = from; r <= to; r = r + 1) out.push_back(r);
  return out;
}

// etcd issue 15271: watchers went back to where the store was before the snapshot.
TEST(WatchOverASnapshot, Bug15271NobodyGoesBackAndNobodyMissesAnything) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    WatchedMember member(seed);
    const Revision start = member.head() + 1;
    const auto from_now = member.Watch(Revision(0));
    const auto slow = member.Watch(start);
    slow->reading = false;
    member.PutElsewhere(10);
    ASSERT_TRUE(member.cluster.AwaitConverged());
    member.CutOff();
    member.PutElsewhere(60);
    member.Return();
    slow->ReadAll();
    member.PutElsewhere(5);
    ASSERT_TRUE(member.cluster.AwaitConverged());
    member.cluster.scheduler.RunFor(seconds(1));
    EXPECT_EQ(from_now->Revisions(WatchId(0)), Range(start, member.head())) << seed;
    EXPECT_EQ(slow->Revisions(WatchId(0)), Range(start, member.head())) << seed;
  }
}

// etcd issue 20221: a watch on the future got what the snapshot brought, and marks.
TEST(WatchOverASnapshot, Bug20221AWatchOnTheFutureHearsNothingEarly) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    WatchedMember member(seed);
    const Revision start = member.head() + 100;
    const auto future = member.Watch(start, /*progress=*/true);
    future->received.clear();
    member.CutOff();
    member.PutElsewhere(60);
    member.Return();
    member.cluster.scheduler.RunFor(seconds(5));
    EXPECT_TRUE(future->received.empty()) << seed;
    member.PutElsewhere(60);
    ASSERT_TRUE(member.cluster.AwaitConverged());
    member.cluster.scheduler.RunFor(seconds(5));
    EXPECT_EQ(future->Revisions(WatchId(0)), Range(start, member.head())) << seed;
    for (const WatchMessage& message : future->received) {
      EXPECT_GE(message.header_revision, start);
    }
  }
}

}  // namespace
}  // namespace etcd::node
