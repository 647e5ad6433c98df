#include "server/storage/engine/rocks_families.h"

#include <algorithm>
#include <map>
#include <optional>

#include <rocksdb/env.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/storage/engine/rocks_health.h"
#include "server/storage/engine/rocks_options.h"

namespace etcd::engine {
namespace {

using Names = std::array<std::string, kFamilies>;
using HandlesByName = std::map<std::string, rocksdb::ColumnFamilyHandle*>;

Names NamesOf(std::uint64_t generation) {
  if (generation == 0) return {"key", "rev", rocksdb::kDefaultColumnFamilyName};
  const std::string suffix = "." + std::to_string(generation);
  return {"key" + suffix, "rev" + suffix, "meta" + suffix};
}

// What is there, and for a new database what has to be.
absl::StatusOr<std::vector<std::string>> NamesToOpen(const rocksdb::DBOptions& options,
                                                     const std::string& path) {
  std::vector<std::string> names;
  if (options.env->FileExists(path + "/CURRENT").ok()) {
    RETURN_IF_ERROR(ToStatus(rocksdb::DB::ListColumnFamilies(options, path, &names)));
  }
  // A crash while it was created leaves some of the first generation.
  const bool is_first = std::ranges::none_of(
      names, [](const std::string& name) { return name.find('.') != std::string::npos; });
  if (!is_first) return names;
  for (const std::string& name : NamesOf(0)) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

absl::StatusOr<std::uint64_t> CurrentGeneration(rocksdb::DB& db) {
  std::string value;
  const rocksdb::Status status =
      db.Get(rocksdb::ReadOptions(), db.DefaultColumnFamily(), kGenerationKey, &value);
  if (status.IsNotFound()) return 0;
  RETURN_IF_ERROR(ToStatus(status));
  return std::stoull(value);
}

// Takes the handles of one generation out of `handles`.
absl::StatusOr<Families::Handles> Take(HandlesByName& handles, std::uint64_t generation,
                                       rocksdb::DB& db) {
  Families::Handles out{};
  const Names names = NamesOf(generation);
  for (std::size_t i = 0; i < kFamilies; ++i) {
    if (names[i] == rocksdb::kDefaultColumnFamilyName) {
      out[i] = db.DefaultColumnFamily();
      continue;
    }
    const auto found = handles.find(names[i]);
    if (found == handles.end()) {
      return base::DataLoss("storage engine: column family " + names[i] + " is missing");
    }
    out[i] = found->second;
    handles.erase(found);
  }
  return out;
}

void DropLeftovers(rocksdb::DB& db, const HandlesByName& handles) {
  for (const auto& [name, handle] : handles) {
    const rocksdb::Status status = db.DropColumnFamily(handle);
    if (!status.ok()) LOG_WARN("failed to drop a column family", {"error", ToStatus(status)});
    base::IgnoreError(ToStatus(db.DestroyColumnFamilyHandle(handle)), "nothing else uses it");
  }
}

}  // namespace

Families::~Families() {
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    if (handle == db_.DefaultColumnFamily()) continue;
    base::IgnoreError(ToStatus(db_.DestroyColumnFamilyHandle(handle)), "nothing else uses it");
  }
}

absl::Status Families::Drop() const {
  std::vector<rocksdb::ColumnFamilyHandle*> handles = all();
  std::erase(handles, db_.DefaultColumnFamily());
  return ToStatus(db_.DropColumnFamilies(handles));
}

FamilyMaker::FamilyMaker(const RocksOptions& options) {
  const FamilyOptions made = MakeFamilyOptions(options);
  records_ = made.records;
  meta_ = made.meta;
}

rocksdb::ColumnFamilyDescriptor FamilyMaker::Describe(const std::string& name) const {
  const bool is_meta = name == rocksdb::kDefaultColumnFamilyName || name.starts_with("meta");
  return {name, is_meta ? meta_ : records_};
}

absl::StatusOr<std::shared_ptr<const Families>> FamilyMaker::Create(
    rocksdb::DB& db, std::uint64_t generation) const {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : NamesOf(generation)) descriptors.push_back(Describe(name));
  std::vector<rocksdb::ColumnFamilyHandle*> made;
  const absl::Status status = ToStatus(db.CreateColumnFamilies(descriptors, &made));
  if (!status.ok()) {
    for (rocksdb::ColumnFamilyHandle* handle : made) {
      base::IgnoreError(ToStatus(db.DropColumnFamily(handle)), "the next start drops it");
      base::IgnoreError(ToStatus(db.DestroyColumnFamilyHandle(handle)), "nothing else uses it");
    }
    return status;
  }
  return std::make_shared<const Families>(db, generation,
                                          Families::Handles{made[0], made[1], made[2]});
}

absl::StatusOr<OpenedDb> OpenDb(const rocksdb::DBOptions& options, const std::string& path,
                                const FamilyMaker& maker) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesToOpen(options, path));
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) descriptors.push_back(maker.Describe(name));
  std::vector<rocksdb::ColumnFamilyHandle*> opened;
  rocksdb::DB* raw = nullptr;
  RETURN_IF_ERROR(ToStatus(rocksdb::DB::Open(options, path, descriptors, &opened, &raw)));
  std::unique_ptr<rocksdb::DB> db(raw);
  HandlesByName handles;
  for (rocksdb::ColumnFamilyHandle* handle : opened) {
    if (handle->GetName() != rocksdb::kDefaultColumnFamilyName) {
      handles.emplace(handle->GetName(), handle);
    } else {
      // The database has one of its own.
      base::IgnoreError(ToStatus(db->DestroyColumnFamilyHandle(handle)), "a second reference");
    }
  }
  ASSIGN_OR_RETURN(const std::uint64_t generation, CurrentGeneration(*db));
  ASSIGN_OR_RETURN(const Families::Handles current, Take(handles, generation, *db));
  auto families = std::make_shared<const Families>(*db, generation, current);
  DropLeftovers(*db, handles);
  return OpenedDb{std::move(db), std::move(families)};
}

}  // namespace etcd::engine
