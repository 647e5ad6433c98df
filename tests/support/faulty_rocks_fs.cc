#include "tests/support/faulty_rocks_fs.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace etcd::testing {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

std::string DirOf(const std::string& name) {
  return std::filesystem::path(name).parent_path().string();
}

}  // namespace

class FaultyRocksFs::WritableFile final : public rocksdb::FSWritableFileWrapper {
 public:
  WritableFile(FaultyRocksFs& fs, std::string name, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileWrapper(file.get()),
        fs_(fs),
        name_(std::move(name)),
        file_(std::move(file)) {}

  // The engine writes by position. A full disk takes the first half, as real ones do.
  IOStatus PositionedAppend(const rocksdb::Slice& data, std::uint64_t offset,
                            const IOOptions& options, IODebugContext* dbg) override {
    if (IOStatus full = fs_.CheckWrite(); !full.ok()) {
      IOStatus status = target()->PositionedAppend(rocksdb::Slice(data.data(), data.size() / 2),
                                                   offset, options, dbg);
      return status.ok() ? full : status;
    }
    IOStatus status = target()->PositionedAppend(data, offset, options, dbg);
    if (status.ok()) fs_.Appended(name_, offset + data.size());
    return status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    if (IOStatus status = fs_.Synced(name_); !status.ok()) return status;
    return target()->Flush(options, dbg);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return Sync(options, dbg);
  }
  // Neither a promise nor worth a disk access in tests.
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  FaultyRocksFs& fs_;
  const std::string name_;
  const std::unique_ptr<rocksdb::FSWritableFile> file_;
};

class FaultyRocksFs::Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(FaultyRocksFs& fs, std::string name, std::unique_ptr<rocksdb::FSDirectory> dir)
      : FSDirectoryWrapper(std::move(dir)), fs_(fs), name_(std::move(name)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    fs_.DirectorySynced(name_);
    return IOStatus::OK();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* dbg,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, dbg);
  }

 private:
  FaultyRocksFs& fs_;
  const std::string name_;
};

FaultyRocksFs::FaultyRocksFs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
FaultyRocksFs::~FaultyRocksFs() = default;

void FaultyRocksFs::Freeze() {
  const std::lock_guard lock(mu_);
  frozen_ = true;
}

void FaultyRocksFs::Thaw() {
  const std::lock_guard lock(mu_);
  frozen_ = false;
  freeze_in_ = 0;
}

void FaultyRocksFs::SetFull(bool full) {
  const std::lock_guard lock(mu_);
  full_ = full;
}

void FaultyRocksFs::SetSyncFails(bool fails) {
  const std::lock_guard lock(mu_);
  sync_fails_ = fails;
}

void FaultyRocksFs::SetFreeBytes(std::optional<std::uint64_t> bytes) {
  const std::lock_guard lock(mu_);
  free_bytes_ = bytes;
}

std::uint64_t FaultyRocksFs::syncs() const {
  const std::lock_guard lock(mu_);
  return syncs_;
}

void FaultyRocksFs::LoseUnsynced() {
  const std::lock_guard lock(mu_);
  for (const auto& [name, state] : files_) {
    std::error_code ignored;
    if (!state.name_durable) {
      std::filesystem::remove(name, ignored);
      if (state.replaced) std::ofstream(name, std::ios::binary) << *state.replaced;
    } else if (state.synced < state.size) {
      std::filesystem::resize_file(name, state.synced, ignored);
    }
  }
  files_.clear();
}

IOStatus FaultyRocksFs::CheckWrite() const {
  const std::lock_guard lock(mu_);
  if (full_) {
    IOStatus status = IOStatus::NoSpace("injected");
    status.SetRetryable(true);  // as the real file system marks it
    return status;
  }
  return IOStatus::OK();
}

void FaultyRocksFs::Appended(const std::string& name, std::uint64_t size) {
  const std::lock_guard lock(mu_);
  files_[name].size = size;
}

void FaultyRocksFs::FreezeAtSync(std::uint64_t n) {
  const std::lock_guard lock(mu_);
  freeze_in_ = n;
}

bool FaultyRocksFs::frozen() const {
  const std::lock_guard lock(mu_);
  return frozen_;
}

void FaultyRocksFs::CountDown() {
  if (freeze_in_ != 0 && --freeze_in_ == 0) frozen_ = true;
}

IOStatus FaultyRocksFs::Synced(const std::string& name) {
  const std::lock_guard lock(mu_);
  CountDown();
  if (sync_fails_) return IOStatus::IOError("injected: sync failed");
  ++syncs_;
  if (!frozen_) files_[name].synced = files_[name].size;
  return IOStatus::OK();
}

void FaultyRocksFs::DirectorySynced(const std::string& dir) {
  const std::lock_guard lock(mu_);
  CountDown();
  if (frozen_) return;
  for (auto& [name, state] : files_) {
    if (DirOf(name) != dir) continue;
    state.name_durable = true;
    state.replaced.reset();
  }
}

IOStatus FaultyRocksFs::NewWritableFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* result,
                                        IODebugContext* dbg) {
  if (IOStatus status = CheckWrite(); !status.ok()) return status;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  if (IOStatus status = target()->NewWritableFile(name, options, &file, dbg); !status.ok()) {
    return status;
  }
  const std::lock_guard lock(mu_);
  files_[name] = {};
  *result = std::make_unique<WritableFile>(*this, name, std::move(file));
  return IOStatus::OK();
}

IOStatus FaultyRocksFs::ReopenWritableFile(const std::string&, const rocksdb::FileOptions&,
                                           std::unique_ptr<rocksdb::FSWritableFile>*,
                                           IODebugContext*) {
  return IOStatus::NotSupported("not used by our engine");
}

IOStatus FaultyRocksFs::ReuseWritableFile(const std::string&, const std::string&,
                                          const rocksdb::FileOptions&,
                                          std::unique_ptr<rocksdb::FSWritableFile>*,
                                          IODebugContext*) {
  return IOStatus::NotSupported("not used by our engine");
}

IOStatus FaultyRocksFs::NewDirectory(const std::string& name, const IOOptions& options,
                                     std::unique_ptr<rocksdb::FSDirectory>* result,
                                     IODebugContext* dbg) {
  std::unique_ptr<rocksdb::FSDirectory> dir;
  if (IOStatus status = target()->NewDirectory(name, options, &dir, dbg); !status.ok()) {
    return status;
  }
  *result = std::make_unique<Directory>(*this, name, std::move(dir));
  return IOStatus::OK();
}

IOStatus FaultyRocksFs::DeleteFile(const std::string& name, const IOOptions& options,
                                   IODebugContext* dbg) {
  const std::lock_guard lock(mu_);
  if (frozen_) return IOStatus::OK();
  files_.erase(name);
  return target()->DeleteFile(name, options, dbg);
}

IOStatus FaultyRocksFs::RenameFile(const std::string& from, const std::string& to,
                                   const IOOptions& options, IODebugContext* dbg) {
  if (IOStatus status = CheckWrite(); !status.ok()) return status;
  const std::lock_guard lock(mu_);
  std::optional<std::string> replaced;
  if (const auto known = files_.find(to); known != files_.end() && !known->second.name_durable) {
    replaced = known->second.replaced;
  } else if (std::ifstream old(to, std::ios::binary); old) {
    replaced.emplace(std::istreambuf_iterator<char>(old), std::istreambuf_iterator<char>());
  }
  IOStatus status = target()->RenameFile(from, to, options, dbg);
  if (!status.ok()) return status;
  files_[to] = files_[from];
  files_[to].name_durable = false;
  files_[to].replaced = std::move(replaced);
  files_.erase(from);
  return status;
}

IOStatus FaultyRocksFs::Truncate(const std::string& name, size_t size, const IOOptions& options,
                                 IODebugContext* dbg) {
  if (IOStatus status = CheckWrite(); !status.ok()) return status;
  return target()->Truncate(name, size, options, dbg);
}

IOStatus FaultyRocksFs::GetFreeSpace(const std::string& path, const IOOptions& options,
                                     std::uint64_t* free, IODebugContext* dbg) {
  {
    const std::lock_guard lock(mu_);
    if (full_) {
      *free = 0;
      return IOStatus::OK();
    }
    if (free_bytes_) {
      *free = *free_bytes_;
      return IOStatus::OK();
    }
  }
  return target()->GetFreeSpace(path, options, free, dbg);
}

}  // namespace etcd::testing
