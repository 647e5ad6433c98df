#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "server/storage/engine/kv_engine.h"

namespace rocksdb {
class FileSystem;
}

namespace etcd::engine {

struct RocksOptions {
  // Written bytes in memory, all families together, that start a flush of them. Allocated as
  // writes come, so an idle member pays nothing.
  std::uint64_t write_buffer_bytes = 32ULL << 20;
  // Uncompressed blocks kept in memory; the page cache is behind it.
  std::uint64_t block_cache_bytes = 64ULL << 20;
  // A write is durable at the latest this long after it was made (the raft log covers it before).
  std::chrono::nanoseconds flush_interval = std::chrono::minutes(5);
  // Below this many free bytes on the disk writes are refused, so that a flush still has room.
  // They are accepted again above twice as many.
  std::uint64_t free_bytes_reserve = 64ULL << 20;
  // How often free space, flush age and sizes are looked at.
  std::chrono::nanoseconds watch_interval = std::chrono::seconds(1);
  // Makes the next start quick: nothing to replay. Off to simulate a kill.
  bool flush_on_close = true;
  // Null: the operating system's. Tests inject faults here.
  std::shared_ptr<rocksdb::FileSystem> file_system{};
  // Called once, on a background thread or on that of a read, when the engine cannot go on (EIO,
  // damaged file); later writes fail with the same status. Null: it is logged.
  std::function<void(const absl::Status&)> on_fatal{};
  // What to do when the disk is full while the engine is opened: called once, on the thread that
  // opens or on one of RocksDB's, to give up what can be spared; then opening waits until there is
  // room, however long that takes. Null: opening fails at once.
  std::function<void()> make_room{};
};

// Opens or creates the engine in a directory. RocksDB's own WAL is off; families flush atomically.
// DataLoss for damaged files.
absl::StatusOr<std::unique_ptr<KvEngine>> OpenRocksEngine(const std::string& path,
                                                          RocksOptions options);

}  // namespace etcd::engine
