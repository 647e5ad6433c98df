#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <rocksdb/file_system.h>

namespace etcd::testing {

// The real file system under RocksDB with a power switch and a fuel gauge. Thread-safe.
//
// A power cut keeps of each file what was synced, and of each directory the names that were there
// at its last sync: Freeze (the moment of the cut: nothing after it is kept), close the engine,
// LoseUnsynced, Thaw, open again. Between Freeze and LoseUnsynced operations seem to succeed, as
// for a process that does not live to see an error.
class FaultyRocksFs final : public rocksdb::FileSystemWrapper {
 public:
  FaultyRocksFs();
  ~FaultyRocksFs() override;
  const char* Name() const override { return "FaultyRocksFs"; }

  void Freeze();
  // Freeze just before the n-th sync from now, of a file or a directory; n is at least 1.
  void FreezeAtSync(std::uint64_t n);
  // Whether that sync came.
  bool frozen() const;
  void LoseUnsynced();
  void Thaw();

  // ENOSPC for every new byte or name, and no free space to be seen.
  void SetFull(bool full);
  // EIO at each sync of a file.
  void SetSyncFails(bool fails);
  // Free bytes as reported while the disk is not full; nullopt: the truth.
  void SetFreeBytes(std::optional<std::uint64_t> bytes);
  std::uint64_t syncs() const;

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* dbg) override;
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
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus Truncate(const std::string& name, size_t size,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 std::uint64_t* free, rocksdb::IODebugContext* dbg) override;

 private:
  class WritableFile;
  class Directory;
  struct FileState {
    std::uint64_t size = 0;
    std::uint64_t synced = 0;
    bool name_durable = false;
    // What a rename took the place of, until the directory is synced.
    std::optional<std::string> replaced;
  };

  rocksdb::IOStatus CheckWrite() const;
  void CountDown();  // under mu_
  void Appended(const std::string& name, std::uint64_t size);
  rocksdb::IOStatus Synced(const std::string& name);
  void DirectorySynced(const std::string& dir);

  mutable std::mutex mu_;
  bool frozen_ = false;
  std::uint64_t freeze_in_ = 0;  // syncs; 0: never
  bool full_ = false;
  bool sync_fails_ = false;
  std::optional<std::uint64_t> free_bytes_;
  std::uint64_t syncs_ = 0;
  std::map<std::string, FileState> files_;  // written since the last power cut
};

}  // namespace etcd::testing
