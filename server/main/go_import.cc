#include "server/main/go_import.h"

#include <fcntl.h>
#include <map>
#include <string>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/image/import.h"
#include "server/membership/member.h"
#include "server/raftcodec/raftpb.h"
#include "server/snap/snapshotter.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/v2store/document.h"
#include "server/wal/wal.h"

namespace etcd::server {
namespace {

using engine::Family;

// Who belongs to the cluster at the backend's consistent index, as a 3.4 or 3.5 sees it.
struct Membership {
  std::map<MemberId, std::string> members;  // JSON as in the members bucket
  std::map<MemberId, bool> removed;         // values without meaning
  std::string version;
};

// A running Go etcd holds its database with flock(2), which is not the kind of lock that it takes
// on its log (base::File::TryLock).
class BboltLock {
 public:
  explicit BboltLock(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    status_ = base::MakeStatus(absl::StatusCode::kUnavailable,
                               path + " is in use by another process, or cannot be opened");
  }
  ~BboltLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  BboltLock(const BboltLock&) = delete;
  BboltLock& operator=(const BboltLock&) = delete;
  const absl::Status& status() const { return status_; }

 private:
  const int fd_;
  absl::Status status_;
};

absl::Status AddFromDocument(std::string_view json, Membership& out) {
  ASSIGN_OR_RETURN(const v2store::Document document, v2store::Parse(json));
  for (const v2store::MemberNode& node : document.members) {
    ASSIGN_OR_RETURN(membership::Member member,
                     membership::DecodeRaftAttributes(node.raft_attributes));
    member.id = node.id;
    if (!node.attributes.empty()) {
      ASSIGN_OR_RETURN(const membership::Member published,
                       membership::DecodeAttributes(node.attributes));
      member.name = published.name;
      member.client_urls = published.client_urls;
    }
    out.members[node.id] = membership::EncodeMember(member);
  }
  for (const MemberId id : document.removed) out.removed[id] = true;
  out.version = document.version;
  return absl::OkStatus();
}

absl::Status AddChange(std::string_view data, Membership& out) {
  ASSIGN_OR_RETURN(const raft::ConfChange change, raftcodec::DecodeConfChange(data));
  if (change.type == raft::ConfChangeType::kRemoveNode) {
    out.members.erase(change.node_id);
    out.removed[change.node_id] = true;
    return absl::OkStatus();
  }
  const auto context = membership::DecodeMember(change.context);
  // One that its own cluster refused has no effect: unknown or removed members, empty contexts.
  if (!context.ok() || out.removed.contains(change.node_id)) return absl::OkStatus();
  if (!context->is_promote) out.members[change.node_id] = membership::EncodeMember(context->member);
  return absl::OkStatus();
}

// The v2 store of the newest .snap, and what the log changed between it and the backend.
absl::StatusOr<Membership> ReadMembership(base::FileSystem& file_system, const DataDir& dir,
                                          Index applied) {
  Membership out;
  if (!wal::Exists(file_system, dir.wal())) return out;
  ASSIGN_OR_RETURN(const auto recorded, wal::ValidSnapshots(file_system, dir.wal()));
  snap::Snapshotter snapshotter(file_system, dir.snap());
  const absl::StatusOr<raft::Snapshot> snapshot = snapshotter.LoadNewestAvailable(recorded);
  raft::SnapshotMetadata from;
  if (snapshot.ok()) {
    RETURN_IF_ERROR(AddFromDocument(snapshot->data, out));
    from = snapshot->metadata;
  } else if (snapshot.status().code() != absl::StatusCode::kNotFound) {
    return snapshot.status();
  }
  wal::Replay replay;
  RETURN_IF_ERROR(
      wal::Wal::Open(file_system, dir.wal(), from.index, from.term, {}, replay).status());
  for (const raft::Entry& entry : replay.entries) {
    if (entry.index > applied || entry.type != raft::EntryType::kConfChange) continue;
    RETURN_IF_ERROR(AddChange(entry.data, out));
  }
  return out;
}

// 3.4 and 3.5 believe the v2 store and only copy it to the backend, where members may be missing or
// left over (etcd issues 19557, 20995). What the backend has of a member is newer all the same.
absl::Status RepairMembership(const Membership& truth, engine::KvEngine& engine) {
  engine::WriteBatch batch;
  std::map<MemberId, std::string> missing = truth.members;
  const auto it = engine.Scan(Family::kMeta, engine::BucketBegin(engine::kBucketMembers),
                              engine::BucketEnd(engine::kBucketMembers));
  for (; it->Valid(); it->Next()) {
    const auto member = membership::DecodeMember(it->value());
    if (!member.ok()) return member.status();
    if (missing.erase(member->member.id) == 0) {
      batch.Delete(Family::kMeta, std::string(it->key()));
    }
  }
  RETURN_IF_ERROR(it->status());
  for (const auto& [id, json] : missing) {
    batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMembers, base::FormatHex(id.value())),
              json);
  }
  for (const auto& [id, unused] : truth.removed) {
    batch.Put(Family::kMeta,
              engine::MetaKey(engine::kBucketMembersRemoved, base::FormatHex(id.value())),
              "removed");
  }
  const std::string version = engine::MetaKey(engine::kBucketCluster, "clusterVersion");
  ASSIGN_OR_RETURN(const auto stored, engine.Get(Family::kMeta, version));
  if (!stored && !truth.version.empty()) batch.Put(Family::kMeta, version, truth.version);
  return engine.Write(batch);
}

absl::Status Build(base::FileSystem& file_system, const DataDir& dir, const std::string& path) {
  ASSIGN_OR_RETURN(const auto engine, engine::OpenRocksEngine(path, {}));
  ASSIGN_OR_RETURN(const image::ImageInfo info,
                   image::InstallImage(file_system, dir.snap() + "/db", *engine));
  ASSIGN_OR_RETURN(const auto storage_version,
                   engine->Get(Family::kMeta,
                               engine::MetaKey(engine::kBucketMeta, engine::kMetaStorageVersion)));
  if (!storage_version) {
    ASSIGN_OR_RETURN(const Membership truth,
                     ReadMembership(file_system, dir, info.consistent_index));
    if (!truth.members.empty()) RETURN_IF_ERROR(RepairMembership(truth, *engine));
  }
  LOG_INFO("imported the backend of a Go etcd", {"records", info.records},
           {"consistent-index", info.consistent_index});
  return engine->Flush();
}

}  // namespace

absl::Status ImportGoBackend(base::FileSystem& file_system, const DataDir& dir) {
  const std::string db = dir.snap() + "/db";
  const std::string building = dir.engine() + ".import";
  const std::string ready = dir.engine() + ".ready";
  const std::string member = dir.member();
  const bool has_db = file_system.Exists(db);
  if (file_system.Exists(dir.engine())) {
    if (!has_db) return absl::OkStatus();
    return base::MakeStatus(
        absl::StatusCode::kFailedPrecondition,
        fmt::format("{} is the database of a Go etcd, and {} is there too; remove the one that is "
                    "out of date",
                    db, dir.engine()));
  }
  if (has_db) {
    BboltLock lock(db);
    RETURN_IF_ERROR(lock.status());
    RETURN_IF_ERROR(file_system.RemoveAll(ready));  // of a database that went on since
    RETURN_IF_ERROR(file_system.RemoveAll(building));
    RETURN_IF_ERROR(Build(file_system, dir, building));
    RETURN_IF_ERROR(file_system.Rename(building, ready));
    RETURN_IF_ERROR(file_system.SyncDir(member));
    RETURN_IF_ERROR(file_system.Rename(db, db + ".imported"));
    RETURN_IF_ERROR(file_system.SyncDir(dir.snap()));
  }
  if (!file_system.Exists(ready)) return absl::OkStatus();
  RETURN_IF_ERROR(file_system.Rename(ready, dir.engine()));
  return file_system.SyncDir(member);
}

}  // namespace etcd::server
