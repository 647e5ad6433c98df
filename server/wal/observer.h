#pragma once

#include <chrono>
#include <cstdint>

namespace etcd::wal {

// What the metrics want to know. Called on the WAL's thread; must not block.
class Observer {
 public:
  virtual ~Observer() = default;

  // One write system call of `bytes` (etcd_disk_wal_write_bytes_total and
  // etcd_disk_wal_write_duration_seconds).
  virtual void OnWrite(std::uint64_t bytes, std::chrono::nanoseconds took) = 0;
  // One fdatasync (etcd_disk_wal_fsync_duration_seconds).
  virtual void OnSync(std::chrono::nanoseconds took) = 0;
  // A torn tail was cut at open.
  virtual void OnRepair() {}
};

}  // namespace etcd::wal
