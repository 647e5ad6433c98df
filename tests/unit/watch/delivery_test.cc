#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/watch/hub_fixture.h"

namespace etcd::watch {
namespace {

const std::string kToTheEnd(1, '\0');

class WatchDelivery : public HubFixture {};

TEST_F(WatchDelivery, PutAndDeleteLookAsEtcdSendsThem) {
  Create(Spec("a"));
  db.Put("a", "1");
  db.Put("a", "2");
  db.Delete("a");
  const auto messages = Received();
  ASSERT_EQ(messages.size(), 3u) << "one response per revision";
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(messages[i].header_revision, Revision(static_cast<std::int64_t>(2 + i)));
  }
  const Event second = DecodeEvents(messages[1].events.bytes).at(0);
  EXPECT_EQ(second.value, "2");
  EXPECT_EQ(second.create, 2);
  EXPECT_EQ(second.mod, 3);
  EXPECT_EQ(second.version, 2);
  EXPECT_FALSE(second.has_prev);
  const Event gone = DecodeEvents(messages[2].events.bytes).at(0);
  EXPECT_TRUE(gone.is_delete);
  EXPECT_EQ(gone.key, "a");
  EXPECT_EQ(gone.mod, 4);
  EXPECT_EQ(gone.create, 0);
  EXPECT_EQ(gone.version, 0);
  EXPECT_EQ(gone.value, "");
}

TEST_F(WatchDelivery, ATransactionIsOneResponseInItsOrder) {
  db.Put("b", "0");
  Create(Spec("a", "z"));
  db.Txn([](mvcc::WriteTxn& txn) {
    txn.Put("c", "1", LeaseId(0));
    txn.DeleteRange({"b", ""}, [](std::string_view, const mvcc::KvRef&) {});
    txn.Put("a", "2", LeaseId(0));
    txn.Put("zz", "no", LeaseId(0));
  });
  const auto messages = Received();
  ASSERT_EQ(messages.size(), 1u);
  const auto events = DecodeEvents(messages[0].events.bytes);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].key, "c");
  EXPECT_TRUE(events[1].is_delete);
  EXPECT_EQ(events[2].key, "a");
}

TEST_F(WatchDelivery, FiltersDropEventsAndEmptyResponses) {
  WatchSpec no_put = Spec("a");
  no_put.no_put = true;
  WatchSpec no_delete = Spec("a");
  no_delete.no_delete = true;
  WatchSpec neither = Spec("a");
  neither.no_put = neither.no_delete = true;
  Create(no_put);
  Create(no_delete);
  Create(neither);
  db.Put("a", "1");
  auto messages = Received();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].watch_id, WatchId(1));
  db.Delete("a");
  messages = Received();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].watch_id, WatchId(0));
}

TEST_F(WatchDelivery, PrevKvIsTheValueBefore) {
  WatchSpec spec = Spec("a");
  spec.prev_kv = true;
  Create(spec);
  db.Put("a", "1");
  db.Put("a", "2");
  db.Delete("a");
  db.Put("a", "3");
  const auto events = ReceivedEvents();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_FALSE(events[0].has_prev);
  EXPECT_EQ(events[1].prev_value, "1");
  EXPECT_EQ(events[1].prev_mod, 2);
  EXPECT_EQ(events[2].prev_value, "2");
  EXPECT_FALSE(events[3].has_prev) << "created anew";
}

TEST_F(WatchDelivery, PrevKvOfHistoryIsLeftOutWhenCompacted) {
  for (int i = 0; i < 4; ++i) db.Put("a", std::to_string(i));  // revisions 2 to 5
  db.Compact(Revision(4), /*run=*/false);
  WatchSpec spec = Spec("a", "", 4);
  spec.prev_kv = true;
  Create(spec);
  const auto events = ReceivedEvents();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_FALSE(events[0].has_prev) << "revision 3 is compacted, deleted or not";
  EXPECT_EQ(events[1].prev_value, "2");
}

// kube-apiserver fails a watch whose non-create event has no prev_kv. A compaction that follows at
// once, and even deletes physically, may not take it away from a live watcher.
TEST_F(WatchDelivery, PrevKvOfLiveEventsSurvivesAnImmediateCompaction) {
  Start([] {
    WatchOptions options;
    options.recent_bytes_max = 0;
    return options;
  }());
  db.Put("a", "old");
  WatchSpec spec = Spec("a");
  spec.prev_kv = true;
  Create(spec);
  Received();
  for (int i = 0; i < 3; ++i) {
    db.Apply([&](mvcc::Store& store) {
      {
        const auto txn = store.BeginTxn();
        txn->Put("a", "new", LeaseId(0));
      }
      CHECK_OK(store.Compact(store.current_revision() + 1));
    });
    db.compaction.Advance(std::chrono::seconds(10));
    const auto events = ReceivedEvents();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_TRUE(events[0].has_prev) << i;
    db.compaction.Advance(std::chrono::seconds(10));
  }
}

TEST_F(WatchDelivery, CatchUpPutsUpToAThousandRevisionsInAResponse) {
  for (int i = 0; i < 1500; ++i) db.Put("a", "v");
  Create(Spec("a", "", 2));
  const auto messages = Received();
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(DecodeEvents(messages[0].events.bytes).size(), 1000u);
  EXPECT_EQ(DecodeEvents(messages[1].events.bytes).size(), 500u);
  for (const auto& message : messages) EXPECT_EQ(message.header_revision, Revision(1501));
}

TEST_F(WatchDelivery, CatchUpReadsTheEngineWhenMemoryHasLittle) {
  Start([] {
    WatchOptions options;
    options.recent_bytes_max = 2000;
    options.catch_up_revisions_per_step = 7;
    return options;
  }());
  for (int i = 0; i < 100; ++i) {
    db.Put(i % 3 == 0 ? "a" : "b", std::to_string(i));
    if (i % 10 == 0) db.Delete("b");
  }
  WatchSpec spec = Spec("a", kToTheEnd, 2);
  spec.prev_kv = true;
  Create(spec);
  std::int64_t expected = 2;
  std::map<std::string, std::string> state;
  for (const Event& event : ReceivedEvents()) {
    EXPECT_EQ(event.mod, expected++);
    EXPECT_EQ(event.has_prev, state.contains(event.key));
    if (event.has_prev) {
      EXPECT_EQ(event.prev_value, state[event.key]);
    }
    if (event.is_delete) {
      state.erase(event.key);
    } else {
      state[event.key] = event.value;
    }
  }
  EXPECT_EQ(Revision(expected - 1), db.store->current_revision());
}

TEST_F(WatchDelivery, WatchersOfTheSameShareOneBlock) {
  std::vector<std::shared_ptr<TestSink>> sinks;
  for (int i = 0; i < 10; ++i) {
    sinks.push_back(std::make_shared<TestSink>());
    const StreamId id = hub->OpenStream(sinks.back());
    hub->Create(id, Spec("a"));
    hub->Create(id, Spec("a", "b"));
  }
  Run();
  for (auto& s : sinks) s->Take();
  db.Put("a", std::string(1000, 'v'));
  Run();
  const void* bytes = sinks[0]->received.at(0).events.bytes.data();
  for (auto& s : sinks) {
    ASSERT_EQ(s->received.size(), 2u);
    for (auto& message : s->received) EXPECT_EQ(message.events.bytes.data(), bytes);
  }
}

TEST_F(WatchDelivery, FragmentsAreAdjacentAndComplete) {
  Start([] {
    WatchOptions options;
    options.fragment_bytes = 1000;
    return options;
  }());
  WatchSpec spec = Spec("a", "z");
  spec.fragment = true;
  Create(spec);
  Create(Spec("a", "z"));
  db.Txn([](mvcc::WriteTxn& txn) {
    for (int i = 0; i < 26; ++i) {
      txn.Put(std::string("k") + static_cast<char>('a' + i), std::string(200, 'v'), LeaseId(0));
    }
  });
  const auto messages = Received();
  std::size_t pieces = 0, events = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].watch_id != WatchId(0)) {
      EXPECT_FALSE(messages[i].fragment) << "not asked for: goes whole, whatever its size";
      EXPECT_EQ(DecodeEvents(messages[i].events.bytes).size(), 26u);
      continue;
    }
    ++pieces;
    events += DecodeEvents(messages[i].events.bytes).size();
    EXPECT_LT(messages[i].events.bytes.size(), 1000u);
    if (messages[i].fragment) {
      ASSERT_LT(i + 1, messages.size());
      EXPECT_EQ(messages[i + 1].watch_id, WatchId(0));
    }
  }
  EXPECT_GT(pieces, 5u);
  EXPECT_EQ(events, 26u);
}

TEST_F(WatchDelivery, FutureStartGetsNothingEarlier) {
  const std::int64_t start = db.store->current_revision().value() + 3;
  Create(Spec("a", "", start));
  for (int i = 0; i < 5; ++i) db.Put("a", "v");
  const auto events = ReceivedEvents();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].mod, start);
}

class SlowStream : public HubFixture {
 protected:
  static WatchOptions Options() {
    WatchOptions options;
    options.stream_pending_bytes_max = 2000;
    return options;
  }
  SlowStream() : HubFixture(Options()) {}
};

TEST_F(SlowStream, HoldsLittleLosesNothingAndDelaysNobody) {
  auto fast = std::make_shared<TestSink>();
  const StreamId other = hub->OpenStream(fast);
  hub->Create(other, Spec("a"));
  Create(Spec("a"));
  Run();
  fast->Take();
  sink->reading = false;
  for (int i = 0; i < 300; ++i) {
    db.Put("a", std::string(100, 'v'));
    Run();
    ASSERT_EQ(fast->Take().size(), 1u);
    EXPECT_LE(sink->pending, 2000u + 300u);
  }
  EXPECT_EQ(gauges.slow, 1);
  std::int64_t expected = 2;
  for (int i = 0; i < 100 && expected < 302; ++i) {
    for (const Event& event : ReceivedEvents()) EXPECT_EQ(event.mod, expected++);
    sink->Drain();
    Run();
  }
  for (const Event& event : ReceivedEvents()) EXPECT_EQ(event.mod, expected++);
  EXPECT_EQ(expected, 302);
  sink->reading = true;
  sink->Drain();
  Run();
  EXPECT_EQ(gauges.slow, 0);
  EXPECT_EQ(executor.pending(), 0u);
}

TEST_F(SlowStream, IsToldWhenCompactionOvertakesIt) {
  Create(Spec("a"));
  Create(Spec("b"));
  sink->reading = false;
  for (int i = 0; i < 100; ++i) {
    db.Put("a", std::string(100, 'v'));
    Run();
  }
  std::int64_t last = 0;
  for (const Event& event : ReceivedEvents()) last = event.mod;
  db.Compact(db.store->current_revision());
  sink->reading = true;
  sink->Drain();
  const auto messages = Received();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].kind, Kind::kCompacted);
  EXPECT_EQ(messages[0].watch_id, WatchId(0));
  EXPECT_EQ(messages[0].compact_revision, db.store->current_revision());
  EXPECT_LT(last, 101);
  db.Put("b", "v");
  EXPECT_EQ(ReceivedEvents().size(), 1u) << "the other watcher missed nothing and goes on";
}

// etcd issue 17529: starved watchers under constant compaction either get everything or are told.
TEST_F(SlowStream, Bug17529StarvedWatcherLosesNothingSilently) {
  base::SeededRandom random(5);
  for (int i = 0; i < 20; ++i) Create(Spec(std::string("k") + std::to_string(i % 4)));
  std::map<std::int64_t, std::int64_t> last;  // watcher -> last event
  std::map<std::int64_t, bool> told;
  std::map<std::string, std::vector<std::int64_t>> written;
  for (int round = 0; round < 3000; ++round) {
    const std::string key = std::string("k") + std::to_string(random.Below(4));
    written[key].push_back(db.Put(key, std::string(150, 'v')).value());
    sink->reading = random.Below(8) == 0;
    if (sink->reading) sink->Drain();
    for (auto n = random.Below(6); n > 0; --n) executor.RunOne();
    if (round % 97 == 0)
      db.Compact(db.store->current_revision() - 30 > db.store->compact_revision()
                     ? db.store->current_revision() - 30
                     : db.store->current_revision());
    for (const auto& message : sink->Take()) {
      const auto id = message.watch_id.value();
      if (message.kind == Kind::kCompacted) {
        told[id] = true;
        continue;
      }
      ASSERT_FALSE(told[id]);
      const auto& revisions = written[std::string("k") + std::to_string(id % 4)];
      for (const Event& event : DecodeEvents(message.events.bytes)) {
        auto expected = std::ranges::upper_bound(revisions, last[id]);
        ASSERT_NE(expected, revisions.end());
        ASSERT_EQ(event.mod, *expected) << "watcher " << id << " has a gap or a repetition";
        last[id] = event.mod;
      }
    }
  }
  sink->reading = true;
  sink->Drain();
  for (const auto& message : Received()) {
    if (message.kind == Kind::kCompacted) {
      told[message.watch_id.value()] = true;
    } else {
      for (const Event& event : DecodeEvents(message.events.bytes)) {
        last[message.watch_id.value()] = event.mod;
      }
    }
  }
  int alive = 0;
  for (int id = 0; id < 20; ++id) {
    if (told[id]) continue;
    ++alive;
    EXPECT_EQ(last[id], written[std::string("k") + std::to_string(id % 4)].back());
  }
  EXPECT_EQ(gauges.watchers, alive);
}

// etcd issue 18089: the tombstone at exactly the compaction revision is still an event.
TEST_F(WatchDelivery, Bug18089DeleteAtTheCompactRevisionIsDelivered) {
  Start([] {
    WatchOptions options;
    options.recent_bytes_max = 0;
    return options;
  }());
  db.Put("a", "1");
  const Revision deleted = db.Delete("a");
  db.Put("b", "1");
  db.Compact(deleted);
  Create(Spec("a", "", deleted.value()));
  const auto events = ReceivedEvents();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].is_delete);
  EXPECT_EQ(events[0].mod, deleted.value());
}

}  // namespace
}  // namespace etcd::watch
