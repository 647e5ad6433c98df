#include <set>

#include "server/base/log.h"
#include "tests/unit/watch/hub_fixture.h"

// Random changes, compactions, restores and watchers with slow and fast clients, against a model:
// the list of all changes ever made. Every message is judged when it arrives.
namespace etcd::watch {
namespace {

const std::string kToTheEnd(1, '\0');

struct Change {
  std::string key;
  bool is_delete = false;
  bool is_create = false;
  std::string value;
  std::string prev_value;
  std::int64_t prev_mod = 0;
};

// What a client believes about one of its watchers.
struct Client {
  WatchSpec spec;
  bool created = false;
  bool ended = false;
  std::int64_t next = 0;      // everything below was received or is not wanted
  std::vector<Event> pieces;  // of a response in fragments
};

struct Connection {
  StreamId id;
  std::shared_ptr<TestSink> sink = std::make_shared<TestSink>();
  std::map<std::int64_t, Client> clients;  // by watch id, chosen by the client
  std::int64_t next_id = 1;
  std::int64_t last_piece_of = 0;  // id whose fragments are being received
};

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    WatchOptions options;
    options.recent_bytes_max = random_.Below(3) == 0 ? 0 : 200 * random_.Below(200);
    options.stream_pending_bytes_max = 300 + random_.Below(3000);
    options.catch_up_revisions_per_response = static_cast<std::int64_t>(1 + random_.Below(20));
    options.catch_up_revisions_per_step = static_cast<std::int64_t>(1 + random_.Below(60));
    options.catch_up_bytes_per_step = 1 + random_.Below(5000);
    options.catch_up_watchers = 1 + random_.Below(10);
    options.fragment_bytes = 200 + random_.Below(500);
    options.progress_interval = std::chrono::seconds(1);
    hub_ = std::make_unique<WatchHub>(
        *db_.store, executor_, std::make_unique<base::SeededRandom>(seed), &gauges_, options);
    db_.store->SetObserver(hub_.get());
    for (int i = 0; i < 4; ++i) Connect();
  }
  ~Model() {
    db_.store->SetObserver(nullptr);
    hub_->Stop();
    executor_.RunDue();
    EXPECT_EQ(gauges_.watchers, 0);
    EXPECT_EQ(gauges_.slow, 0);
    EXPECT_EQ(gauges_.streams, 0);
  }

  void Step() {
    switch (random_.Below(20)) {
      case 0:
        return Watch();
      case 1:
        return Cancel();
      case 2:
        if (random_.Below(8) == 0) Reconnect();
        return;
      case 3:
        if (random_.Below(6) == 0) Compact();
        return;
      case 4:
        if (random_.Below(12) == 0) Restore();
        return;
      case 5:
        return hub_->RequestProgress(Any().id);
      case 6:
        return executor_.Advance(std::chrono::milliseconds(random_.Below(400)));
      case 7:
        return db_.compaction.Advance(std::chrono::milliseconds(random_.Below(50)));
      case 8:
      case 9: {
        Connection& connection = Any();
        connection.sink->reading = random_.Below(3) == 0;
        connection.sink->Drain();
        break;
      }
      case 10:
      case 11:
      case 12:
      case 13:
        for (auto n = random_.Below(8); n > 0; --n) executor_.RunOne();
        break;
      default:
        Write();
    }
    for (Connection& connection : connections_) Judge(connection);
  }

  void Finish() {
    // A drained sink posts a task: two quiet rounds mean that all is done.
    for (int quiet = 0; quiet < 2;) {
      bool waiting = executor_.RunOne();
      for (Connection& connection : connections_) {
        connection.sink->reading = true;
        connection.sink->Drain();
        waiting = waiting || !connection.sink->received.empty();
        Judge(connection);
      }
      quiet = waiting ? 0 : quiet + 1;
    }
    for (Connection& connection : connections_) {
      for (auto& [id, client] : connection.clients) {
        if (client.ended) continue;
        ASSERT_TRUE(client.created);
        Skip(client, Head() + 1);
        ASSERT_GT(client.next, Head()) << "watcher " << id << " was not given everything";
      }
      hub_->RequestProgress(connection.id);
    }
    events_ = gauges_.events;
    EXPECT_EQ(gauges_.slow, 0);
  }
  std::int64_t events() const { return events_; }
  std::int64_t told() const { return told_; }
  std::int64_t marks() const { return marks_; }

 private:
  std::int64_t Head() const { return db_.store->current_revision().value(); }
  Connection& Any() { return connections_[random_.Below(connections_.size())]; }
  std::string Key() { return std::string(1, static_cast<char>('a' + random_.Below(6))); }

  void Connect() {
    connections_.emplace_back();
    connections_.back().id = hub_->OpenStream(connections_.back().sink);
  }
  void Reconnect() {
    const std::size_t i = random_.Below(connections_.size());
    hub_->CloseStream(connections_[i].id);
    connections_[i] = Connection();
    connections_[i].id = hub_->OpenStream(connections_[i].sink);
  }

  void Watch() {
    Connection& connection = Any();
    if (connection.clients.size() > 12) return;
    WatchSpec spec;
    spec.key = Key();
    if (random_.Below(2) == 0) spec.range_end = random_.Below(2) == 0 ? kToTheEnd : spec.key + "~";
    if (random_.Below(2) == 0) {
      spec.range_end = "z";
    }
    switch (random_.Below(3)) {
      case 0:
        spec.start_revision = Revision(Head() + static_cast<std::int64_t>(random_.Below(20)));
        break;
      case 1:
        spec.start_revision = Revision(
            1 + static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(Head()))));
        break;
      default:
        break;
    }
    spec.prev_kv = random_.Below(2) == 0;
    spec.no_put = random_.Below(8) == 0;
    spec.no_delete = random_.Below(8) == 0;
    spec.fragment = random_.Below(2) == 0;
    spec.progress_notify = random_.Below(2) == 0;
    spec.watch_id = WatchId(connection.next_id++);
    connection.clients[spec.watch_id.value()].spec = spec;
    hub_->Create(connection.id, spec);
  }
  void Cancel() {
    Connection& connection = Any();
    if (connection.clients.empty()) return;
    auto it = connection.clients.begin();
    std::advance(it, random_.Below(connection.clients.size()));
    hub_->Cancel(connection.id, WatchId(it->first));
  }
  void Compact() {
    const auto compacted = db_.store->compact_revision().value();
    const std::int64_t low = std::max<std::int64_t>(compacted + 1, Head() - 60);
    if (low > Head()) return;
    const auto span = static_cast<std::uint64_t>(Head() - low + 1);
    db_.Compact(Revision(low + static_cast<std::int64_t>(random_.Below(span))), /*run=*/false);
  }
  // The store advances without the hub being told, as by a snapshot.
  void Restore() {
    db_.store->SetObserver(nullptr);
    for (auto n = random_.Below(10); n > 0; --n) Write();
    db_.store->SetObserver(hub_.get());
    hub_->Restored(*db_.store, nullptr);
  }

  void Write() {
    std::vector<Change> changes;
    const std::int64_t revision = Head() + 1;
    const Revision after = db_.Txn([&](mvcc::WriteTxn& txn) {
      std::set<std::string> touched;
      for (auto n = 1 + random_.Below(3) * random_.Below(4); n > 0; --n) {
        const std::string key = Key();
        if (!touched.insert(key).second) continue;
        const bool known = state_.contains(key);
        Change change;
        change.key = key;
        change.is_create = !known;
        if (known) {
          change.prev_value = state_[key].first;
          change.prev_mod = state_[key].second;
        }
        if (random_.Below(4) == 0) {
          if (!known) continue;
          change.is_delete = true;
          txn.DeleteRange({key, ""}, [](std::string_view, const mvcc::KvRef&) {});
          state_.erase(key);
        } else {
          change.value = std::to_string(revision) + std::string(random_.Below(120), 'v');
          txn.Put(key, change.value, LeaseId(0));
          state_[key] = {change.value, revision};
        }
        changes.push_back(std::move(change));
      }
    });
    if (changes.empty()) return;
    ASSERT_EQ(after.value(), revision);
    history_[revision] = std::move(changes);
  }

  static bool Wants(const WatchSpec& spec, const Change& change) {
    if (change.is_delete ? spec.no_delete : spec.no_put) return false;
    if (spec.range_end.empty()) return change.key == spec.key;
    return change.key >= spec.key && (spec.range_end == kToTheEnd || change.key < spec.range_end);
  }
  std::vector<Change> Expected(const WatchSpec& spec, std::int64_t revision) const {
    std::vector<Change> wanted;
    const auto it = history_.find(revision);
    if (it == history_.end()) return wanted;
    for (const Change& change : it->second) {
      if (Wants(spec, change)) wanted.push_back(change);
    }
    return wanted;
  }
  // Passes revisions below `limit` that hold nothing for this client.
  void Skip(Client& client, std::int64_t limit) const {
    while (client.next < limit && Expected(client.spec, client.next).empty()) ++client.next;
  }

  void Judge(Connection& connection) {
    for (const WatchMessage& message : connection.sink->Take()) {
      if (message.kind == Kind::kProgress && message.watch_id == WatchId(-1)) {
        for (auto& [id, client] : connection.clients) {
          if (client.created) JudgeMark(client, message.header_revision);
        }
        continue;
      }
      const auto it = connection.clients.find(message.watch_id.value());
      ASSERT_NE(it, connection.clients.end()) << "unknown watch id " << message.watch_id;
      ASSERT_TRUE(connection.last_piece_of == 0 || connection.last_piece_of == it->first)
          << "another response between fragments";
      connection.last_piece_of = message.fragment ? it->first : 0;
      Judge(it->second, message);
      if (message.kind == Kind::kCanceled) connection.clients.erase(it);
    }
  }
  void Judge(Client& client, const WatchMessage& message) {
    switch (message.kind) {
      case Kind::kCreated:
        ASSERT_FALSE(client.created);
        client.created = true;
        client.next = client.spec.start_revision ? client.spec.start_revision.value()
                                                 : message.header_revision.value() + 1;
        return;
      case Kind::kProgress:
        return JudgeMark(client, message.header_revision);
      case Kind::kCompacted:
        ++told_;
        client.ended = true;
        EXPECT_EQ(message.header_revision, Revision(0));
        EXPECT_LT(client.next, message.compact_revision.value()) << "it had everything";
        return;
      case Kind::kEvents:
        return JudgeEvents(client, message);
      default:
        return;
    }
  }
  void JudgeMark(Client& client, Revision mark) {
    ++marks_;
    ASSERT_TRUE(client.created && !client.ended);
    ASSERT_GE(mark, client.spec.start_revision) << "a mark below the start";
    Skip(client, mark.value() + 1);
    ASSERT_GT(client.next, mark.value()) << "a mark ahead of its events";
  }
  void JudgeEvents(Client& client, const WatchMessage& message) {
    ASSERT_TRUE(client.created && !client.ended);
    auto events = DecodeEvents(message.events.bytes);
    ASSERT_FALSE(events.empty());
    EXPECT_GE(message.header_revision.value(), events.back().mod);
    std::ranges::move(events, std::back_inserter(client.pieces));
    if (message.fragment) {
      EXPECT_TRUE(client.spec.fragment);
      return;
    }
    events = std::exchange(client.pieces, {});
    for (std::size_t i = 0; i < events.size();) {
      const std::int64_t revision = events[i].mod;
      ASSERT_GE(revision, client.next) << "repeated, out of order, or below the start";
      Skip(client, revision);
      ASSERT_EQ(client.next, revision) << "a gap";
      const auto expected = Expected(client.spec, revision);
      for (const Change& change : expected) {
        ASSERT_LT(i, events.size()) << "a revision split over two responses";
        JudgeEvent(client, events[i++], change);
      }
      client.next = revision + 1;
    }
  }
  void JudgeEvent(const Client& client, const Event& event, const Change& change) {
    EXPECT_EQ(event.key, change.key);
    EXPECT_EQ(event.is_delete, change.is_delete);
    EXPECT_EQ(event.value, change.value);
    EXPECT_EQ(event.is_delete ? false : event.create == event.mod, change.is_create);
    if (!client.spec.prev_kv || change.is_create) {
      EXPECT_FALSE(event.has_prev);
      return;
    }
    if (event.has_prev) {
      EXPECT_EQ(event.prev_value, change.prev_value);
      EXPECT_EQ(event.prev_mod, change.prev_mod);
    } else {
      EXPECT_LT(event.mod - 1, db_.store->compact_revision().value()) << "prev_kv is missing";
    }
  }

  base::SeededRandom random_;
  TestStore db_;
  testing::VirtualExecutor executor_;
  Gauges gauges_;
  std::unique_ptr<WatchHub> hub_;
  std::vector<Connection> connections_;
  std::map<std::int64_t, std::vector<Change>> history_;
  std::map<std::string, std::pair<std::string, std::int64_t>> state_;
  std::int64_t events_ = 0, told_ = 0, marks_ = 0;
};

TEST(WatchModel, OrderedCompleteAndOnceWhateverHappens) {
  std::int64_t events = 0, told = 0, marks = 0;
  base::SetLogLevel(base::LogLevel::kWarn);
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int step = 0; step < 2500; ++step) {
      model.Step();
      if (::testing::Test::HasFailure()) return;
    }
    model.Finish();
    if (::testing::Test::HasFailure()) return;
    events += model.events();
    told += model.told();
    marks += model.marks();
  }
  base::SetLogLevel(base::LogLevel::kInfo);
  // The draw must reach what it is for.
  EXPECT_GT(events, 100'000);
  EXPECT_GT(told, 100);
  EXPECT_GT(marks, 1000);
}

}  // namespace
}  // namespace etcd::watch
