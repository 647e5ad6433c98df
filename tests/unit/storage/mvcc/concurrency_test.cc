#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/thread_executor.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/store.h"
#include "tests/support/engine_fixture.h"

namespace etcd::mvcc {
namespace {

using etcd::testing::EngineFixture;
using etcd::testing::EngineKind;

constexpr int kKeys = 200;
constexpr KeyRange kAll{std::string_view("\0", 1), std::string_view("\0", 1)};

// Each revision rewrites all keys with one number, so that any consistent read sees one number.
class ConcurrentReads : public ::testing::TestWithParam<EngineKind> {
 protected:
  void WriteAll(Store& store, int number, bool compact) {
    engine::WriteBatch batch;
    store.BeginBatch(batch);
    {
      auto txn = store.BeginTxn();
      const std::string value = std::to_string(number);
      for (int i = 0; i < kKeys; ++i) txn->Put("k" + std::to_string(i), value, {});
    }
    if (compact) {
      ASSERT_TRUE(store.Compact(store.current_revision()).ok());
    }
    store.SealBatch();
    ASSERT_TRUE(fixture_.engine().Write(batch).ok());
    store.Publish();
  }

  void ReadOnce(Store& store, Revision at) {
    const auto result = store.Range({.range = kAll, .revision = at});
    if (!result.ok()) {
      ASSERT_EQ(ErrcOf(result.status()), Errc::kCompacted);
      ASSERT_GT(at.value(), 0) << "the head cannot be compacted";
      return;
    }
    ASSERT_EQ(result->refs.size(), static_cast<std::size_t>(kKeys));
    ASSERT_EQ(result->count, kKeys);
    std::string value;
    const absl::Status status =
        store.Fetch(result->refs, [&](std::size_t i, std::string_view stored) {
          KeyValueFields fields;
          ASSERT_TRUE(DecodeKeyValue(stored, fields));
          ASSERT_EQ(fields.mod_revision, result->read_at);
          if (i == 0) value = fields.value;
          ASSERT_EQ(fields.value, value);
        });
    ASSERT_TRUE(status.ok()) << status;
  }

  EngineFixture fixture_{GetParam(), {.write_buffer_bytes = 1 << 20}};
};

TEST_P(ConcurrentReads, SeeOneRevisionWhileOthersAreWrittenAndCompacted) {
  const base::SystemClock clock;
  base::ThreadExecutor compaction("compaction", clock);
  auto opened = OpenStore(
      fixture_.engine(), compaction,
      {.compaction_batch_limit = 50, .compaction_sleep_interval = std::chrono::microseconds(100)});
  ASSERT_TRUE(opened.ok());
  Store& store = **opened;
  store.StartCompaction();
  WriteAll(store, 0, false);
  std::atomic<bool> stop{false};
  std::atomic<int> reads{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      while (!stop) {
        // At the head, a little behind, and for each third reader a hash too.
        ReadOnce(store, Revision(0));
        ReadOnce(store, Revision(std::max<std::int64_t>(store.current_revision().value() - 3, 2)));
        if (reader == 0) {
          EXPECT_TRUE(store.HashKv(Revision(0)).ok());
        }
        if (reader == 1) {
          const Revision head = store.current_revision();
          auto cursor = store.ReadHistory(head, head);
          if (cursor.ok()) {
            const auto changes = (*cursor)->Next();
            if (changes.ok() && *changes != nullptr) {
              EXPECT_EQ((*changes)->changes.size(), static_cast<std::size_t>(kKeys));
            }
          }
        }
        ++reads;
      }
    });
  }
  for (int number = 1; number <= 150; ++number) WriteAll(store, number, number % 5 == 0);
  while (reads < 30) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  std::atomic<bool> finished{false};
  store.WhenCompacted(store.compact_revision(), [&] { finished = true; });
  EXPECT_TRUE(EngineFixture::WaitUntil([&] { return finished.load(); }));
  store.Stop();
  opened->reset();
  compaction.Stop();
}

INSTANTIATE_TEST_SUITE_P(Engines, ConcurrentReads, ::testing::ValuesIn(testing::AllEngines()),
                         [](const auto& param) { return testing::NameOf(param.param); });

}  // namespace
}  // namespace etcd::mvcc
