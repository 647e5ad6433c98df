#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/mutex.h"
#include "server/base/random.h"
#include "server/storage/engine/kv_engine.h"

namespace etcd::engine {

struct MemEngineOptions {
  // One write in this many is followed by a flush that nobody asked for, as RocksDB flushes when a
  // memtable is full. 0: never.
  std::uint64_t spontaneous_flush_one_in = 0;
  std::uint64_t seed = 1;
};

// The contract of KvEngine in memory, with a crash. The object plays the disk too: it outlives the
// member that a simulation kills, and Crash takes away what was not durable. Thread-safe.
class MemEngine final : public KvEngine {
 public:
  explicit MemEngine(MemEngineOptions options = {});
  ~MemEngine() override;

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
  bool AcceptsWrites() const override;

  // Power cut: batches written since the last flush are lost, newest first. How many is drawn from
  // `seed` (a real engine may have flushed at any point on its own): all of them in half of the
  // draws. No iterator may be alive.
  void Crash(std::uint64_t seed);
  // Loses exactly what was written after the last flush.
  void CrashToLastFlush();

  // A full disk: Write and Flush fail with ResourceExhausted until it is lifted.
  void SetFull(bool full);

  // Number of batches that a crash may lose now.
  std::size_t unflushed_batches() const;

 private:
  class SnapshotIterator;
  class SnapshotView;
  class MemReplacement;

  // Versions of one key, newest last; nullopt = deleted. Older ones stay while an iterator may
  // need them.
  struct Version {
    std::uint64_t sequence;
    std::optional<std::string> value;
  };
  using Table = std::map<std::string, std::vector<Version>, std::less<>>;
  struct Undo {
    Family family;
    std::string key;
    std::optional<std::string> before;
  };

  Table& table(Family family) { return tables_[static_cast<std::size_t>(family)]; }
  const Table& table(Family family) const { return tables_[static_cast<std::size_t>(family)]; }
  const std::optional<std::string>* Newest(Family family, std::string_view key) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void Set(Family family, const std::string& key, std::optional<std::string> value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Keeps the versions as of now, or as of a sequence that is kept already, until Unpin.
  std::uint64_t Pin(std::optional<std::uint64_t> sequence) const;
  void Unpin(std::uint64_t sequence) const;
  absl::Status ReplaceAll(const std::vector<WriteBatch>& content);
  void RollBack(std::size_t batches) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const MemEngineOptions options_;
  mutable base::Mutex mu_;
  base::SeededRandom random_ ABSL_GUARDED_BY(mu_);
  Table tables_[kFamilies] ABSL_GUARDED_BY(mu_);
  std::uint64_t sequence_ ABSL_GUARDED_BY(mu_) = 0;
  mutable std::multiset<std::uint64_t> snapshots_ ABSL_GUARDED_BY(mu_);  // of live iterators
  std::vector<std::vector<Undo>> unflushed_ ABSL_GUARDED_BY(mu_);        // per batch, oldest first
  std::uint64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;                         // keys and values alive
  bool full_ ABSL_GUARDED_BY(mu_) = false;
  bool replacing_ ABSL_GUARDED_BY(mu_) = false;  // a Replacement is alive
};

}  // namespace etcd::engine
