#include "server/main/go_import.h"

#include <fcntl.h>
#include <map>
#include <optional>
#include <string>
#include <sys/file.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/base/bytes.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/image/import.h"
#include "server/main/go_log.h"
#include "server/membership/member.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/rocks_engine.h"

namespace etcd::server {
namespace {

using engine::Family;

constexpr const char* kMark = ".imported";

absl::Status Refuse(const std::string& message) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, message);
}

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

// 3.4 and 3.5 believe the v2 store and only copy it to the backend, where members may be missing or
// left over (etcd issues 19557, 20995). What the backend has of a member is newer all the same.
absl::Status RepairMembership(const GoMembership& truth, engine::KvEngine& engine) {
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

// The database that counts, and where the member is with it.
struct Source {
  std::string path;
  image::ImageInfo info;
  std::optional<raft::SnapshotMetadata> received;  // a leader's, never installed: the state is this
  Index applied() const { return received ? received->index : info.consistent_index; }
};

// Go's rule (raft-peer-storage.md 6.4): a member that was killed between the snapshot record of a
// received database and its renaming goes on from that database.
absl::StatusOr<Source> FindSource(base::FileSystem& file_system, const DataDir& dir,
                                  const GoLog& log) {
  Source source;
  source.path = dir.snap() + "/db";
  ASSIGN_OR_RETURN(source.info, image::PeekImage(file_system, source.path));
  if (log.from.index <= source.info.consistent_index) return source;
  const std::string received =
      fmt::format("{}/{:016x}.snap.db", dir.snap(), log.from.index.value());
  if (!file_system.Exists(received)) return source;
  source.path = received;
  source.received = log.from;
  ASSIGN_OR_RETURN(source.info, image::PeekImage(file_system, received));
  return source;
}

// Of what this server could not go on with, nothing is imported.
absl::Status CheckSource(const Source& source, const GoLog& log) {
  RETURN_IF_ERROR(image::CheckVersions(source.path, source.info));
  if (NeedsAuth(log, source.applied())) {
    return Refuse(source.path +
                  " does not hold all of its log, and the rest needs authentication, "
                  "which this etcd does not have yet: start Go's etcd once more and "
                  "stop it with SIGTERM");
  }
  if (source.info.auth_enabled) {
    LOG_WARN(
        "authentication is enabled in the imported data, and this server does not check "
        "permissions yet: everybody who reaches it may read and write");
  }
  return absl::OkStatus();
}

// 3.4 does not count entries without effect on the key space.
absl::Status SetIndex(const raft::SnapshotMetadata& at, engine::KvEngine& engine) {
  engine::WriteBatch batch;
  const auto put = [&](std::string_view key, std::uint64_t value) {
    std::string bytes;
    base::AppendBigEndian64(bytes, value);
    batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, key), std::move(bytes));
  };
  put(engine::kMetaConsistentIndex, at.index.value());
  put(engine::kMetaTerm, at.term.value());
  return engine.Write(batch);
}

absl::Status Build(base::FileSystem& file_system, const DataDir& dir, const std::string& path) {
  ASSIGN_OR_RETURN(GoLog log, ReadGoLog(file_system, dir));
  ASSIGN_OR_RETURN(const Source source, FindSource(file_system, dir, log));
  RETURN_IF_ERROR(CheckSource(source, log));
  GoMembership truth;  // empty: what the backend has is right
  if (source.info.storage_version.empty()) {
    ASSIGN_OR_RETURN(truth, MembershipAt(log, source.applied()));
  }
  log = GoLog();  // many megabytes
  ASSIGN_OR_RETURN(const auto engine, engine::OpenRocksEngine(path, {}));
  ASSIGN_OR_RETURN(const image::ImageInfo info,
                   image::InstallImage(file_system, source.path, *engine));
  if (source.received) RETURN_IF_ERROR(SetIndex(*source.received, *engine));
  if (!truth.members.empty()) RETURN_IF_ERROR(RepairMembership(truth, *engine));
  LOG_INFO("imported the backend of a Go etcd", {"path", source.path}, {"records", info.records},
           {"consistent-index", source.applied()});
  return engine->Flush();
}

// Received databases are kept like `db`: a start of ours would remove them, and Go's may need one.
absl::Status MarkReceived(base::FileSystem& file_system, const std::string& snap) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(snap));
  for (const std::string& name : names) {
    if (!name.ends_with(".snap.db")) continue;
    RETURN_IF_ERROR(file_system.Rename(snap + "/" + name, snap + "/" + name + kMark));
  }
  return file_system.SyncDir(snap);
}

}  // namespace

absl::Status ImportGoBackend(base::FileSystem& file_system, const DataDir& dir) {
  const std::string db = dir.snap() + "/db";
  const std::string building = dir.engine() + ".import";
  const std::string ready = dir.engine() + ".ready";
  const bool has_db = file_system.Exists(db);
  if (file_system.Exists(dir.engine())) {
    if (!has_db) return absl::OkStatus();
    return Refuse(
        fmt::format("{} is the database of a Go etcd, and {} is there too; remove the "
                    "one that is out of date",
                    db, dir.engine()));
  }
  if (has_db) {
    BboltLock lock(db);
    RETURN_IF_ERROR(lock.status());
    RETURN_IF_ERROR(file_system.RemoveAll(ready));  // of a database that went on since
    RETURN_IF_ERROR(file_system.RemoveAll(building));
    RETURN_IF_ERROR(Build(file_system, dir, building));
    RETURN_IF_ERROR(file_system.Rename(building, ready));
    RETURN_IF_ERROR(file_system.SyncDir(dir.member()));
    RETURN_IF_ERROR(file_system.Rename(db, db + kMark));
    RETURN_IF_ERROR(file_system.SyncDir(dir.snap()));
  }
  if (!file_system.Exists(ready)) return absl::OkStatus();
  RETURN_IF_ERROR(MarkReceived(file_system, dir.snap()));
  RETURN_IF_ERROR(file_system.Rename(ready, dir.engine()));
  return file_system.SyncDir(dir.member());
}

}  // namespace etcd::server
