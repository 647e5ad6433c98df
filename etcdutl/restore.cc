#include "etcdutl/restore.h"

#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "etcdutl/restore_place.h"
#include "etcdutl/snapshot_file.h"
#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/config/new_cluster.h"
#include "server/image/import.h"
#include "server/image/v2_document.h"
#include "server/membership/cluster.h"
#include "server/raftcodec/walpb.h"
#include "server/snap/snapshotter.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/storage/mvcc/rev_record.h"
#include "server/storage/mvcc/revision_key.h"
#include "server/wal/new_cluster.h"
#include "server/wal/wal.h"

namespace etcd::etcdutl {
namespace {

using engine::Family;

constexpr Term kTerm(1);  // of the entries that add the members

// The new cluster, as each of its members sees it.
struct NewCluster {
  std::vector<membership::Member> members;  // ascending by id
  MemberId own_id;
  ClusterId id;
  Index index() const { return Index(members.size()); }
  raft::ConfState conf_state() const {
    raft::ConfState state;
    for (const membership::Member& member : members) state.voters.push_back(member.id);
    return state;
  }
};

absl::StatusOr<NewCluster> ReadCluster(const RestoreOptions& options) {
  ASSIGN_OR_RETURN(const config::PeerUrlsByName urls,
                   config::ReadNewCluster(options.name, options.initial_cluster,
                                          options.initial_advertise_peer_urls));
  NewCluster cluster;
  cluster.members = wal::NewMembers(urls, options.initial_cluster_token);
  std::vector<MemberId> ids;
  for (const membership::Member& member : cluster.members) {
    ids.push_back(member.id);
    if (member.name == options.name) cluster.own_id = member.id;
  }
  cluster.id = membership::MakeClusterId(ids);
  return cluster;
}

// ---- The engine.

std::string Number(std::uint64_t value) {
  std::string out;
  base::AppendBigEndian64(out, value);
  return out;
}

absl::Status ClearBucket(const engine::KvEngine& engine, std::string_view bucket,
                         engine::WriteBatch& batch) {
  const auto it =
      engine.Scan(Family::kMeta, engine::BucketBegin(bucket), engine::BucketEnd(bucket));
  for (; it->Valid(); it->Next()) batch.Delete(Family::kMeta, std::string(it->key()));
  return it->status();
}

// The source's members are strangers, and its raft index means nothing in the new log.
absl::Status ReplaceMembers(const NewCluster& cluster, engine::KvEngine& engine) {
  engine::WriteBatch batch;
  RETURN_IF_ERROR(ClearBucket(engine, engine::kBucketMembers, batch));
  RETURN_IF_ERROR(ClearBucket(engine, engine::kBucketMembersRemoved, batch));
  const auto put = [&](std::string_view bucket, std::string_view key, std::string value) {
    batch.Put(Family::kMeta, engine::MetaKey(bucket, key), std::move(value));
  };
  for (const membership::Member& member : cluster.members) {
    put(engine::kBucketMembers, base::FormatHex(member.id.value()),
        membership::EncodeMember(member));
  }
  put(engine::kBucketMeta, engine::kMetaConsistentIndex, Number(cluster.index().value()));
  put(engine::kBucketMeta, engine::kMetaTerm, Number(kTerm.value()));
  // etcd leaves the source's here and does not read it; other readers should not find strangers.
  put(engine::kBucketMeta, engine::kMetaConfState,
      membership::EncodeConfState(cluster.conf_state()));
  return engine.Write(batch);
}

// An empty record raises the revision; the mark makes the server compact up to it at its start.
absl::StatusOr<Revision> Bump(Revision last, std::uint64_t by, engine::KvEngine& engine) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (by >= kMax - static_cast<std::uint64_t>(last.value())) {
    return base::MakeStatus(
        absl::StatusCode::kInvalidArgument,
        fmt::format("--bump-revision {} does not leave room after revision {}", by, last.value()));
  }
  const Revision bumped(last.value() + static_cast<std::int64_t>(by));
  const mvcc::RevisionKey key({.main = bumped, .sub = 0});
  engine::WriteBatch batch;
  if (!mvcc::AppendImportedRecord(batch, key.view(), "")) {
    return base::DataLoss("an empty record is not understood");
  }
  batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMeta, engine::kMetaScheduledCompactRev),
            std::string(key.view()));
  RETURN_IF_ERROR(engine.Write(batch));
  return bumped;
}

absl::Status BuildEngine(base::FileSystem& file_system, const RestoreOptions& options,
                         const NewCluster& cluster, const std::string& path,
                         RestoreReport& report) {
  ASSIGN_OR_RETURN(const auto engine, engine::OpenRocksEngine(path, {}));
  ASSIGN_OR_RETURN(const image::ImageInfo info,
                   image::InstallImage(file_system, options.snapshot_path, *engine));
  report.records = info.records;
  report.auth_enabled = info.auth_enabled;
  RETURN_IF_ERROR(ReplaceMembers(cluster, *engine));
  report.revision = info.last_revision;
  if (options.bump_revision > 0) {
    ASSIGN_OR_RETURN(report.revision, Bump(report.revision, options.bump_revision, *engine));
  }
  return engine->Flush();
}

// ---- Log and .snap.

absl::Status BuildLog(base::FileSystem& file_system, const NewCluster& cluster,
                      const RestorePlace& place) {
  raft::Snapshot snapshot;
  snapshot.metadata = {cluster.conf_state(), cluster.index(), kTerm};
  membership::View view;
  for (const membership::Member& member : cluster.members) view.members[member.id] = member;
  snapshot.data = image::RenderV2Document(view);
  RETURN_IF_ERROR(snap::Snapshotter(file_system, place.snap()).Save(snapshot));

  const std::string metadata = raftcodec::EncodeWalMetadata({cluster.own_id, cluster.id});
  ASSIGN_OR_RETURN(const auto log, wal::Wal::Create(file_system, place.wal(), metadata, {}));
  // Each member writes the same vote, so that no two of them can lead in this term.
  const raft::HardState state{kTerm, cluster.members.front().id, cluster.index()};
  RETURN_IF_ERROR(log->Save(state, wal::NewClusterEntries(cluster.members)));
  return log->SaveSnapshot(cluster.index(), kTerm, snapshot.metadata.conf_state);
}

absl::Status CheckOptions(const RestoreOptions& options) {
  if (options.mark_compacted == (options.bump_revision > 0)) return absl::OkStatus();
  return base::MakeStatus(absl::StatusCode::kInvalidArgument,
                          "--mark-compacted required if --revision-bump > 0");
}

}  // namespace

absl::StatusOr<RestoreReport> RestoreSnapshot(base::FileSystem& file_system,
                                              const RestoreOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(const NewCluster cluster, ReadCluster(options));
  const std::string data_dir = options.data_dir.empty() ? options.name + ".etcd" : options.data_dir;
  ASSIGN_OR_RETURN(const auto place, RestorePlace::Take(file_system, data_dir, options.wal_dir));
  if (!options.skip_hash_check) RETURN_IF_ERROR(VerifyDigest(file_system, options.snapshot_path));
  ASSIGN_OR_RETURN(const image::ImageInfo info,
                   image::PeekImage(file_system, options.snapshot_path));
  RETURN_IF_ERROR(image::CheckVersions(options.snapshot_path, info));

  RestoreReport report;
  report.member_id = cluster.own_id;
  report.cluster_id = cluster.id;
  RETURN_IF_ERROR(BuildEngine(file_system, options, cluster, place->engine(), report));
  RETURN_IF_ERROR(BuildLog(file_system, cluster, *place));
  RETURN_IF_ERROR(place->Publish());
  return report;
}

}  // namespace etcd::etcdutl
