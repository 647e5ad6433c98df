#include "tests/unit/watch/hub_fixture.h"

namespace etcd::watch {
namespace {

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
const std::string kToTheEnd(1, '\0');

class WatchCreate : public HubFixture {};

TEST_F(WatchCreate, AnswersWithTheCurrentRevision) {
  db.Put("a", "1");
  const Revision now = db.Put("a", "2");
  const WatchMessage created = Create(Spec("a"));
  EXPECT_EQ(created.kind, Kind::kCreated);
  EXPECT_EQ(created.watch_id, WatchId(0));
  EXPECT_EQ(created.header_revision, now);
  EXPECT_TRUE(Received().empty());
}

TEST_F(WatchCreate, AutoIdsCountUpAndPassTakenOnes) {
  WatchSpec taken = Spec("a");
  taken.watch_id = WatchId(1);
  EXPECT_EQ(Create(taken).watch_id, WatchId(1));
  EXPECT_EQ(Create(Spec("a")).watch_id, WatchId(0));
  EXPECT_EQ(Create(Spec("a")).watch_id, WatchId(2));
  hub->Cancel(stream, WatchId(2));
  Received();
  EXPECT_EQ(Create(Spec("a")).watch_id, WatchId(3)) << "canceled auto ids are not handed out again";
}

TEST_F(WatchCreate, NegativeIdsAreUsedAsGiven) {
  WatchSpec spec = Spec("a");
  spec.watch_id = WatchId(-7);
  EXPECT_EQ(Create(spec).watch_id, WatchId(-7));
  db.Put("a", "1");
  EXPECT_EQ(Received().at(0).watch_id, WatchId(-7));
}

void ExpectRefused(const WatchMessage& answer, std::string_view reason) {
  EXPECT_EQ(answer.kind, Kind::kRefused);
  EXPECT_EQ(answer.watch_id, WatchId(-1));
  EXPECT_EQ(answer.cancel_reason, reason);
  EXPECT_EQ(answer.compact_revision, Revision(0));
}

TEST_F(WatchCreate, RefusalsInEtcdsOrderOfChecks) {
  WatchSpec spec = Spec("b", "a", -1);
  spec.watch_id = WatchId(5);
  spec.denied_reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
  ASSERT_EQ(Create([] {
              WatchSpec first = Spec("k");
              first.watch_id = WatchId(5);
              return first;
            }())
                .kind,
            Kind::kCreated);
  ExpectRefused(Create(spec), "etcdserver: mvcc: required revision has been compacted");
  spec.start_revision = Revision(0);
  ExpectRefused(Create(spec), spec.denied_reason);
  spec.denied_reason.clear();
  ExpectRefused(Create(spec), "mvcc: watcher range is empty");
  spec.range_end = "c";
  ExpectRefused(Create(spec), "mvcc: duplicate watch ID provided on the WatchStream");
  spec.watch_id = WatchId(6);
  EXPECT_EQ(Create(spec).kind, Kind::kCreated);
  EXPECT_EQ(gauges.watchers, 2);
}

TEST_F(WatchCreate, EmptyRangeMeansEndAtOrBeforeKey) {
  ExpectRefused(Create(Spec("b", "b")), "mvcc: watcher range is empty");
  EXPECT_EQ(Create(Spec("b", kToTheEnd)).kind, Kind::kCreated);
  EXPECT_EQ(Create(Spec("", kToTheEnd)).kind, Kind::kCreated);
  EXPECT_EQ(Create(Spec("", "b")).kind, Kind::kCreated);
}

// etcd issue 20707: a negative start is refused whatever the store holds; a far one just waits.
TEST_F(WatchCreate, Bug20707NegativeStartIsRefusedFarStartWaits) {
  for (const bool compacted : {false, true}) {
    if (compacted) {
      db.Put("a", "1");
      db.Compact(db.Put("a", "2"));
      Received();
    }
    for (const std::int64_t start : {std::int64_t{-1}, kMin}) {
      ExpectRefused(Create(Spec("a", "", start)),
                    "etcdserver: mvcc: required revision has been compacted");
    }
    const auto answer = Create(Spec("a", "", db.store->current_revision().value() + 1'000'000));
    EXPECT_EQ(answer.kind, Kind::kCreated);
    db.Put("a", "3");
    EXPECT_TRUE(Received().empty());
    EXPECT_EQ(executor.pending(), 0u) << "nothing may resync for ever";
  }
}

TEST_F(WatchCreate, CompactedStartIsCreatedThenCanceledAndKeepsItsId) {
  for (int i = 0; i < 5; ++i) db.Put("a", "v");
  db.Compact(Revision(4));
  Run();
  WatchSpec spec = Spec("never-existed", "", 3);
  spec.watch_id = WatchId(9);
  EXPECT_EQ(Create(spec).kind, Kind::kCreated);
  auto messages = Received();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, Kind::kCompacted);
  EXPECT_EQ(messages[0].watch_id, WatchId(9));
  EXPECT_EQ(messages[0].header_revision, Revision(0));
  EXPECT_EQ(messages[0].compact_revision, Revision(4));
  EXPECT_EQ(messages[0].cancel_reason, "");
  EXPECT_EQ(gauges.watchers, 0);

  ExpectRefused(Create(spec), "mvcc: duplicate watch ID provided on the WatchStream");
  EXPECT_EQ(Create(Spec("a")).kind, Kind::kCreated);
  hub->RequestProgress(stream);
  EXPECT_TRUE(Received().empty()) << "progress stays unanswered until the id is canceled";
  hub->Cancel(stream, WatchId(9));
  messages = Received();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, Kind::kCanceled);
  hub->RequestProgress(stream);
  EXPECT_EQ(Received().size(), 1u);
  EXPECT_EQ(gauges.watchers, 1);
}

TEST_F(WatchCreate, StartAtTheCompactRevisionIsFine) {
  for (int i = 0; i < 5; ++i) db.Put("a", std::to_string(i));
  db.Compact(Revision(4));
  EXPECT_EQ(Create(Spec("a", "", 4)).kind, Kind::kCreated);
  const auto events = ReceivedEvents();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].mod, 4);
}

// etcd issue 14563: id 0 is an id like the others.
TEST_F(WatchCreate, Bug14563CancelHitsExactlyTheGivenId) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Create(Spec("a")).watch_id, WatchId(i));
  base::SeededRandom random(3);
  std::vector<WatchId> alive;
  for (int i = 0; i < 100; ++i) alive.push_back(WatchId(i));
  ExpectRefused(Create(Spec("b", "a")), "mvcc: watcher range is empty");
  while (!alive.empty()) {
    const auto victim = alive.begin() + static_cast<std::ptrdiff_t>(random.Below(alive.size()));
    hub->Cancel(stream, *victim);
    hub->Cancel(stream, WatchId(-1));   // what a failed create was answered with
    hub->Cancel(stream, WatchId(500));  // unknown: no reply
    auto answers = Received();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].kind, Kind::kCanceled);
    EXPECT_EQ(answers[0].watch_id, *victim);
    EXPECT_EQ(answers[0].header_revision, db.store->current_revision());
    alive.erase(victim);
    db.Put("a", "v");
    std::vector<WatchId> told;
    for (const auto& message : Received()) told.push_back(message.watch_id);
    std::ranges::sort(told);
    ASSERT_EQ(told, alive);
  }
}

TEST_F(WatchCreate, AnIdIsFreeAgainAfterCancel) {
  WatchSpec spec = Spec("a");
  spec.watch_id = WatchId(4);
  EXPECT_EQ(Create(spec).kind, Kind::kCreated);
  hub->Cancel(stream, WatchId(4));
  Received();
  EXPECT_EQ(Create(spec).kind, Kind::kCreated);
}

// etcd issue 11758.
TEST_F(WatchCreate, Bug11758OneDeniedWatchLeavesTheOthers) {
  for (int i = 0; i < 9; ++i) Create(Spec("a"));
  WatchSpec denied = Spec("a");
  denied.denied_reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
  EXPECT_EQ(Create(denied).kind, Kind::kRefused);
  db.Put("a", "v");
  EXPECT_EQ(Received().size(), 9u);
}

TEST_F(WatchCreate, CreatedComesBeforeItsEvents) {
  db.Put("a", "1");
  hub->Create(stream, Spec("a", "", 2));
  db.Put("a", "2");
  const auto messages = Received();
  ASSERT_GE(messages.size(), 2u);
  EXPECT_EQ(messages[0].kind, Kind::kCreated);
  std::vector<std::int64_t> mods;
  for (std::size_t i = 1; i < messages.size(); ++i) {
    for (const auto& event : DecodeEvents(messages[i].events.bytes)) mods.push_back(event.mod);
  }
  EXPECT_EQ(mods, (std::vector<std::int64_t>{2, 3}));
}

TEST_F(WatchCreate, StartZeroIsAfterWhatWasAlreadyPublished) {
  // Published, but the watch thread has not run yet: the client that wrote it must not be told.
  const Revision now = db.Put("a", "1");
  const WatchMessage created = [&] {
    hub->Create(stream, Spec("a"));
    Run();
    return sink->Take().at(0);
  }();
  EXPECT_EQ(created.header_revision, now);
  EXPECT_TRUE(Received().empty());
  db.Put("a", "2");
  EXPECT_EQ(ReceivedEvents().size(), 1u);
}

// etcd issues 11850, 18784, 20067: whatever the order of close and cancel, nothing stays counted.
TEST_F(WatchCreate, Bug18784NothingLeaksOverOpenCancelClose) {
  base::SeededRandom random(11);
  for (int i = 0; i < 50; ++i) db.Put("a", std::string(100, 'v'));
  db.Compact(Revision(10));
  for (int round = 0; round < 3000; ++round) {
    auto other = std::make_shared<TestSink>();
    std::weak_ptr<TestSink> watched = other;
    other->reading = random.Below(2) == 0;
    const StreamId id = hub->OpenStream(other);
    for (auto n = random.Below(4); n > 0; --n) {
      WatchSpec spec =
          Spec("a", random.Below(2) == 0 ? "" : "b", static_cast<std::int64_t>(random.Below(60)));
      spec.progress_notify = random.Below(2) == 0;
      hub->Create(id, spec);
    }
    for (auto n = random.Below(20); n > 0; --n) executor.RunOne();
    if (random.Below(3) == 0) db.Put("a", "w");
    hub->Cancel(id, WatchId(static_cast<std::int64_t>(random.Below(4))));
    if (random.Below(2) == 0) hub->CloseStream(id);
    hub->CloseStream(id);
    hub->Cancel(id, WatchId(0));
    hub->Create(id, Spec("a"));
    hub->RequestProgress(id);
    Run();
    other.reset();
    ASSERT_TRUE(watched.expired()) << "the sink is still held";
    ASSERT_EQ(gauges.watchers, 0);
    ASSERT_EQ(gauges.slow, 0);
    ASSERT_EQ(gauges.streams, 1);
  }
  executor.Advance(std::chrono::hours(1));
  EXPECT_EQ(executor.pending(), 0u) << "timers of closed streams must end";
}

}  // namespace
}  // namespace etcd::watch
