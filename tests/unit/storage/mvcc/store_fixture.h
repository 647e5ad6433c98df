#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/storage/engine/kv_engine.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/store.h"

namespace etcd::mvcc {

// Runs tasks when the test says so; delays pass at once.
class ManualExecutor final : public base::Executor {
 public:
  void Post(base::Task task) override { tasks_.push_back(std::move(task)); }
  void PostAfter(std::chrono::nanoseconds, base::Task task) override { Post(std::move(task)); }
  const base::Clock& clock() const override { return clock_; }

  bool RunOne() {
    if (tasks_.empty()) return false;
    base::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  // A job that waits for a reader posts itself for ever, hence the bound.
  int Run(int steps = 100'000) {
    int done = 0;
    while (done < steps && RunOne()) ++done;
    return done;
  }
  void Drop() { tasks_.clear(); }

 private:
  base::SystemClock clock_;
  std::deque<base::Task> tasks_;
};

// A store with the apply thread's part around it.
class StoreHarness {
 public:
  explicit StoreHarness(engine::KvEngine& engine, StoreOptions options = {})
      : engine_(engine), options_(options) {
    Open();
  }
  ~StoreHarness() { Close(); }

  Store& store() { return *store_; }
  ManualExecutor& executor() { return executor_; }

  void Open() {
    auto opened = OpenStore(engine_, executor_, options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = std::move(*opened);
    store_->StartCompaction();
  }
  void Close() {
    if (store_ != nullptr) store_->Stop();
    store_.reset();
    executor_.Drop();
  }

  // One transaction in a batch of its own. Returns the store's revision after it.
  Revision Apply(const std::function<void(WriteTxn&)>& body) {
    engine::WriteBatch batch;
    store_->BeginBatch(batch);
    body(*store_->BeginTxn());
    Commit(batch);
    return store_->current_revision();
  }
  Revision Put(std::string_view key, std::string_view value, LeaseId lease = {}) {
    return Apply([&](WriteTxn& txn) { txn.Put(key, value, lease); });
  }
  Revision Delete(std::string_view key, std::string_view end = {}) {
    return Apply([&](WriteTxn& txn) {
      txn.DeleteRange({key, end}, [](std::string_view, const KvRef&) {});
    });
  }
  absl::Status Compact(Revision revision) {
    engine::WriteBatch batch;
    store_->BeginBatch(batch);
    const absl::Status status = store_->Compact(revision);
    Commit(batch);
    return status;
  }
  void CompactFully(Revision revision) {
    const absl::Status status = Compact(revision);
    EXPECT_TRUE(status.ok()) << status;
    executor_.Run();
  }
  void Commit(engine::WriteBatch& batch) {
    store_->SealBatch();
    const absl::Status status = engine_.Write(batch);
    EXPECT_TRUE(status.ok()) << status;
    store_->Publish();
  }

  // "a=1@2 b=2@3" : key, value and mod revision of what a range returns.
  std::string Range(const RangeSpec& spec) {
    auto result = store_->Range(spec);
    if (!result.ok()) return std::string(result.status().message());
    std::string out;
    const absl::Status status =
        store_->Fetch(result->refs, [&](std::size_t, std::string_view stored) {
          KeyValueFields fields;
          EXPECT_TRUE(DecodeKeyValue(stored, fields));
          if (!out.empty()) out += " ";
          out.append(fields.key).append("=").append(fields.value).append("@");
          out += std::to_string(fields.mod_revision.value());
        });
    return status.ok() ? out : std::string(status.message());
  }
  std::string All(Revision at = {}) { return Range({.range = kAll, .revision = at}); }
  std::int64_t Count(Revision at = {}) {
    auto result = store_->Range({.range = kAll, .revision = at, .count_only = true});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->count : -1;
  }

  // Revision keys that are physically there.
  std::vector<std::string> Records(engine::Family family) {
    std::vector<std::string> out;
    const auto it = engine_.Scan(family, "", "");
    for (; it->Valid(); it->Next()) out.emplace_back(it->key());
    return out;
  }

  static constexpr KeyRange kAll{std::string_view("\0", 1), std::string_view("\0", 1)};

 private:
  engine::KvEngine& engine_;
  const StoreOptions options_;
  ManualExecutor executor_;
  std::unique_ptr<Store> store_;
};

}  // namespace etcd::mvcc
