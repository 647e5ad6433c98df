#pragma once

#include <memory>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "server/storage/engine/rocks_engine.h"

// Private to the folder: how RocksDB is tuned, and why.
namespace etcd::engine {

rocksdb::DBOptions MakeDbOptions(const RocksOptions& options);

// In the order of Family. The meta family is RocksDB's default one, which has to exist anyway.
std::vector<rocksdb::ColumnFamilyDescriptor> MakeFamilies(const RocksOptions& options);

}  // namespace etcd::engine
