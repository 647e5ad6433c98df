#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <rocksdb/file_system.h>

// Private to the folder: what keeps RocksDB from ever seeing a full disk.
namespace etcd::engine {

// Where file operations wait for room on the disk. Thread-safe.
class SpaceGate {
 public:
  // Until Open and after Close an operation that finds no room fails. `make_room` (may be null) is
  // called by the first one that has to wait, once, before it tries again; another Open takes it
  // back.
  void Open(std::function<void()> make_room);
  // False: operations wait, and go on waiting.
  bool Close();
  bool anybody_waits() const;

  // For an operation that found no room: false when it has to fail, else it counts as waiting and
  // calls AwaitRetry before each attempt, then Leave.
  bool Enter();
  void AwaitRetry();
  void Leave();

 private:
  mutable std::mutex mu_;
  bool is_open_ = false;             // guarded by mu_
  int waiting_ = 0;                  // guarded by mu_
  std::function<void()> make_room_;  // guarded by mu_
};

// A file system whose writes wait while the disk is full and go on where they stopped. RocksDB's
// own recovery from ENOSPC is not to be relied on with atomic flushes: 7.8 may wait for ever for a
// flush that it has dropped, and its rollback of a failed flush may trip over an assertion. So its
// background threads simply take longer, and the engine refuses writes meanwhile.
//
// ENOSPC of a sync is another matter: bytes that were taken are lost, which is an I/O error.
class SpaceWaitFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  // The gate outlives the file system and its files.
  SpaceWaitFileSystem(std::shared_ptr<rocksdb::FileSystem> target, SpaceGate& gate)
      : FileSystemWrapper(std::move(target)), gate_(gate) {}
  const char* Name() const override { return "SpaceWaitFileSystem"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* dbg) override;
  // Neither is used by an engine without RocksDB's WAL.
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus ReuseWritableFile(const std::string& name, const std::string& old_name,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* result,
                                      rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;

 private:
  SpaceGate& gate_;
};

}  // namespace etcd::engine
