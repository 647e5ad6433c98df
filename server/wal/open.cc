#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/wal/record_reader.h"
#include "server/wal/replayer.h"
#include "server/wal/segments.h"
#include "server/wal/wal.h"

namespace etcd::wal {
namespace {

constexpr std::uint64_t kCopyBytes = 64U << 10;

absl::Status NoSuchSnapshot(const std::string& dir, Index index, Term term) {
  return base::MakeStatus(absl::StatusCode::kNotFound,
                          fmt::format("wal: snapshot not found: index {} term {} in {}",
                                      index.value(), term.value(), dir));
}

// Leaves holes for what is zero: most of a segment is preallocated space.
absl::Status CopyTo(base::File& to, const base::File& from) {
  ASSIGN_OR_RETURN(const std::uint64_t size, from.Size());
  for (std::uint64_t at = 0; at < size;) {
    ASSIGN_OR_RETURN(const std::string bytes, from.ReadAt(at, kCopyBytes));
    if (bytes.empty()) break;
    const bool is_zero = bytes.find_first_not_of('\0') == std::string::npos;
    if (!is_zero) RETURN_IF_ERROR(to.WriteAt(at, bytes));
    at += bytes.size();
  }
  RETURN_IF_ERROR(to.Truncate(size));
  return to.Sync();
}

// Open files of a run of segments, read without locks.
struct ReadOnlyRun {
  std::vector<std::unique_ptr<base::File>> files;
  std::vector<RecordReader::Source> sources;
};

absl::StatusOr<ReadOnlyRun> OpenForReading(base::FileSystem& file_system, const std::string& dir,
                                           const std::vector<SegmentName>& names) {
  ReadOnlyRun run;
  for (const SegmentName& name : names) {
    const std::string path = dir + "/" + name.Text();
    ASSIGN_OR_RETURN(auto file, file_system.Open(path, base::OpenMode::kRead));
    run.sources.push_back({path, file.get()});
    run.files.push_back(std::move(file));
  }
  return run;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Wal>> Wal::Open(base::FileSystem& file_system,
                                               const std::string& dir, Index snapshot_index,
                                               Term snapshot_term, const Options& options,
                                               Replay& replay) {
  std::unique_ptr<Wal> wal(new Wal(file_system, dir, options));
  RETURN_IF_ERROR(wal->OpenSegments(snapshot_index));
  // First, because it frees a segment's room, which a repair may need on a full disk.
  RETURN_IF_ERROR(wal->RemoveLeftovers());
  RETURN_IF_ERROR(wal->ReadSegments(snapshot_index, snapshot_term, replay));
  // A process that died between a rename and its fsync left names that a power cut could still
  // take, with all that is appended from now on.
  RETURN_IF_ERROR(file_system.SyncDir(dir));
  RETURN_IF_ERROR(file_system.SyncDir(ParentOf(dir)));
  base::IgnoreError(wal->EnsureReserve(), "logged; needed only when this segment is full");
  return wal;
}

absl::Status Wal::OpenSegments(Index snapshot_index) {
  ASSIGN_OR_RETURN(const std::vector<SegmentName> names,
                   SegmentsFrom(file_system_, dir_, snapshot_index));
  for (const SegmentName& name : names) {
    ASSIGN_OR_RETURN(auto file, file_system_.Open(PathOf(name.Text()), base::OpenMode::kReadWrite));
    RETURN_IF_ERROR(file->TryLock());
    segments_.push_back({name.Text(), name.first_index, std::move(file)});
  }
  return absl::OkStatus();
}

absl::Status Wal::ReadSegments(Index snapshot_index, Term snapshot_term, Replay& replay) {
  std::vector<RecordReader::Source> sources;
  sources.reserve(segments_.size());
  for (const Segment& segment : segments_) {
    sources.push_back({PathOf(segment.name), segment.file.get()});
  }
  RecordReader reader(std::move(sources));
  Replayer log(snapshot_index, snapshot_term);
  RETURN_IF_ERROR(log.ReadAll(reader));
  if (!log.found_snapshot()) return NoSuchSnapshot(dir_, snapshot_index, snapshot_term);
  if (reader.torn()) RETURN_IF_ERROR(Repair(reader.offset()));

  offset_ = reader.offset();
  crc_ = reader.crc();
  metadata_ = log.metadata;
  state_ = log.hard_state;
  last_index_ = log.last_index;
  DropPending();
  RETURN_IF_ERROR(ClearTail());
  if (offset_ == 0 || log.ends_in_head()) RETURN_IF_ERROR(RewriteHead());
  replay = {std::move(log.metadata), log.hard_state, std::move(log.entries)};
  return absl::OkStatus();
}

// A write was cut short by a crash: nothing after `good_offset` was ever acknowledged.
absl::Status Wal::Repair(std::uint64_t good_offset) {
  const std::string path = PathOf(segments_.back().name);
  LOG_INFO("repairing", {"path", path});
  ASSIGN_OR_RETURN(auto broken,
                   file_system_.Open(path + ".broken", base::OpenMode::kCreateOrTruncate));
  RETURN_IF_ERROR(CopyTo(*broken, tail()));
  RETURN_IF_ERROR(tail().Truncate(good_offset));
  RETURN_IF_ERROR(SyncTimed(tail()));
  if (options_.observer != nullptr) options_.observer->OnRepair();
  LOG_INFO("repaired WAL", {"path", path}, {"offset", good_offset});
  return absl::OkStatus();
}

// Records of a torn write may stand behind a zero length field. Later appends would run into them
// and make a broken chain of old and new, so everything after the last record becomes zero.
absl::Status Wal::ClearTail() {
  ASSIGN_OR_RETURN(const std::uint64_t size, tail().Size());
  if (size > offset_) RETURN_IF_ERROR(tail().Truncate(offset_));
  allocated_ = offset_;
  const std::uint64_t wanted = std::max(size, options_.segment_bytes);
  absl::Status status = tail().Preallocate(wanted);
  if (status.ok()) {
    allocated_ = wanted;
  } else if (status.code() != absl::StatusCode::kResourceExhausted) {
    return status;
  }
  return SyncTimed(tail());
}

// The last segment was cut within its first records: a segment without them could not be read
// alone.
absl::Status Wal::RewriteHead() {
  offset_ = 0;
  pending_.AddCrc(crc_);
  pending_.AddMetadata(metadata_);
  if (!state_.empty()) pending_.AddState(state_);
  return Flush(/*must_sync=*/true);
}

// Reserves of a process that ended; nobody else can hold them, the segments are locked.
absl::Status Wal::RemoveLeftovers() {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, file_system_.List(dir_));
  for (const std::string& file : files) {
    if (file.ends_with(".tmp")) RETURN_IF_ERROR(file_system_.Remove(PathOf(file)));
  }
  return absl::OkStatus();
}

bool Exists(base::FileSystem& file_system, const std::string& dir) {
  const auto files = file_system.List(dir);
  return files.ok() && std::any_of(files->begin(), files->end(),
                                   [](const std::string& file) { return file.ends_with(".wal"); });
}

absl::StatusOr<Replay> ReadAll(base::FileSystem& file_system, const std::string& dir,
                               Index snapshot_index, Term snapshot_term) {
  ASSIGN_OR_RETURN(const auto names, SegmentsFrom(file_system, dir, snapshot_index));
  ASSIGN_OR_RETURN(ReadOnlyRun run, OpenForReading(file_system, dir, names));
  RecordReader reader(std::move(run.sources));
  Replayer log(snapshot_index, snapshot_term);
  RETURN_IF_ERROR(log.ReadAll(reader));
  if (!log.found_snapshot()) return NoSuchSnapshot(dir, snapshot_index, snapshot_term);
  return Replay{std::move(log.metadata), log.hard_state, std::move(log.entries)};
}

absl::StatusOr<std::vector<raftcodec::WalSnapshot>> ValidSnapshots(base::FileSystem& file_system,
                                                                   const std::string& dir) {
  ASSIGN_OR_RETURN(const auto all, ListSegments(file_system, dir));
  ASSIGN_OR_RETURN(const auto names, SegmentsFrom(file_system, dir, all.front().first_index));
  ASSIGN_OR_RETURN(ReadOnlyRun run, OpenForReading(file_system, dir, names));
  RecordReader reader(std::move(run.sources));
  Replayer log(Index(0), Term(0));
  log.keep_entries = false;
  RETURN_IF_ERROR(log.ReadAll(reader));
  std::erase_if(log.snapshots, [&](const raftcodec::WalSnapshot& snapshot) {
    return snapshot.index > log.hard_state.commit;
  });
  return std::move(log.snapshots);
}

absl::Status SyncTail(base::FileSystem& file_system, const std::string& dir) {
  ASSIGN_OR_RETURN(const auto names, ListSegments(file_system, dir));
  ASSIGN_OR_RETURN(const auto tail,
                   file_system.Open(dir + "/" + names.back().Text(), base::OpenMode::kReadWrite));
  RETURN_IF_ERROR(tail->Sync());
  return file_system.SyncDir(dir);
}

}  // namespace etcd::wal
