#include "server/storage/engine/space_wait_fs.h"

#include <chrono>
#include <thread>
#include <utility>

#include "server/base/log.h"

namespace etcd::engine {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr std::chrono::milliseconds kRetryInterval{100};

template <typename Operation>
IOStatus RunWaiting(SpaceGate& gate, const Operation& operation) {
  IOStatus status = operation();
  if (!status.IsNoSpace() || !gate.Enter()) return status;
  do {
    gate.AwaitRetry();
    status = operation();
  } while (status.IsNoSpace());
  gate.Leave();
  return status;
}

// Data that the system took and could not keep: no retry brings it back.
IOStatus AsLost(IOStatus status) {
  return status.IsNoSpace() ? IOStatus::IOError(status.ToString()) : status;
}

class WaitingFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WaitingFile(SpaceGate& gate, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), gate_(gate) {}

  // By position, so that the attempt after a partial write overwrites what that one left.
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* dbg) override {
    return PositionedAppend(data, size_, options, dbg);
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* dbg) override {
    return PositionedAppend(data, size_, options, dbg);
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, std::uint64_t offset,
                            const IOOptions& options, IODebugContext* dbg) override {
    IOStatus status =
        RunWaiting(gate_, [&] { return target()->PositionedAppend(data, offset, options, dbg); });
    if (status.ok()) size_ = offset + data.size();
    return status;
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, std::uint64_t offset,
                            const IOOptions& options, const rocksdb::DataVerificationInfo&,
                            IODebugContext* dbg) override {
    return PositionedAppend(data, offset, options, dbg);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* dbg) override {
    IOStatus status = RunWaiting(gate_, [&] { return target()->Truncate(size, options, dbg); });
    if (status.ok()) size_ = size;
    return status;
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* dbg) override {
    return AsLost(target()->Flush(options, dbg));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    return AsLost(target()->Sync(options, dbg));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return AsLost(target()->Fsync(options, dbg));
  }
  IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes, const IOOptions& options,
                     IODebugContext* dbg) override {
    return AsLost(target()->RangeSync(offset, bytes, options, dbg));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* dbg) override {
    return AsLost(target()->Close(options, dbg));
  }

 private:
  SpaceGate& gate_;
  std::uint64_t size_ = 0;
};

class WaitingDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  using FSDirectoryWrapper::FSDirectoryWrapper;

  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return AsLost(FSDirectoryWrapper::Fsync(options, dbg));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* dbg,
                               const rocksdb::DirFsyncOptions& dir_options) override {
    return AsLost(FSDirectoryWrapper::FsyncWithDirOptions(options, dbg, dir_options));
  }
};

}  // namespace

void SpaceGate::Open(std::function<void()> make_room) {
  const std::lock_guard lock(mu_);
  is_open_ = true;
  make_room_ = std::move(make_room);
}

bool SpaceGate::Close() {
  const std::lock_guard lock(mu_);
  is_open_ = false;
  return waiting_ == 0;
}

bool SpaceGate::anybody_waits() const {
  const std::lock_guard lock(mu_);
  return waiting_ > 0;
}

bool SpaceGate::Enter() {
  std::function<void()> make_room;
  {
    const std::lock_guard lock(mu_);
    if (!is_open_) return false;
    if (++waiting_ == 1) LOG_WARN("storage engine waits for disk space");
    make_room = std::exchange(make_room_, nullptr);
  }
  if (make_room) make_room();
  return true;
}

void SpaceGate::AwaitRetry() { std::this_thread::sleep_for(kRetryInterval); }

void SpaceGate::Leave() {
  const std::lock_guard lock(mu_);
  if (--waiting_ == 0) LOG_INFO("storage engine has disk space again");
}

IOStatus SpaceWaitFileSystem::NewWritableFile(const std::string& name,
                                              const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                                              IODebugContext* dbg) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  IOStatus status =
      RunWaiting(gate_, [&] { return target()->NewWritableFile(name, options, &file, dbg); });
  if (status.ok()) *result = std::make_unique<WaitingFile>(gate_, std::move(file));
  return status;
}

IOStatus SpaceWaitFileSystem::ReopenWritableFile(const std::string& name,
                                                 const rocksdb::FileOptions&,
                                                 std::unique_ptr<rocksdb::FSWritableFile>*,
                                                 IODebugContext*) {
  return IOStatus::NotSupported("reopen for writing", name);
}

IOStatus SpaceWaitFileSystem::ReuseWritableFile(const std::string& name, const std::string&,
                                                const rocksdb::FileOptions&,
                                                std::unique_ptr<rocksdb::FSWritableFile>*,
                                                IODebugContext*) {
  return IOStatus::NotSupported("reuse for writing", name);
}

IOStatus SpaceWaitFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                           std::unique_ptr<rocksdb::FSDirectory>* result,
                                           IODebugContext* dbg) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  IOStatus status = target()->NewDirectory(name, options, &directory, dbg);
  if (status.ok()) *result = std::make_unique<WaitingDirectory>(std::move(directory));
  return status;
}

IOStatus SpaceWaitFileSystem::RenameFile(const std::string& from, const std::string& to,
                                         const IOOptions& options, IODebugContext* dbg) {
  return RunWaiting(gate_, [&] { return target()->RenameFile(from, to, options, dbg); });
}

IOStatus SpaceWaitFileSystem::DeleteFile(const std::string& name, const IOOptions& options,
                                         IODebugContext* dbg) {
  return RunWaiting(gate_, [&] { return target()->DeleteFile(name, options, dbg); });
}

}  // namespace etcd::engine
