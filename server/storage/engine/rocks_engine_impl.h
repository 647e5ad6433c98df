#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/slice.h>

#include "server/base/mutex.h"
#include "server/storage/engine/replace.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/storage/engine/rocks_families.h"
#include "server/storage/engine/rocks_health.h"

// Private to the folder: the engine's class. rocks_engine.cc: life, writes, watch thread;
// rocks_reads.cc: reads and views; rocks_replace.cc: new content.
namespace etcd::engine {

inline rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class RocksEngine final : public KvEngine {
 public:
  RocksEngine(std::string path, RocksOptions options)
      : path_(std::move(path)),
        options_(std::move(options)),
        maker_(options_),
        health_(std::make_shared<Health>(options_.on_fatal)) {}
  ~RocksEngine() override;

  absl::Status Open();

  absl::Status Write(const WriteBatch& batch) override;
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 std::string_view key) const override;
  absl::Status MultiGet(
      Family family, std::span<const std::string_view> keys,
      absl::FunctionRef<absl::Status(std::size_t, std::optional<std::string_view>)> each)
      const override;
  std::unique_ptr<Iterator> Scan(Family family, std::string_view lower,
                                 std::string_view upper) const override;
  std::unique_ptr<View> PinView() const override;
  absl::StatusOr<std::unique_ptr<Replacement>> StartReplacement() override;
  absl::Status Flush() override;
  EngineSize Size() const override;
  bool AcceptsWrites() const override { return health_->AcceptsWrites(); }

 private:
  friend class RocksView;
  friend class RocksReplacement;
  using FamiliesPtr = std::shared_ptr<const Families>;
  // What a read looks at: content and, unless null, a point in time.
  struct ReadPoint {
    FamiliesPtr families;
    const rocksdb::Snapshot* snapshot = nullptr;
  };

  FamiliesPtr families() const {
    const base::ReaderLock lock(families_mu_);
    return families_;
  }
  void SwapFamilies(FamiliesPtr families) {
    const base::WriterLock lock(families_mu_);
    families_.swap(families);
  }
  absl::StatusOr<std::optional<std::string>> GetAt(const ReadPoint& at, Family family,
                                                   std::string_view key) const;
  std::unique_ptr<Iterator> ScanAt(ReadPoint at, Family family, std::string_view lower,
                                   std::string_view upper) const;
  absl::Status WriteTo(const Families& families, const WriteBatch& batch);
  absl::Status WriteRaw(rocksdb::WriteBatch& batch);
  absl::Status FlushHandles(const std::vector<rocksdb::ColumnFamilyHandle*>& handles) const;
  void Abandon();
  void Watch() noexcept;
  void WatchSpace();
  void FlushOld();
  void RefreshSize();
  std::uint64_t Property(const std::vector<rocksdb::ColumnFamilyHandle*>& handles,
                         const std::string& name) const;

  const std::string path_;
  const RocksOptions options_;
  const FamilyMaker maker_;
  const std::shared_ptr<Health> health_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  mutable base::SharedMutex families_mu_;
  FamiliesPtr families_ ABSL_GUARDED_BY(families_mu_);
  std::atomic<bool> replacing_{false};             // a Replacement is alive
  std::atomic<std::uint64_t> last_generation_{0};  // that was ever begun here

  // As of the last look; what was written since is added on top.
  std::atomic<std::uint64_t> size_total_{0};
  std::atomic<std::uint64_t> size_in_use_{0};
  std::atomic<std::uint64_t> written_since_{0};
  // Time of the oldest write that no flush covers yet, in steady_clock's count; 0: none.
  std::atomic<std::int64_t> oldest_unflushed_{0};

  std::thread watch_;  // free space, age of unflushed writes, sizes
};

}  // namespace etcd::engine
