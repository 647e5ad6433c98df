#include "server/storage/engine/rocks_options.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <string>

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include "server/base/log.h"

namespace etcd::engine {
namespace {

// RocksDB's warnings become lines of our log; it writes no LOG file of its own.
class LogBridge final : public rocksdb::Logger {
 public:
  LogBridge() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level >= rocksdb::InfoLogLevel::WARN_LEVEL && level < rocksdb::InfoLogLevel::HEADER_LEVEL) {
      Logv(format, arguments);
    }
  }
  void Logv(const char* format, va_list arguments) override {
    std::array<char, 512> text{};
    // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): the format is RocksDB's.
    if (std::vsnprintf(text.data(), text.size(), format, arguments) < 0) return;
    LOG_WARN("storage engine warning", {"detail", std::string(text.data())});
  }
};

rocksdb::ColumnFamilyOptions MakeOptions(const RocksOptions& options,
                                         const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  // Point reads of a record of some hundred bytes: small blocks, and a hash index in each.
  table.block_size = 4 << 10;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  // One look-up in a heap-resident index (some 12 bytes a block, 60 MB for 20 GB of data) instead
  // of two through the cache: half the cost of a read that misses the cache.
  table.index_type = rocksdb::BlockBasedTableOptions::kBinarySearch;
  table.index_block_restart_interval = 4;
  table.cache_index_and_filter_blocks = false;
  // No filters: readers look for records that exist.
  table.filter_policy = nullptr;

  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = options.write_buffer_bytes;
  // At 3 there is no slowing down before the stop, which the engine waits out by itself.
  family.max_write_buffer_number = 3;
  family.level0_slowdown_writes_trigger = 24;
  family.level0_stop_writes_trigger = 24;
  family.soft_pending_compaction_bytes_limit = 0;
  family.arena_block_size = 128 << 10;
  family.target_file_size_base = 32 << 20;
  family.max_bytes_for_level_base = 128 << 20;
  family.level_compaction_dynamic_level_bytes = true;
  // Young levels are read most and rewritten soon.
  family.compression_per_level = {rocksdb::kNoCompression,  rocksdb::kNoCompression,
                                  rocksdb::kNoCompression,  rocksdb::kLZ4Compression,
                                  rocksdb::kLZ4Compression, rocksdb::kLZ4Compression,
                                  rocksdb::kLZ4Compression};
  family.force_consistency_checks = true;
  return family;
}

}  // namespace

rocksdb::DBOptions MakeDbOptions(const RocksOptions& options) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.paranoid_checks = true;
  // Whatever is on disk is the state after one batch, in all families.
  db.atomic_flush = true;
  db.db_write_buffer_size = options.write_buffer_bytes;
  db.max_background_jobs = 2;
  // An error is final: what can be waited for never becomes one.
  db.max_bgerror_resume_count = 0;
  db.max_manifest_file_size = 16 << 20;
  db.info_log = std::make_shared<LogBridge>();
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  // Opening 20 GB must not read every file first.
  db.skip_stats_update_on_db_open = true;
  // The engine flushes itself when it is closed properly.
  db.avoid_flush_during_shutdown = true;
  db.bytes_per_sync = 1 << 20;
  return db;
}

FamilyOptions MakeFamilyOptions(const RocksOptions& options) {
  const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/4,
                                          /*strict_capacity_limit=*/false,
                                          /*high_pri_pool_ratio=*/0.5);
  rocksdb::ColumnFamilyOptions records = MakeOptions(options, cache);
  // Revision keys ascend, so an insert starts where the last one with the same 8 bytes ended
  // instead of at the top of the skip list.
  records.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(4));
  const rocksdb::ColumnFamilyOptions meta = MakeOptions(options, cache);
  return {records, meta};
}

}  // namespace etcd::engine
