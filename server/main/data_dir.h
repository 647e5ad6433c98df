#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "server/base/file_system.h"

namespace etcd::server {

// The data directory, ours alone while this object lives. Files: <dir>/member/{wal,snap,rocksdb}.
class DataDir {
 public:
  // Creates what is missing with mode 0700, warns of foreign files and open permissions, and takes
  // the lock. Errors: not a directory, not writable, or kUnavailable when another process has it.
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(base::FileSystem& file_system,
                                                       const std::string& path,
                                                       const std::string& wal_dir);

  const std::string& wal() const { return wal_; }
  std::string snap() const { return path_ + "/member/snap"; }
  std::string member() const { return path_ + "/member"; }
  std::string engine() const { return member() + "/rocksdb"; }
  // Deletes the preallocated segments that a log keeps ahead (of a process that has ended: ours is
  // not open yet), which gives their room to whoever needs it more. The log makes another one.
  void GiveUpReserve(base::FileSystem& file_system) const;
  // A log was there when the directory was opened.
  bool has_log() const { return has_log_; }

 private:
  DataDir(std::string path, std::string wal) : path_(std::move(path)), wal_(std::move(wal)) {}

  std::string path_;
  std::string wal_;
  bool has_log_ = false;
  std::unique_ptr<base::File> lock_;  // released with the last reference, also by a crash
};

}  // namespace etcd::server
