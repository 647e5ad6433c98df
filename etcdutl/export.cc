#include "etcdutl/export.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "etcdutl/files.h"
#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/image/export.h"
#include "server/image/v2_document.h"
#include "server/membership/cluster.h"
#include "server/raftcodec/walpb.h"
#include "server/snap/snapshotter.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/meta_number.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/wal/wal.h"

namespace etcd::etcdutl {
namespace {

using engine::Family;

constexpr std::size_t kCopyBytes = 256U << 10;

absl::Status Refuse(std::string message) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, std::move(message));
}

// Where things are, with the source locked.
struct Source {
  std::string engine;
  std::string wal;
  std::string snap;
  std::unique_ptr<base::File> lock;
};

absl::StatusOr<Source> LockSource(base::FileSystem& file_system, const ExportOptions& options) {
  const std::string member = options.data_dir + "/member";
  Source source{.engine = member + "/rocksdb",
                .wal = options.wal_dir.empty() ? member + "/wal" : options.wal_dir,
                .snap = member + "/snap",
                .lock = nullptr};
  if (file_system.Exists(source.snap + "/db")) {
    return Refuse(options.data_dir + " is the directory of a Go etcd already");
  }
  if (!file_system.Exists(source.engine)) {
    return Refuse(options.data_dir + " holds no member of this etcd");
  }
  if (!wal::Exists(file_system, source.wal)) {
    return Refuse(source.wal + " holds no log; give --wal-dir if the member has one");
  }
  ASSIGN_OR_RETURN(source.lock, file_system.Open(member + "/lock", base::OpenMode::kReadWrite));
  RETURN_IF_ERROR(source.lock->TryLock());
  return source;
}

// <output-dir>/member.tmp with its folders, empty.
absl::StatusOr<std::string> PrepareOutput(base::FileSystem& file_system, const std::string& dir) {
  const std::string building = dir + "/member.tmp";
  RETURN_IF_ERROR(file_system.RemoveAll(building));
  RETURN_IF_ERROR(file_system.CreateDirs(dir));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(dir));
  if (!names.empty()) return Refuse(dir + " is not empty");
  RETURN_IF_ERROR(file_system.CreateDirs(building + "/wal"));
  RETURN_IF_ERROR(file_system.CreateDirs(building + "/snap"));
  return building;
}

// Leaves holes for what is zero: most of the last segment is preallocated space.
absl::Status CopyFile(base::FileSystem& file_system, const std::string& from,
                      const std::string& to) {
  ASSIGN_OR_RETURN(const auto source, file_system.Open(from, base::OpenMode::kRead));
  ASSIGN_OR_RETURN(const auto copy, file_system.Open(to, base::OpenMode::kCreateExclusive));
  ASSIGN_OR_RETURN(const std::uint64_t size, source->Size());
  for (std::uint64_t at = 0; at < size;) {
    ASSIGN_OR_RETURN(const std::string bytes, source->ReadAt(at, kCopyBytes));
    if (bytes.empty()) break;
    const bool is_zero = bytes.find_first_not_of('\0') == std::string::npos;
    if (!is_zero) RETURN_IF_ERROR(copy->WriteAt(at, bytes));
    at += bytes.size();
  }
  RETURN_IF_ERROR(copy->Truncate(size));
  return copy->Sync();
}

absl::Status CopyLog(base::FileSystem& file_system, const std::string& from,
                     const std::string& to) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(from));
  for (const std::string& name : names) {
    if (!name.ends_with(".wal")) continue;
    RETURN_IF_ERROR(CopyFile(file_system, from + "/" + name, to + "/" + name));
  }
  return absl::OkStatus();
}

// The newest snapshot record from which the log can be read up to `index`.
absl::StatusOr<raftcodec::WalSnapshot> StartOfLog(base::FileSystem& file_system,
                                                  const Source& source, Index index) {
  ASSIGN_OR_RETURN(const auto recorded, wal::ValidSnapshots(file_system, source.wal));
  std::optional<raftcodec::WalSnapshot> start;
  for (const raftcodec::WalSnapshot& snapshot : recorded) {
    const bool is_newer = !start.has_value() || snapshot.index >= start->index;
    if (snapshot.index <= index && is_newer) start = snapshot;
    // Go would look for it in vain; ours finishes the installation at its start.
    if (snapshot.index > index) {
      return Refuse(
          "a snapshot from another member was received and is not installed yet: start "
          "this member once more, stop it, and export again");
    }
  }
  if (!start.has_value()) return base::DataLoss(source.wal + " has no snapshot record");
  return *std::move(start);
}

// The term of the entry at `index`; DataLoss when the log does not reach it.
absl::StatusOr<Term> TermAt(const wal::Replay& replay, const raftcodec::WalSnapshot& start,
                            Index index) {
  if (index == start.index) return start.term;
  for (const raft::Entry& entry : replay.entries) {
    if (entry.index == index) return entry.term;
  }
  return base::DataLoss(
      fmt::format("the log ends before index {}, which the database holds", index.value()));
}

// Turns the copied log and the engine's membership into a point that Go starts from.
absl::Status AddSnapshot(base::FileSystem& file_system, const std::string& building,
                         const raftcodec::WalSnapshot& start, const membership::Cluster& cluster,
                         ExportReport& report) {
  wal::Replay replay;
  ASSIGN_OR_RETURN(const auto log, wal::Wal::Open(file_system, building + "/wal", start.index,
                                                  start.term, {}, replay));
  ASSIGN_OR_RETURN(const auto metadata, raftcodec::DecodeWalMetadata(replay.metadata));
  report.member_id = metadata.node_id;
  report.last_index = log->last_index();
  if (!report.index) return absl::OkStatus();  // Go replays all of the log
  raft::Snapshot snapshot;
  ASSIGN_OR_RETURN(const Term term, TermAt(replay, start, report.index));
  snapshot.metadata = {cluster.conf_state(), report.index, term};
  snapshot.data = image::RenderV2Document(cluster.current());
  RETURN_IF_ERROR(snap::Snapshotter(file_system, building + "/snap").Save(snapshot));
  raft::HardState state = replay.hard_state;
  state.commit = std::max(state.commit, report.index);
  RETURN_IF_ERROR(log->Save(state, {}));
  return log->SaveSnapshot(report.index, term, snapshot.metadata.conf_state);
}

absl::Status Publish(base::FileSystem& file_system, const std::string& building,
                     const std::string& output_dir) {
  RETURN_IF_ERROR(RemoveTemporary(file_system, building + "/wal"));
  for (const std::string& dir : {building + "/wal", building + "/snap", building}) {
    RETURN_IF_ERROR(file_system.SyncDir(dir));
  }
  RETURN_IF_ERROR(file_system.Rename(building, output_dir + "/member"));
  return file_system.SyncDir(output_dir);
}

}  // namespace

absl::StatusOr<ExportReport> ExportDataDir(base::FileSystem& file_system,
                                           const ExportOptions& options) {
  ASSIGN_OR_RETURN(const Source source, LockSource(file_system, options));
  ASSIGN_OR_RETURN(const auto engine, engine::OpenRocksEngine(source.engine, {}));
  ExportReport report;
  ASSIGN_OR_RETURN(const std::uint64_t index,
                   engine::ReadMetaNumber(*engine, engine::kMetaConsistentIndex));
  report.index = Index(index);
  membership::Cluster cluster;
  RETURN_IF_ERROR(cluster.Load(*engine));
  report.cluster_version = cluster.current().cluster_version;
  ASSIGN_OR_RETURN(const auto start, StartOfLog(file_system, source, report.index));

  ASSIGN_OR_RETURN(const std::string building, PrepareOutput(file_system, options.output_dir));
  RETURN_IF_ERROR(image::WriteImage(engine->PinView(), file_system, building + "/snap/db"));
  RETURN_IF_ERROR(CopyLog(file_system, source.wal, building + "/wal"));
  RETURN_IF_ERROR(AddSnapshot(file_system, building, start, cluster, report));
  RETURN_IF_ERROR(Publish(file_system, building, options.output_dir));
  return report;
}

}  // namespace etcd::etcdutl
