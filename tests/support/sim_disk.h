#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/file_system.h"

namespace etcd::testing {

// What a fault hook sees and may do.
enum class DiskOp : std::uint8_t {
  kOpen,
  kWrite,
  kRead,
  kTruncate,
  kPreallocate,
  kSync,
  kRename,
  kRemove,
  kSyncDir,
};

// A disk in memory with the semantics of a power cut: what was written but not synced may be lost
// in whole or in part (sectors of 512 bytes survive independently), and so may creations, renames
// and removals that no SyncDir made durable. Deterministic: the same calls and seeds give the same
// bytes. Not thread-safe; must outlive the files opened from it.
//
// Model, on the side of the stricter file systems:
//  - File::Sync makes the content and the size of the file durable, not its name.
//  - SyncDir makes the names directly in that directory durable; a crash keeps the first so many
//    of a directory's un-synced name changes. CreateDirs is durable at once.
//  - Preallocate and Truncate are changes like writes: kept or lost at a crash until Sync.
//  - A rename across directories is one change in each of them.
class SimDisk final : public base::FileSystem {
 public:
  struct Options {
    std::uint64_t capacity_bytes = UINT64_MAX;  // sum of the files' sizes; above it: ENOSPC
  };

  SimDisk();
  explicit SimDisk(const Options& options);
  ~SimDisk() override;

  // base::FileSystem
  absl::StatusOr<std::unique_ptr<base::File>> Open(const std::string& path, base::OpenMode mode,
                                                   std::uint32_t permissions = 0600) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override;
  bool Exists(const std::string& path) override;
  absl::Status CreateDirs(const std::string& dir) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveAll(const std::string& path) override;
  absl::Status SyncDir(const std::string& dir) override;
  absl::StatusOr<std::uint64_t> FreeBytes(const std::string& path) override;

  // The power fails and comes back: each un-synced sector, size change and name change is kept or
  // lost as `seed` decides. Files opened before fail every call afterwards; their locks are gone.
  void Crash(std::uint64_t seed);
  // The same, and everything un-synced is lost (the strictest outcome).
  void CrashLosingAll();
  // The process dies, the machine does not: nothing is lost, but open files and locks are.
  void KillProcess();

  // Called before every operation; a status that is not OK is returned instead of doing it. A
  // failed kWrite may have written a part. Null: no faults.
  using FaultHook = std::function<absl::Status(DiskOp op, const std::string& path)>;
  void SetFaultHook(FaultHook hook);
  // Called in every Sync, before it takes effect: advance a simulated clock here for slow disks.
  void SetSyncHook(std::function<void(const std::string& path)> hook);

  void SetCapacity(std::uint64_t bytes) { options_.capacity_bytes = bytes; }
  std::uint64_t used_bytes() const;

  // Direct access for tests, past hooks and durability: changes are durable at once.
  std::string Contents(const std::string& path) const;
  void SetContents(const std::string& path, std::string bytes);
  void FlipBit(const std::string& path, std::uint64_t bit);
  std::vector<std::string> AllFiles() const;

  // Operations so far, faults included; a test can fail "the n-th".
  std::uint64_t operations() const { return operations_; }
  std::uint64_t syncs() const { return syncs_; }

 private:
  friend class SimFile;
  struct Node;
  using NodePtr = std::shared_ptr<Node>;

  // How much of what is un-synced survives.
  enum class Survival : std::uint8_t { kNothing, kEverything, kSome };

  absl::Status Begin(DiskOp op, const std::string& path);
  NodePtr Find(const std::string& path) const;
  absl::StatusOr<NodePtr> FindParent(const std::string& path, const char* operation) const;
  absl::Status CheckRoom(std::uint64_t growth, const std::string& path) const;
  void CrashWith(Survival survival, std::uint64_t seed);

  Options options_;
  FaultHook fault_hook_;
  std::function<void(const std::string&)> sync_hook_;
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t generation_ = 0;  // rises at every crash; files opened in an older one are dead
  NodePtr root_;
};

}  // namespace etcd::testing
