#include "server/wal/wal.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/base/check.h"
#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/wal/segments.h"

// Appending and cutting. Opening and reading: open.cc.
namespace etcd::wal {
namespace {

constexpr std::chrono::seconds kSlowSync{1};

const base::Clock& ClockOrSystem(const base::Clock* clock) {
  static const base::SystemClock system;
  return clock != nullptr ? *clock : system;
}

bool IsDiskFull(const absl::Status& status) {
  return status.code() == absl::StatusCode::kResourceExhausted;
}

}  // namespace

Wal::Wal(base::FileSystem& file_system, std::string dir, const Options& options)
    : file_system_(file_system),
      dir_(std::move(dir)),
      options_(options),
      clock_(ClockOrSystem(options.clock)) {}

Wal::~Wal() = default;

absl::StatusOr<std::unique_ptr<Wal>> Wal::Create(base::FileSystem& file_system,
                                                 const std::string& dir, std::string_view metadata,
                                                 const Options& options) {
  if (Exists(file_system, dir)) {
    return base::MakeStatus(absl::StatusCode::kAlreadyExists, "wal: log exists in " + dir);
  }
  std::unique_ptr<Wal> wal(new Wal(file_system, dir, options));
  wal->metadata_ = std::string(metadata);
  const std::string temporary = dir + ".tmp";
  RETURN_IF_ERROR(file_system.RemoveAll(temporary));
  RETURN_IF_ERROR(file_system.CreateDirs(temporary));
  if (const absl::Status status = wal->WriteFirstSegment(temporary); !status.ok()) {
    wal.reset();
    base::IgnoreError(file_system.RemoveAll(temporary), "the first error tells more");
    return status;
  }
  RETURN_IF_ERROR(file_system.RemoveAll(dir));
  RETURN_IF_ERROR(file_system.Rename(temporary, dir));
  RETURN_IF_ERROR(file_system.SyncDir(ParentOf(dir)));
  base::IgnoreError(wal->EnsureReserve(), "logged; the first segment is there");
  return wal;
}

// Order of a first segment: crc 0, metadata, snapshot {0, 0}.
absl::Status Wal::WriteFirstSegment(const std::string& dir) {
  const std::string name = SegmentName{0, Index(0)}.Text();
  ASSIGN_OR_RETURN(auto file,
                   file_system_.Open(dir + "/" + name, base::OpenMode::kCreateOrTruncate));
  RETURN_IF_ERROR(file->TryLock());
  RETURN_IF_ERROR(file->Preallocate(options_.segment_bytes));
  allocated_ = options_.segment_bytes;
  segments_.push_back({name, Index(0), std::move(file)});
  pending_.AddCrc(0);
  pending_.AddMetadata(metadata_);
  pending_.AddSnapshot(raftcodec::WalSnapshot());
  RETURN_IF_ERROR(Flush(/*must_sync=*/true));
  return file_system_.SyncDir(dir);
}

void Wal::Append(std::span<const raft::Entry> entries) {
  for (const raft::Entry& entry : entries) pending_.AddEntry(entry);
  if (entries.empty()) return;
  has_pending_entries_ = true;
  pending_index_ = entries.back().index;
}

absl::Status Wal::Save(const raft::HardState& hard_state, std::span<const raft::Entry> entries) {
  RETURN_IF_ERROR(failed_);
  Append(entries);
  if (!hard_state.empty()) pending_.AddState(hard_state);
  if (pending_.empty()) return absl::OkStatus();
  const bool must_sync =
      has_pending_entries_ ||
      (!hard_state.empty() && (hard_state.term != state_.term || hard_state.vote != state_.vote));
  RETURN_IF_ERROR(Flush(must_sync));
  if (!hard_state.empty()) state_ = hard_state;
  return offset_ < options_.segment_bytes ? absl::OkStatus() : Cut();
}

absl::Status Wal::SaveSnapshot(Index index, Term term, const raft::ConfState& conf_state) {
  RETURN_IF_ERROR(failed_);
  CHECK(pending_.empty()) << "entries appended but not saved";
  CHECK(index && term) << "snapshot record of nothing";
  pending_.AddSnapshot({index, term, conf_state});
  pending_index_ = std::max(last_index_, index);
  return Flush(/*must_sync=*/true);
}

absl::Status Wal::Sync() {
  RETURN_IF_ERROR(failed_);
  if (is_synced_) return absl::OkStatus();
  RETURN_IF_ERROR(SyncTimed(tail()));
  is_synced_ = true;
  return absl::OkStatus();
}

// Writes what is pending as one write. All or nothing as long as the disk does not lie: a full disk
// is met in MakeRoom, before the first byte.
absl::Status Wal::Flush(bool must_sync) {
  if (const absl::Status status = MakeRoom(); !status.ok()) {
    DropPending();
    return IsDiskFull(status) ? status : Fail(status);
  }
  RETURN_IF_ERROR(WriteTimed(tail(), offset_, pending_.bytes()));
  offset_ += pending_.bytes().size();
  crc_ = pending_.crc();
  last_index_ = pending_index_;
  is_synced_ = false;
  DropPending();
  return must_sync ? Sync() : absl::OkStatus();
}

void Wal::DropPending() {
  pending_.Reset(crc_);
  pending_index_ = last_index_;
  has_pending_entries_ = false;
}

// Blocks for the batch, and the next segment when the batch fills this one. A batch that does not
// fit into what is left of the segment on a full disk goes into the next one: that has its blocks.
absl::Status Wal::MakeRoom() {
  absl::Status status = Allocate();
  if (!IsDiskFull(status) || !has_reserve()) return status;
  RETURN_IF_ERROR(Cut());
  return Allocate();
}

absl::Status Wal::Allocate() {
  const std::uint64_t end = offset_ + pending_.bytes().size();
  if (end >= options_.segment_bytes) RETURN_IF_ERROR(EnsureReserve());
  if (end <= allocated_) return absl::OkStatus();
  RETURN_IF_ERROR(tail().Preallocate(end));
  allocated_ = end;
  return absl::OkStatus();
}

absl::Status Wal::WriteTimed(base::File& file, std::uint64_t offset, std::string_view bytes) {
  const auto start = clock_.Now();
  if (const absl::Status status = file.WriteAt(offset, bytes); !status.ok()) return Fail(status);
  if (options_.observer != nullptr) options_.observer->OnWrite(bytes.size(), clock_.Now() - start);
  return absl::OkStatus();
}

absl::Status Wal::SyncTimed(base::File& file) {
  const auto start = clock_.Now();
  FAILPOINT("walBeforeSync");
  const absl::Status status = file.Sync();
  FAILPOINT("walAfterSync");
  const std::chrono::nanoseconds took = clock_.Now() - start;
  if (took > kSlowSync) {
    LOG_WARN("slow fdatasync", {"took", took},
             {"expected-duration", std::chrono::nanoseconds(kSlowSync)});
  }
  if (options_.observer != nullptr) options_.observer->OnSync(took);
  return status.ok() ? status : Fail(status);
}

// For good. A full disk that shows up only at a write or an fsync is no refusal that could be tried
// again: what is on the disk is not known any more, so it must not look like one.
absl::Status Wal::Fail(absl::Status status) {
  if (!failed_.ok()) return failed_;
  failed_ = IsDiskFull(status)
                ? base::MakeStatus(absl::StatusCode::kInternal, base::MessageOf(status))
                : std::move(status);
  return failed_;
}

// Goes on in a new segment. What was saved is durable already; when the disk has no room for the
// new name, this segment stays in use (without blocks ahead) and the next Save tries again.
absl::Status Wal::Cut() {
  const std::string name =
      SegmentName{SegmentName::Parse(segments_.back().name)->sequence + 1, last_index_ + 1}.Text();
  if (const absl::Status status = tail().Truncate(offset_); !status.ok()) return Fail(status);
  allocated_ = offset_;
  RETURN_IF_ERROR(SyncTimed(tail()));
  is_synced_ = true;
  const absl::Status status = StartNextSegment(name);
  if (!status.ok() && !IsDiskFull(status)) return Fail(status);
  if (!status.ok()) {
    reserve_.reset();
    LOG_WARN("cannot begin the next WAL segment", {"path", PathOf(name)}, {"error", status});
    return absl::OkStatus();
  }
  LOG_INFO("created a new WAL segment", {"path", PathOf(name)});
  base::IgnoreError(EnsureReserve(), "logged; needed only when this segment is full");
  return absl::OkStatus();
}

// Order after a cut: crc, metadata, state. Synced before it gets its name.
absl::Status Wal::StartNextSegment(const std::string& name) {
  RecordWriter head;
  head.AddCrc(crc_);
  head.AddMetadata(metadata_);
  if (!state_.empty()) head.AddState(state_);
  RETURN_IF_ERROR(EnsureReserve());
  RETURN_IF_ERROR(WriteTimed(*reserve_, 0, head.bytes()));
  RETURN_IF_ERROR(SyncTimed(*reserve_));
  RETURN_IF_ERROR(file_system_.Rename(reserve_path_, PathOf(name)));
  // The new name is there and may or may not survive: going on in the old segment would fork the
  // log.
  if (const absl::Status status = file_system_.SyncDir(dir_); !status.ok()) return Fail(status);
  segments_.push_back({name, last_index_ + 1, std::move(reserve_)});
  offset_ = head.bytes().size();
  allocated_ = std::max<std::uint64_t>(options_.segment_bytes, offset_);
  crc_ = head.crc();
  pending_.Rechain(crc_);
  return absl::OkStatus();
}

absl::Status Wal::EnsureReserve() {
  RETURN_IF_ERROR(failed_);
  if (reserve_ != nullptr) return absl::OkStatus();
  const std::string path = PathOf(fmt::format("{}.tmp", reserve_count_ % 2));
  auto file = file_system_.Open(path, base::OpenMode::kCreateOrTruncate);
  absl::Status status = file.status();
  if (status.ok()) status = (*file)->TryLock();
  if (status.ok()) status = (*file)->Preallocate(options_.segment_bytes);
  if (!status.ok()) {
    LOG_WARN("failed to preallocate space when creating a new WAL", {"path", path},
             {"size", options_.segment_bytes}, {"error", status});
    if (file.ok()) base::IgnoreError(file_system_.Remove(path), "the first error tells more");
    return status;
  }
  reserve_ = std::move(file).value();
  reserve_path_ = path;
  ++reserve_count_;
  return absl::OkStatus();
}

// Keeps the last segment that begins below `index`: it may hold `index` itself.
void Wal::ReleaseBefore(Index index) {
  std::size_t keep_from = segments_.size() - 1;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].first_index < index) continue;
    keep_from = i == 0 ? 0 : i - 1;
    break;
  }
  for (std::size_t i = 0; i < keep_from; ++i) segments_.pop_front();
}

absl::StatusOr<std::size_t> Wal::Purge(std::size_t max_wals) {
  ASSIGN_OR_RETURN(const std::vector<SegmentName> names, ListSegments(file_system_, dir_));
  std::size_t removed = 0;
  while (names.size() - removed > std::max<std::size_t>(max_wals, 1)) {
    const std::string name = names[removed].Text();
    if (name == segments_.front().name) break;
    ASSIGN_OR_RETURN(const auto file, file_system_.Open(PathOf(name), base::OpenMode::kReadWrite));
    if (!file->TryLock().ok()) break;  // a tool reads it
    RETURN_IF_ERROR(file_system_.Remove(PathOf(name)));
    // One by one, so that a crash cannot leave a hole in the sequence.
    RETURN_IF_ERROR(file_system_.SyncDir(dir_));
    LOG_INFO("purged", {"path", PathOf(name)});
    ++removed;
  }
  return removed;
}

std::string Wal::PathOf(std::string_view name) const { return dir_ + "/" + std::string(name); }

}  // namespace etcd::wal
