#include "server/node/install.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/base/bytes.h"
#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/image/import.h"
#include "server/image/v2_document.h"
#include "server/node/versions.h"
#include "server/snap/snapshotter.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/meta_number.h"
#include "server/storage/engine/replace.h"
#include "server/storage/mvcc/revision_key.h"
#include "server/wal/wal.h"

namespace etcd::node {
namespace {

using engine::Family;

// A received database is synced as it comes: one fsync of a gigabyte at the end would hold up those
// of the log, here and with whoever shares the disk.
constexpr std::uint64_t kSyncBytes = 1 << 20;
constexpr int kLastMinorWithV2Store = 5;

std::string Number(std::uint64_t value) {
  std::string bytes;
  base::AppendBigEndian64(bytes, value);
  return bytes;
}

// Passes content on and remembers its revisions.
class RevisionProbe final : public engine::Replacement {
 public:
  explicit RevisionProbe(std::unique_ptr<engine::Replacement> target)
      : target_(std::move(target)) {}

  absl::Status Write(const engine::WriteBatch& batch) override {
    for (const engine::WriteBatch::Op& op : batch.ops()) {
      if (op.is_delete) continue;
      if (op.family == Family::kMeta && InMembers(op.key)) member_keys_.push_back(op.key);
      if (op.family == Family::kRev) {
        if (const auto key = mvcc::DecodeRevisionKey(op.key)) newest_ = key->revision.main;
      }
      if (op.family != Family::kMeta) continue;
      if (op.key != scheduled_key_ && op.key != finished_key_) continue;
      if (const auto mark = mvcc::DecodeRevisionKey(op.value)) {
        compacted_ = std::max(compacted_, mark->revision.main);
      }
    }
    return target_->Write(batch);
  }
  absl::Status Commit() override { return target_->Commit(); }

  Revision compacted() const { return compacted_; }
  // Keys of the bucket "members".
  const std::vector<std::string>& member_keys() const { return member_keys_; }
  // By the rule of raft-peer-storage.md 8.4; the records came in ascending order.
  Revision current() const { return std::max({Revision(1), newest_, compacted_}); }

 private:
  static bool InMembers(std::string_view key) {
    return key.starts_with(engine::kBucketMembers) && key.size() > engine::kBucketMembers.size() &&
           key[engine::kBucketMembers.size()] == '\0';
  }

  const std::string scheduled_key_ =
      engine::MetaKey(engine::kBucketMeta, engine::kMetaScheduledCompactRev);
  const std::string finished_key_ =
      engine::MetaKey(engine::kBucketMeta, engine::kMetaFinishedCompactRev);
  const std::unique_ptr<engine::Replacement> target_;
  std::vector<std::string> member_keys_;
  Revision compacted_{-1};
  Revision newest_;
};

// The members in the v2 store that came with the database. Members of 3.4 and 3.5 believe it and
// only copy it to their backend, where some are left over and learners stay learners (traps 9, 13
// and 14 of the reference). nullopt: of a later version, which has the backend only, or unreadable.
std::optional<membership::View> MembersOfOldVersion(const MemberOptions& options,
                                                    const MemberPorts& ports,
                                                    const raft::SnapshotMetadata& metadata) {
  snap::Snapshotter files(ports.file_system, options.snap_dir);
  const raftcodec::WalSnapshot wanted = {metadata.index, metadata.term, std::nullopt};
  const absl::StatusOr<raft::Snapshot> snapshot = files.LoadNewestAvailable({&wanted, 1});
  if (!snapshot.ok()) return std::nullopt;
  absl::StatusOr<membership::View> view = image::ParseV2Document(snapshot->data);
  if (!view.ok() || view->members.empty()) return std::nullopt;
  if (MinorOf(view->cluster_version) > kLastMinorWithV2Store) return std::nullopt;
  return *std::move(view);
}

void PutMembers(const membership::View& view, const std::vector<std::string>& old_keys,
                engine::WriteBatch& batch) {
  for (const std::string& key : old_keys) batch.Delete(Family::kMeta, key);
  const auto put = [&](std::string_view bucket, const std::string& key, std::string value) {
    batch.Put(Family::kMeta, engine::MetaKey(bucket, key), std::move(value));
  };
  for (const auto& [id, member] : view.members) {
    put(engine::kBucketMembers, base::FormatHex(id.value()), membership::EncodeMember(member));
  }
  for (const MemberId id : view.removed) {
    put(engine::kBucketMembersRemoved, base::FormatHex(id.value()), "removed");
  }
  if (!view.cluster_version.empty()) {
    put(engine::kBucketCluster, "clusterVersion", view.cluster_version);
  }
}

// The received database as new content of the engine, ready for Commit.
absl::StatusOr<std::unique_ptr<RevisionProbe>> Prepare(const MemberOptions& options,
                                                       const MemberPorts& ports,
                                                       const raft::SnapshotMetadata& metadata) {
  ASSIGN_OR_RETURN(auto replacement, ports.engine.StartReplacement());
  auto content = std::make_unique<RevisionProbe>(std::move(replacement));
  const std::string path = SnapDbPath(options.snap_dir, metadata.index);
  ASSIGN_OR_RETURN(const image::ImageInfo info,
                   image::ImportImage(ports.file_system, path, *content));
  if (info.consistent_index > metadata.index) {
    return base::DataLoss(path + " is newer than its snapshot");
  }
  // 3.4 does not count entries without effect on the key space.
  engine::WriteBatch batch;
  batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaConsistentIndex),
            Number(metadata.index.value()));
  batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaTerm),
            Number(metadata.term.value()));
  // The other members have it, and a later start must not have to derive it (etcd issue 17780).
  batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaCurrentRevision),
            Number(static_cast<std::uint64_t>(content->current().value())));
  if (const auto view = MembersOfOldVersion(options, ports, metadata); view.has_value()) {
    PutMembers(*view, content->member_keys(), batch);
  }
  RETURN_IF_ERROR(content->Write(batch));
  return content;
}

absl::Status TryInstall(Shared& shared, ApplyLoop& apply, const raft::SnapshotMetadata& metadata) {
  FAILPOINT("applyBeforeOpenSnapshot");
  ASSIGN_OR_RETURN(const auto content, Prepare(shared.options, shared.ports, metadata));
  FAILPOINT("applyAfterOpenSnapshot");
  FAILPOINT("raftBeforeApplySnap");
  RETURN_IF_ERROR(shared.store->Replace(content->compacted(), [&] { return content->Commit(); }));
  FAILPOINT("raftAfterApplySnap");
  RETURN_IF_ERROR(LoadBesideStore(shared));
  return apply.Reload(metadata.index);
}

bool HasAuthEnabled(const engine::KvEngine& engine) {
  const auto stored =
      engine.Get(Family::kMeta, engine::MetaKey(engine::kBucketAuth, "authEnabled"));
  return stored.ok() && *stored == "\x01";
}

// Removed unless it was finished.
class ImageSink final : public ports::SnapshotSink {
 public:
  ImageSink(Shared& shared, raft::Message message, absl::AnyInvocable<void(raft::Message)> deliver)
      : shared_(shared),
        file_system_(shared.ports.file_system),
        dir_(shared.options.snap_dir),
        message_(std::move(message)),
        deliver_(std::move(deliver)) {}
  ~ImageSink() override {
    if (file_ == nullptr) return;
    file_.reset();
    base::IgnoreError(file_system_.Remove(temporary_), "the next start removes it");
  }

  absl::Status Open() {
    // Several may come at once, of the same index too.
    const std::uint64_t index = message_.snapshot.metadata.index.value();
    for (int number = 1;; ++number) {
      temporary_ = fmt::format("{}/tmp-{:016x}-{}.snap.db", dir_, index, number);
      auto file = file_system_.Open(temporary_, base::OpenMode::kCreateExclusive);
      if (file.status().code() == absl::StatusCode::kAlreadyExists) continue;
      RETURN_IF_ERROR(file.status());
      file_ = *std::move(file);
      return absl::OkStatus();
    }
  }

  absl::Status Write(std::span<const char> bytes) override {
    RETURN_IF_ERROR(file_->WriteAt(size_, {bytes.data(), bytes.size()}));
    size_ += bytes.size();
    unsynced_ += bytes.size();
    if (unsynced_ < kSyncBytes) return absl::OkStatus();
    unsynced_ = 0;
    return file_->Sync();
  }

  absl::Status Finish() override {
    const Index index = message_.snapshot.metadata.index;
    RETURN_IF_ERROR(file_->Sync());
    ASSIGN_OR_RETURN(const image::ImageInfo info, image::VerifyImage(file_system_, temporary_));
    if (info.consistent_index > index) {
      return base::DataLoss("the database is newer than its snapshot");
    }
    RETURN_IF_ERROR(CheckAuth(info));
    RETURN_IF_ERROR(file_system_.Rename(temporary_, SnapDbPath(dir_, index)));
    file_.reset();
    RETURN_IF_ERROR(file_system_.SyncDir(dir_));
    deliver_(std::move(message_));
    return absl::OkStatus();
  }

 private:
  absl::Status CheckAuth(const image::ImageInfo& info) {
    if (!info.auth_enabled || HasAuthEnabled(shared_.ports.engine)) return absl::OkStatus();
    const absl::Status status =
        base::MakeStatus(absl::StatusCode::kFailedPrecondition,
                         "authentication is enabled in it, which this etcd does not have yet: a "
                         "cluster that uses it cannot have members of this kind");
    shared_.Halt("refused a database snapshot", status);
    return status;
  }

  Shared& shared_;
  base::FileSystem& file_system_;
  const std::string dir_;
  raft::Message message_;
  absl::AnyInvocable<void(raft::Message)> deliver_;
  std::string temporary_;
  std::unique_ptr<base::File> file_;  // null before Open and after Finish
  std::uint64_t size_ = 0;
  std::uint64_t unsynced_ = 0;  // bytes at most; more only within one Write
};

}  // namespace

std::string SnapDbPath(const std::string& dir, Index index) {
  return fmt::format("{}/{:016x}.snap.db", dir, index.value());
}

absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> ReceiveImage(
    Shared& shared, raft::Message message, absl::AnyInvocable<void(raft::Message)> deliver) {
  auto sink = std::make_unique<ImageSink>(shared, std::move(message), std::move(deliver));
  RETURN_IF_ERROR(sink->Open());
  return std::unique_ptr<ports::SnapshotSink>(std::move(sink));
}

bool Install(Shared& shared, ApplyLoop& apply, const raft::SnapshotMetadata& metadata) {
  LOG_INFO("applying snapshot", {"incoming-leader-snapshot-index", metadata.index},
           {"incoming-leader-snapshot-term", metadata.term});
  const absl::Status status = TryInstall(shared, apply, metadata);
  if (status.ok()) {
    LOG_INFO("applied snapshot", {"incoming-leader-snapshot-index", metadata.index});
    return true;
  }
  if (status.code() == absl::StatusCode::kResourceExhausted) return false;
  shared.Halt("failed to install a snapshot", status);
  return false;
}

absl::Status InstallPending(const MemberOptions& options, const MemberPorts& ports) {
  if (!wal::Exists(ports.file_system, options.wal_dir)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::uint64_t index,
                   engine::ReadMetaNumber(ports.engine, engine::kMetaConsistentIndex));
  const Index applied(index);
  ASSIGN_OR_RETURN(const auto recorded, wal::ValidSnapshots(ports.file_system, options.wal_dir));
  const raftcodec::WalSnapshot* newest = nullptr;
  for (const raftcodec::WalSnapshot& snapshot : recorded) {
    if (newest == nullptr || snapshot.index > newest->index) newest = &snapshot;
  }
  Index installed = applied;
  if (newest != nullptr && newest->index > applied &&
      ports.file_system.Exists(SnapDbPath(options.snap_dir, newest->index))) {
    LOG_INFO("installing a snapshot that was received before", {"snapshot-index", newest->index},
             {"applied-index", applied});
    raft::SnapshotMetadata metadata;
    metadata.index = newest->index;
    metadata.term = newest->term;
    ASSIGN_OR_RETURN(const auto content, Prepare(options, ports, metadata));
    // The record that it stands on may be from a process that was killed before its sync.
    RETURN_IF_ERROR(wal::SyncTail(ports.file_system, options.wal_dir));
    RETURN_IF_ERROR(content->Commit());
    installed = newest->index;
  }
  snap::Snapshotter snapshotter(ports.file_system, options.snap_dir);
  RETURN_IF_ERROR(snapshotter.Prepare());
  return snapshotter.ReleaseSnapDbs(installed + 1);
}

absl::Status LoadBesideStore(Shared& shared) {
  RETURN_IF_ERROR(shared.lessor->Load(shared.ports.engine));
  RETURN_IF_ERROR(shared.store->ForEachLeasedKey([&](std::string_view key, LeaseId lease) {
    if (const absl::Status status = shared.lessor->Attach(lease, key); !status.ok()) {
      LOG_WARN("a key names a lease that does not exist", {"lease-id", lease});
    }
  }));
  shared.lessor->Publish();
  RETURN_IF_ERROR(shared.cluster.Load(shared.ports.engine));
  RETURN_IF_ERROR(shared.alarms.Load(shared.ports.engine));
  shared.quota.SetUsed(shared.ports.engine.Size().total);
  return absl::OkStatus();
}

}  // namespace etcd::node
