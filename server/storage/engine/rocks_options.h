#pragma once

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "server/storage/engine/rocks_engine.h"

// Private to the folder: how RocksDB is tuned, and why.
namespace etcd::engine {

rocksdb::DBOptions MakeDbOptions(const RocksOptions& options);

struct FamilyOptions {
  rocksdb::ColumnFamilyOptions records;  // key and rev
  rocksdb::ColumnFamilyOptions meta;
};
// All families made with the result share one block cache.
FamilyOptions MakeFamilyOptions(const RocksOptions& options);

}  // namespace etcd::engine
