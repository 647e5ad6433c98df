#include "server/snap/snapshotter.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/base/check.h"
#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::snap {
namespace {

constexpr std::string_view kSuffix = ".snap";
constexpr std::string_view kDbSuffix = ".snap.db";
constexpr std::size_t kHexDigits = 16;
// Others read .snap files (backup tools), so etcd gives them 0644; WAL and database have 0600.
constexpr std::uint32_t kPermissions = 0644;

const base::Clock& ClockOrSystem(const base::Clock* clock) {
  static const base::SystemClock system;
  return clock != nullptr ? *clock : system;
}

// Names of .snap files in ascending (term, index) order, which is that of their bytes.
std::vector<std::string> SnapNames(const std::vector<std::string>& files) {
  std::vector<std::string> names;
  for (const std::string& file : files) {
    if (file.ends_with(kSuffix)) names.push_back(file);
  }
  return names;
}

std::optional<Index> IndexOfDb(std::string_view file) {
  if (file.size() != kHexDigits + kDbSuffix.size() || !file.ends_with(kDbSuffix)) {
    return std::nullopt;
  }
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(file.data(), file.data() + kHexDigits, index, 16);
  if (error != std::errc() || end != file.data() + kHexDigits) return std::nullopt;
  return Index(index);
}

absl::Status NoSnapshot() {
  return base::MakeStatus(absl::StatusCode::kNotFound, "snap: no available snapshot");
}

}  // namespace

Snapshotter::Snapshotter(base::FileSystem& file_system, std::string dir)
    : Snapshotter(file_system, std::move(dir), Options()) {}

Snapshotter::Snapshotter(base::FileSystem& file_system, std::string dir, const Options& options)
    : file_system_(file_system),
      dir_(std::move(dir)),
      options_(options),
      clock_(ClockOrSystem(options.clock)) {}

std::string Snapshotter::FileName(Term term, Index index) {
  return fmt::format("{:016x}-{:016x}.snap", term.value(), index.value());
}

absl::Status Snapshotter::Prepare() {
  RETURN_IF_ERROR(file_system_.CreateDirs(dir_));
  ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system_.List(dir_));
  for (const std::string& file : files) {
    if (!file.starts_with("tmp") && !file.starts_with("db.tmp")) continue;
    LOG_INFO("found orphaned snapshot file; deleting", {"path", PathOf(file)});
    RETURN_IF_ERROR(file_system_.Remove(PathOf(file)));
  }
  return absl::OkStatus();
}

absl::Status Snapshotter::Save(const raft::Snapshot& snapshot) {
  CHECK(!snapshot.empty()) << "no snapshot to save";
  const auto start = clock_.Now();
  const std::string name = FileName(snapshot.metadata.term, snapshot.metadata.index);
  const std::string temporary = PathOf("tmp-" + name);
  FAILPOINT("raftBeforeSaveSnap");
  absl::Status status = WriteDurably(temporary, raftcodec::EncodeSnapFile(snapshot));
  if (!status.ok()) {
    base::IgnoreError(file_system_.Remove(temporary), "the first error tells more");
    return status;
  }
  RETURN_IF_ERROR(file_system_.Rename(temporary, PathOf(name)));
  RETURN_IF_ERROR(file_system_.SyncDir(dir_));
  FAILPOINT("raftAfterSaveSnap");
  if (options_.observer != nullptr) options_.observer->OnSave(clock_.Now() - start);
  return absl::OkStatus();
}

absl::Status Snapshotter::WriteDurably(const std::string& temporary, const std::string& bytes) {
  ASSIGN_OR_RETURN(auto file,
                   file_system_.Open(temporary, base::OpenMode::kCreateOrTruncate, kPermissions));
  RETURN_IF_ERROR(file->WriteAt(0, bytes));
  const auto start = clock_.Now();
  RETURN_IF_ERROR(file->Sync());
  if (options_.observer != nullptr) options_.observer->OnSync(clock_.Now() - start);
  return absl::OkStatus();
}

template <typename Match>
absl::StatusOr<raft::Snapshot> Snapshotter::LoadMatching(const Match& match) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system_.List(dir_));
  std::vector<std::string> names = SnapNames(files);
  std::reverse(names.begin(), names.end());
  for (const std::string& name : names) {
    auto snapshot = LoadFile(name);
    if (snapshot.ok() && match(snapshot->metadata)) return snapshot;
    // Damage is passed over; a disk that cannot be read is not.
    if (!snapshot.ok() && snapshot.status().code() != absl::StatusCode::kDataLoss) {
      return snapshot.status();
    }
  }
  return NoSnapshot();
}

absl::StatusOr<raft::Snapshot> Snapshotter::Load() {
  return LoadMatching([](const raft::SnapshotMetadata&) { return true; });
}

absl::StatusOr<raft::Snapshot> Snapshotter::LoadNewestAvailable(
    std::span<const raftcodec::WalSnapshot> wal_snapshots) {
  return LoadMatching([&](const raft::SnapshotMetadata& metadata) {
    return std::any_of(wal_snapshots.begin(), wal_snapshots.end(),
                       [&](const raftcodec::WalSnapshot& recorded) {
                         return recorded.index == metadata.index && recorded.term == metadata.term;
                       });
  });
}

absl::StatusOr<raft::Snapshot> Snapshotter::LoadFile(const std::string& name) {
  const std::string path = PathOf(name);
  ASSIGN_OR_RETURN(const auto file, file_system_.Open(path, base::OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  ASSIGN_OR_RETURN(const std::string bytes, file->ReadAt(0, size));
  auto snapshot = raftcodec::DecodeSnapFile(bytes);
  if (snapshot.ok()) return snapshot;
  LOG_WARN("failed to read a snap file", {"path", path}, {"error", snapshot.status()});
  RETURN_IF_ERROR(file_system_.Rename(path, path + ".broken"));
  LOG_WARN("renamed to a broken snap file", {"path", path}, {"broken-path", path + ".broken"});
  return base::DataLoss(fmt::format("{}: {}", base::MessageOf(snapshot.status()), path));
}

absl::StatusOr<std::size_t> Snapshotter::Purge(std::size_t max_snapshots) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system_.List(dir_));
  const std::vector<std::string> names = SnapNames(files);
  std::size_t removed = 0;
  while (names.size() - removed > std::max<std::size_t>(max_snapshots, 1)) {
    RETURN_IF_ERROR(file_system_.Remove(PathOf(names[removed])));
    LOG_INFO("purged", {"path", PathOf(names[removed])});
    ++removed;
  }
  return removed;
}

absl::Status Snapshotter::ReleaseSnapDbs(Index index) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system_.List(dir_));
  for (const std::string& file : files) {
    const auto db_index = IndexOfDb(file);
    if (!db_index || *db_index >= index) continue;
    LOG_INFO("found orphaned .snap.db file; deleting", {"path", PathOf(file)});
    RETURN_IF_ERROR(file_system_.Remove(PathOf(file)));
  }
  return absl::OkStatus();
}

std::string Snapshotter::PathOf(std::string_view name) const {
  return dir_ + "/" + std::string(name);
}

}  // namespace etcd::snap
