#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <rocksdb/db.h>

#include "server/storage/engine/rocks_engine.h"

// Private to the folder: where the content lies in RocksDB. All of it can be replaced in one step
// (replace.h), so the column families have generations:
//
//   generation 0: "key", "rev", "default" (the meta family; RocksDB wants a default one anyway)
//   generation n: "key.n", "rev.n", "meta.n"
//
// The default family's record kGenerationKey names the one that counts; absent: 0. From then on it
// holds nothing else. Families of other generations are what a crash left, and go when the database
// is opened.
namespace etcd::engine {

// Behind every name of a bucket, so no scan of a bucket meets it. Value: decimal.
inline constexpr char kGenerationKey[] =
    "\xff"
    "generation";

// The families of one generation. Readers hold it while they read, so what was replaced stays until
// the last of them is done. Immutable; must not outlive the database.
class Families {
 public:
  using Handles = std::array<rocksdb::ColumnFamilyHandle*, kFamilies>;

  Families(rocksdb::DB& db, std::uint64_t generation, const Handles& handles)
      : db_(db), generation_(generation), handles_(handles) {}
  ~Families();
  Families(const Families&) = delete;
  Families& operator=(const Families&) = delete;

  std::uint64_t generation() const { return generation_; }
  rocksdb::ColumnFamilyHandle* operator[](Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }
  std::vector<rocksdb::ColumnFamilyHandle*> all() const {
    return {handles_.begin(), handles_.end()};
  }
  // Its files go with the last reader. What is in the default family stays.
  absl::Status Drop() const;

 private:
  rocksdb::DB& db_;
  const std::uint64_t generation_;
  const Handles handles_;  // in the order of Family; the default one is the database's own
};

// How new families are made; they share one block cache.
class FamilyMaker {
 public:
  explicit FamilyMaker(const RocksOptions& options);
  rocksdb::ColumnFamilyDescriptor Describe(const std::string& name) const;
  absl::StatusOr<std::shared_ptr<const Families>> Create(rocksdb::DB& db,
                                                         std::uint64_t generation) const;

 private:
  rocksdb::ColumnFamilyOptions records_;
  rocksdb::ColumnFamilyOptions meta_;
};

struct OpenedDb {
  std::unique_ptr<rocksdb::DB> db;
  std::shared_ptr<const Families> families;  // those that count
};

// Opens or creates the database and drops the families that do not count.
absl::StatusOr<OpenedDb> OpenDb(const rocksdb::DBOptions& options, const std::string& path,
                                const FamilyMaker& maker);

}  // namespace etcd::engine
