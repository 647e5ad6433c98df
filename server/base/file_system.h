#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

// The files under WAL and .snap. Simulation and fault tests substitute their own (un-synced bytes
// are lost at a crash, writes tear, bits flip). Error codes: NotFound, AlreadyExists,
// ResourceExhausted (ENOSPC, EDQUOT), Unavailable (locked by another), Internal (anything else);
// the message names the path and the system's text.
namespace etcd::base {

// An open file. Not thread-safe. Closing does not sync.
class File {
 public:
  virtual ~File() = default;

  // Writes all of `data` at `offset`, extending the file when needed.
  virtual absl::Status WriteAt(std::uint64_t offset, std::string_view data) = 0;
  // Reads up to `size` bytes; fewer only at the end of the file.
  virtual absl::StatusOr<std::string> ReadAt(std::uint64_t offset, std::size_t size) const = 0;
  virtual absl::StatusOr<std::uint64_t> Size() const = 0;
  virtual absl::Status Truncate(std::uint64_t size) = 0;
  // Reserves blocks and extends the size to `size` with zeros; never shrinks.
  virtual absl::Status Preallocate(std::uint64_t size) = 0;
  // fdatasync: when this returns OK, bytes and size survive a power cut. After an error the file's
  // state is unknown; the caller stops the process and never retries.
  virtual absl::Status Sync() = 0;
  // Exclusive lock of the open file description, as Go etcd takes it; Unavailable when held.
  virtual absl::Status TryLock() = 0;
};

enum class OpenMode { kRead, kReadWrite, kCreateExclusive, kCreateOrTruncate };

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode,
                                                     std::uint32_t permissions = 0600) = 0;
  // Names (not paths) in ascending byte order, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& dir) = 0;
  virtual bool Exists(const std::string& path) = 0;
  // Creates the directory and its parents with mode 0700; OK when it exists. What it created
  // survives a power cut.
  virtual absl::Status CreateDirs(const std::string& dir) = 0;
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Removes a directory and what is in it; OK when it does not exist.
  virtual absl::Status RemoveAll(const std::string& path) = 0;
  // Makes creations, renames and removals in `dir` survive a power cut.
  virtual absl::Status SyncDir(const std::string& dir) = 0;
  // Bytes that an unprivileged writer may still allocate on the file system of `path`.
  virtual absl::StatusOr<std::uint64_t> FreeBytes(const std::string& path) = 0;
};

// The operating system's files. Lives for ever.
FileSystem& PosixFileSystem();

}  // namespace etcd::base
