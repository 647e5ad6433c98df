#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

// The backend: an ordered key-value store with atomic batches whose durability is explicit. The
// raft WAL is the only log; what was written after the last Flush may be gone after a crash, but
// always whole batches and always a suffix of them, so the state on disk is the state after some
// applied entry, together with that entry's index.
namespace etcd::engine {

enum class Family : std::uint8_t {
  kKey = 0,   // revision key (17 bytes, 18 with tombstone mark) -> mvccpb.KeyValue bytes
  kRev = 1,   // revision key -> index record (key, create revision, version, lease, size)
  kMeta = 2,  // bucket name NUL key -> value (buckets.h)
};
inline constexpr std::size_t kFamilies = 3;

// Changes that become visible and durable together. Not thread-safe.
class WriteBatch {
 public:
  struct Op {
    Family family;
    bool is_delete;
    std::string key;
    std::string value;
  };

  void Put(Family family, std::string key, std::string value) {
    bytes_ += key.size() + value.size();
    ops_.push_back({family, false, std::move(key), std::move(value)});
  }
  void Delete(Family family, std::string key) {
    bytes_ += key.size();
    ops_.push_back({family, true, std::move(key), {}});
  }
  void Clear() {
    ops_.clear();
    bytes_ = 0;
  }
  bool empty() const { return ops_.empty(); }
  std::size_t bytes() const { return bytes_; }
  const std::vector<Op>& ops() const { return ops_; }

 private:
  std::vector<Op> ops_;  // applied in order: a later op on a key wins
  std::size_t bytes_ = 0;
};

// Ascending byte order over a consistent view taken at creation. One thread at a time; must not
// outlive the engine.
class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  // Positions at the first key >= target.
  virtual void Seek(std::string_view target) = 0;
  virtual std::string_view key() const = 0;    // until the next move
  virtual std::string_view value() const = 0;  // until the next move
  // Why Valid() is false: OK at the end, DataLoss for a damaged block.
  virtual absl::Status status() const = 0;
};

// The engine's content after some batch, all families together; later writes do not show. Holding
// one costs disk space (what compaction would remove stays), so give it back soon. Thread-safe;
// must not outlive the engine, and its iterators not the view.
class View {
 public:
  virtual ~View() = default;
  virtual absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                         std::string_view key) const = 0;
  // As KvEngine::Scan.
  virtual std::unique_ptr<Iterator> Scan(Family family, std::string_view lower,
                                         std::string_view upper) const = 0;
};

class Replacement;

struct EngineSize {
  std::uint64_t total = 0;   // live files + memtables, without files waiting to be deleted
  std::uint64_t in_use = 0;  // estimate of the bytes of live data
};

// Thread-safe. Errors: DataLoss = damaged bytes (with file and reason), never to be served or
// retried; ResourceExhausted = no space, the engine accepts writes again by itself once there is;
// anything else is fatal to the member.
class KvEngine {
 public:
  virtual ~KvEngine() = default;

  // All or nothing, visible to every later read. Not durable until Flush or a flush of the
  // engine's own choosing.
  virtual absl::Status Write(const WriteBatch& batch) = 0;

  virtual absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                         std::string_view key) const = 0;

  // Looks `keys` up (ascending order is fastest) and calls `each(i, value)` in order; nullopt when
  // absent. The view is valid during the call only. Stops at the first error.
  virtual absl::Status MultiGet(
      Family family, std::span<const std::string_view> keys,
      absl::FunctionRef<absl::Status(std::size_t, std::optional<std::string_view>)> each) const = 0;

  // Keys in [lower, upper); empty upper = to the end. Positioned at the first key.
  virtual std::unique_ptr<Iterator> Scan(Family family, std::string_view lower,
                                         std::string_view upper) const = 0;

  // The content as of now. Cheap: the apply thread may ask for one between two batches.
  virtual std::unique_ptr<View> PinView() const = 0;

  // Starts new content that will replace all of the old (replace.h). FailedPrecondition while
  // another one is alive.
  virtual absl::StatusOr<std::unique_ptr<Replacement>> StartReplacement() = 0;

  // Returns when everything written before the call survives a power cut (families atomically).
  virtual absl::Status Flush() = 0;

  virtual EngineSize Size() const = 0;

  // False while writes are refused for lack of space; reads go on.
  virtual bool AcceptsWrites() const = 0;
};

}  // namespace etcd::engine
