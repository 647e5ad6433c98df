#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/random.h"
#include "tests/support/engine_fixture.h"
#include "tests/unit/storage/mvcc/store_fixture.h"

// The store against a std::map that remembers everything, on both engines, with crashes.
namespace etcd::mvcc {
namespace {

using etcd::testing::EngineFixture;
using etcd::testing::EngineKind;

struct ModelVersion {
  std::int64_t main = 0;
  std::int64_t sub = 0;
  std::optional<std::string> value;  // nullopt: deleted
  std::int64_t create = 0;
  std::int64_t version = 0;
  std::int64_t lease = 0;
};

struct ModelState {
  std::map<std::string, std::vector<ModelVersion>> keys;
  std::int64_t current = 1;
  std::int64_t compact = -1;

  const ModelVersion* At(const std::string& key, std::int64_t revision) const {
    const auto found = keys.find(key);
    if (found == keys.end()) return nullptr;
    const ModelVersion* newest = nullptr;
    for (const ModelVersion& version : found->second) {
      if (version.main <= revision) newest = &version;
    }
    return newest != nullptr && newest->value ? newest : nullptr;
  }
};

class StoreModel : public ::testing::TestWithParam<std::tuple<EngineKind, std::uint64_t>> {
 protected:
  StoreModel()
      : random_(std::get<1>(GetParam()) * 77 + 5),
        fixture_(std::get<0>(GetParam()), {.write_buffer_bytes = 128 << 10}) {}

  void OpenStoreNow() {
    harness_ = std::make_unique<StoreHarness>(
        fixture_.engine(),
        StoreOptions{.compaction_batch_limit = 1 + static_cast<std::int64_t>(random_.Below(20))});
  }
  std::string RandomKey() { return "key-" + std::to_string(random_.Below(60)); }

  void RandomWrite(WriteTxn& txn, ModelState& state, std::int64_t& sub) {
    const std::int64_t main = txn.next_revision().value();
    const std::string key = RandomKey();
    if (random_.Below(3) != 0) {
      const std::string value(random_.Below(200), static_cast<char>('a' + random_.Below(26)));
      const auto lease = static_cast<std::int64_t>(random_.Below(3));
      const ModelVersion* before = state.At(key, main);
      ModelVersion next{
          main, sub++, value, before ? before->create : main, before ? before->version + 1 : 1,
          lease};
      const auto previous = txn.Put(key, value, LeaseId(lease));
      ASSERT_EQ(previous.has_value(), before != nullptr);
      state.keys[key].push_back(next);
      state.current = main;
      return;
    }
    const std::string end = random_.Below(2) == 0 ? "" : RandomKey();
    std::vector<std::string> expected;
    for (const auto& [name, versions] : state.keys) {
      const bool inside = end.empty() ? name == key : name >= key && name < end;
      if (inside && state.At(name, main)) expected.push_back(name);
    }
    std::vector<std::string> deleted;
    txn.DeleteRange({key, end},
                    [&](std::string_view name, const KvRef&) { deleted.emplace_back(name); });
    ASSERT_EQ(deleted, expected);
    for (const std::string& name : deleted) {
      state.keys[name].push_back({main, sub++, std::nullopt, 0, 0, 0});
      state.current = main;
    }
  }

  void CheckRange(const ModelState& state) {
    const std::int64_t at = random_.Below(3) == 0
                                ? 0
                                : 1 + static_cast<std::int64_t>(random_.Below(
                                          static_cast<std::uint64_t>(state.current + 1)));
    const std::string from = RandomKey();
    const std::string end = RandomKey();
    const auto limit = static_cast<std::int64_t>(random_.Below(8));
    const RangeSpec spec{.range = {from, end}, .revision = Revision(at), .limit = limit};
    const auto result = harness_->store().Range(spec);
    if (at > state.current) {
      ASSERT_EQ(ErrcOf(result.status()), Errc::kFutureRevision);
      return;
    }
    if (at > 0 && at < state.compact) {
      ASSERT_EQ(ErrcOf(result.status()), Errc::kCompacted);
      return;
    }
    ASSERT_TRUE(result.ok()) << result.status();
    std::vector<std::string> expected;
    std::int64_t count = 0;
    for (const auto& [name, versions] : state.keys) {
      if (name < from || name >= end) continue;
      const ModelVersion* version = state.At(name, at == 0 ? state.current : at);
      if (version == nullptr) continue;
      if (limit == 0 || count < limit) {
        expected.push_back(EncodeKeyValue({.key = name,
                                           .create_revision = Revision(version->create),
                                           .mod_revision = Revision(version->main),
                                           .version = version->version,
                                           .value = *version->value,
                                           .lease = LeaseId(version->lease)}));
      }
      ++count;
    }
    ASSERT_EQ(result->count, count);
    std::vector<std::string> found;
    ASSERT_TRUE(
        harness_->store()
            .Fetch(result->refs,
                   [&](std::size_t, std::string_view stored) { found.emplace_back(stored); })
            .ok());
    ASSERT_EQ(found, expected);
  }

  void CheckWhole(const ModelState& state) {
    ASSERT_EQ(harness_->store().current_revision(), Revision(state.current));
    ASSERT_EQ(harness_->store().compact_revision(), Revision(state.compact));
    for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(CheckRange(state));
    std::map<std::string, std::int64_t> leases;
    for (const auto& [name, versions] : state.keys) {
      const ModelVersion* version = state.At(name, state.current);
      if (version != nullptr && version->lease != 0) leases[name] = version->lease;
    }
    std::map<std::string, std::int64_t> found;
    ASSERT_TRUE(harness_->store()
                    .ForEachLeasedKey([&](std::string_view key, LeaseId lease) {
                      found[std::string(key)] = lease.value();
                    })
                    .ok());
    ASSERT_EQ(found, leases);
  }

  base::SeededRandom random_;
  EngineFixture fixture_;
  std::unique_ptr<StoreHarness> harness_;
};

TEST_P(StoreModel, AgreesThroughCompactionsAndCrashes) {
  OpenStoreNow();
  // State after each batch, by the number that the batch wrote next to it (as apply's index does).
  std::map<std::int64_t, ModelState> states{{0, {}}};
  std::int64_t index = 0;
  std::int64_t durable = 0;
  const int steps = std::get<0>(GetParam()) == EngineKind::kMem ? 2000 : 500;
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t dice = random_.Below(100);
    if (dice < 50) {
      ModelState state = states.at(index);
      engine::WriteBatch batch;
      harness_->store().BeginBatch(batch);
      for (std::uint64_t txns = 1 + random_.Below(4); txns > 0; --txns) {
        auto txn = harness_->store().BeginTxn();
        std::int64_t sub = 0;
        for (std::uint64_t ops = 1 + random_.Below(3); ops > 0; --ops) {
          ASSERT_NO_FATAL_FAILURE(RandomWrite(*txn, state, sub));
        }
        ASSERT_EQ(txn->revision(), Revision(state.current));
      }
      if (random_.Below(10) == 0 && state.compact < state.current) {
        const std::int64_t at = std::max<std::int64_t>(state.compact, 0) +
                                static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(
                                    state.current - std::max<std::int64_t>(state.compact, 0) + 1)));
        const absl::Status status = harness_->store().Compact(Revision(at));
        ASSERT_EQ(status.ok(), at > state.compact) << status;
        if (status.ok()) state.compact = at;
      }
      batch.Put(engine::Family::kMeta, "index", std::to_string(++index));
      harness_->Commit(batch);
      states[index] = std::move(state);
    } else if (dice < 80) {
      ASSERT_NO_FATAL_FAILURE(CheckRange(states.at(index)));
    } else if (dice < 93) {
      harness_->executor().Run(static_cast<int>(random_.Below(5)));
    } else if (dice < 96) {
      ASSERT_TRUE(fixture_.engine().Flush().ok());
      durable = index;
    } else if (random_.Below(4) == 0) {
      harness_.reset();
      fixture_.CrashAndReopen(random_.Next());
      const auto kept = fixture_.engine().Get(engine::Family::kMeta, "index");
      ASSERT_TRUE(kept.ok());
      index = kept->has_value() ? std::stoll(**kept) : 0;
      ASSERT_GE(index, durable);
      states.erase(states.upper_bound(index), states.end());
      OpenStoreNow();
      ASSERT_NO_FATAL_FAILURE(CheckWhole(states.at(index)));
    }
    states.erase(states.begin(), states.lower_bound(durable));
  }
  harness_->executor().Run();
  ASSERT_NO_FATAL_FAILURE(CheckWhole(states.at(index)));
  // Nothing is left that the rules of compaction (v3-api.md 3.5) do not keep.
  std::size_t expected = 0;
  const ModelState& state = states.at(index);
  for (const auto& [name, versions] : state.keys) {
    for (std::size_t i = 0; i < versions.size(); ++i) {
      const bool newest_below = i + 1 == versions.size() || versions[i + 1].main > state.compact;
      if (versions[i].main > state.compact ||
          (newest_below && (versions[i].value || versions[i].main == state.compact))) {
        ++expected;
      }
    }
  }
  EXPECT_EQ(harness_->Records(engine::Family::kKey).size(), expected);
  EXPECT_EQ(harness_->Records(engine::Family::kRev).size(), expected);
  harness_.reset();
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreModel,
                         ::testing::Combine(::testing::Values(EngineKind::kMem),
                                            ::testing::Range<std::uint64_t>(0, 8)),
                         [](const auto& param) {
                           return "Mem" + std::to_string(std::get<1>(param.param));
                         });
INSTANTIATE_TEST_SUITE_P(SeedsOnDisk, StoreModel,
                         ::testing::Combine(::testing::Values(EngineKind::kRocks),
                                            ::testing::Range<std::uint64_t>(0, 2)),
                         [](const auto& param) {
                           return "Rocks" + std::to_string(std::get<1>(param.param));
                         });

}  // namespace
}  // namespace etcd::mvcc
