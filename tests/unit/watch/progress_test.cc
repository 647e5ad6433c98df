#include "tests/unit/watch/hub_fixture.h"

namespace etcd::watch {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class WatchProgress : public HubFixture {};

TEST_F(WatchProgress, AnswersOnceForTheStreamWhenAllAreSynced) {
  hub->RequestProgress(stream);
  EXPECT_TRUE(Received().empty()) << "a stream without watchers gets nothing";
  Create(Spec("a"));
  Create(Spec("b"));
  db.Put("c", "v");
  Run();
  hub->RequestProgress(stream);
  const auto messages = Received();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, Kind::kProgress);
  EXPECT_EQ(messages[0].watch_id, WatchId(-1));
  EXPECT_EQ(messages[0].header_revision, db.store->current_revision());
  EXPECT_TRUE(messages[0].events.bytes.empty());
}

TEST_F(WatchProgress, NothingWhileOneIsBehindOrInTheFuture) {
  for (int i = 0; i < 10; ++i) db.Put("a", "v");
  Run();
  hub->Create(stream, Spec("a", "", 2));
  hub->RequestProgress(stream);  // runs before the history is read
  auto messages = Received();
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].kind, Kind::kCreated);
  EXPECT_EQ(messages[1].kind, Kind::kEvents);
  hub->RequestProgress(stream);
  EXPECT_EQ(Received().size(), 1u) << "dropped, not deferred; later ones are answered";
  Create(Spec("a", "", db.store->current_revision().value() + 2));
  hub->RequestProgress(stream);
  EXPECT_TRUE(Received().empty());
  db.Put("x", "v");
  Run();
  hub->RequestProgress(stream);
  EXPECT_TRUE(Received().empty());
  db.Put("x", "v");
  Run();
  hub->RequestProgress(stream);
  EXPECT_EQ(Received().size(), 1u);
}

// etcd issue 15220: whatever is at or below a mark came before it.
TEST_F(WatchProgress, Bug15220NoEventFollowsAMarkThatCoversIt) {
  Start([] {
    WatchOptions options;
    options.stream_pending_bytes_max = 500;
    return options;
  }());
  base::SeededRandom random(2);
  for (int i = 0; i < 5; ++i) Create(Spec("a"));
  std::int64_t mark = 0;
  int marks = 0;
  for (int round = 0; round < 4000; ++round) {
    if (random.Below(3) == 0) db.Put("a", std::string(50, 'v'));
    hub->RequestProgress(stream);
    sink->reading = random.Below(4) != 0;
    if (sink->reading) sink->Drain();
    for (auto n = random.Below(4); n > 0; --n) executor.RunOne();
    for (const auto& message : sink->Take()) {
      if (message.kind == Kind::kProgress) {
        EXPECT_GE(message.header_revision.value(), mark);
        mark = message.header_revision.value();
        ++marks;
        continue;
      }
      for (const Event& event : DecodeEvents(message.events.bytes)) ASSERT_GT(event.mod, mark);
    }
  }
  EXPECT_GT(marks, 100);
}

// etcd issue 17566: a watch on which nothing happens hears of it, every interval.
TEST_F(WatchProgress, Bug17566IdleWatchGetsAMarkEveryInterval) {
  WatchSpec spec = Spec("idle");
  spec.progress_notify = true;
  Create(spec);
  Create(Spec("idle"));
  executor.Advance(minutes(9) + seconds(59));
  EXPECT_TRUE(Received().empty());
  int marks = 0;
  for (int i = 0; i < 60; ++i) {
    db.Put("other", "v");
    executor.Advance(minutes(1));
    for (const auto& message : Received()) {
      EXPECT_EQ(message.kind, Kind::kProgress);
      EXPECT_EQ(message.watch_id, WatchId(0)) << "only who asked, with its own id";
      EXPECT_EQ(message.header_revision, db.store->current_revision());
      ++marks;
    }
  }
  EXPECT_GE(marks, 5) << "an hour of intervals of 10 to 11 minutes";
  EXPECT_LE(marks, 7);
}

TEST_F(WatchProgress, EventsSilenceTheNextTickOnly) {
  WatchSpec spec = Spec("a");
  spec.progress_notify = true;
  Create(spec);
  executor.Advance(minutes(5));
  db.Put("a", "v");
  EXPECT_EQ(ReceivedEvents().size(), 1u);
  executor.Advance(minutes(7));
  EXPECT_TRUE(Received().empty());
  executor.Advance(minutes(11));
  EXPECT_EQ(Received().size(), 1u);
}

TEST_F(WatchProgress, IntervalsDifferBetweenStreamsByAtMostATenth) {
  std::vector<std::shared_ptr<TestSink>> sinks;
  for (int i = 0; i < 50; ++i) {
    sinks.push_back(std::make_shared<TestSink>());
    WatchSpec spec = Spec("a");
    spec.progress_notify = true;
    hub->Create(hub->OpenStream(sinks.back()), spec);
  }
  Run();
  for (auto& s : sinks) s->Take();
  executor.Advance(minutes(10) - seconds(1));
  std::size_t early = 0, middle = 0, all = 0;
  for (auto& s : sinks) early += s->received.size();
  executor.Advance(seconds(31));
  for (auto& s : sinks) middle += s->received.size();
  executor.Advance(seconds(31));
  for (auto& s : sinks) all += s->received.size();
  EXPECT_EQ(early, 0u);
  EXPECT_GT(middle, 10u);
  EXPECT_LT(middle, 40u);
  EXPECT_EQ(all, 50u);
}

// etcd issue 20221: neither events nor marks below the start revision, also over a snapshot.
TEST_F(WatchProgress, Bug20221FutureWatchHearsNothingEarlyOverARestore) {
  const std::int64_t start = db.store->current_revision().value() + 60;
  WatchSpec spec = Spec("a", "", start);
  spec.progress_notify = true;
  Create(spec);
  // A snapshot arrives that is still below the start.
  db.store->SetObserver(nullptr);
  for (int i = 0; i < 20; ++i) db.Put("a", "v");
  db.store->SetObserver(hub.get());
  bool done = false;
  hub->Restored(*db.store, [&] { done = true; });
  EXPECT_TRUE(Received().empty());
  EXPECT_TRUE(done);
  hub->RequestProgress(stream);
  executor.Advance(minutes(12));
  EXPECT_TRUE(Received().empty());
  while (db.store->current_revision() < Revision(start + 2)) db.Put("a", "v");
  const auto events = ReceivedEvents();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].mod, start);
}

// etcd issue 15271: after a snapshot nobody goes back, and nobody misses what the snapshot skipped.
TEST_F(WatchProgress, Bug15271RestoreNeitherRepeatsNorSkips) {
  db.Put("a", "0");
  Create(Spec("a"));
  Create(Spec("b"));
  Create(Spec("a", "", 2));
  Run();
  db.Put("a", "1");
  Run();
  std::map<std::int64_t, std::int64_t> last{{0, 3}, {2, 3}};
  Received();
  db.store->SetObserver(nullptr);
  for (int i = 0; i < 10; ++i) db.Put(i % 2 == 0 ? "a" : "b", "v");  // revisions 4 to 13
  db.store->SetObserver(hub.get());
  hub->Restored(*db.store, nullptr);
  db.Put("a", "after");
  std::map<std::int64_t, std::vector<std::int64_t>> got;
  for (const auto& message : Received()) {
    ASSERT_EQ(message.kind, Kind::kEvents);
    for (const Event& event : DecodeEvents(message.events.bytes)) {
      got[message.watch_id.value()].push_back(event.mod);
    }
  }
  const std::vector<std::int64_t> of_a{4, 6, 8, 10, 12, 14};
  const std::vector<std::int64_t> of_b{5, 7, 9, 11, 13};
  EXPECT_EQ(got[0], of_a);
  EXPECT_EQ(got[2], of_a);
  EXPECT_EQ(got[1], of_b);
  EXPECT_EQ(gauges.slow, 0);
}

TEST_F(WatchProgress, RestoreToACompactedStoreTellsThoseWhoMissedSomething) {
  Create(Spec("a"));
  db.store->SetObserver(nullptr);
  for (int i = 0; i < 10; ++i) db.Put("a", "v");
  db.Compact(Revision(9));
  db.store->SetObserver(hub.get());
  hub->Restored(*db.store, nullptr);
  const auto messages = Received();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, Kind::kCompacted);
  EXPECT_EQ(messages[0].compact_revision, Revision(9));
}

TEST_F(WatchProgress, RestoreAfterStopStillReportsDone) {
  hub->Stop();
  Run();
  bool done = false;
  hub->Restored(*db.store, [&] { done = true; });
  Run();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace etcd::watch
