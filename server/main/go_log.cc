#include "server/main/go_log.h"

#include <algorithm>
#include <etcdserverpb/raft_internal.pb.h>

#include "server/apply/entry_check.h"
#include "server/base/status.h"
#include "server/image/v2_document.h"
#include "server/membership/member.h"
#include "server/raftcodec/raftpb.h"
#include "server/snap/snapshotter.h"
#include "server/wal/wal.h"

namespace etcd::server {
namespace {

absl::Status AddFromDocument(std::string_view json, GoMembership& out) {
  ASSIGN_OR_RETURN(const membership::View view, image::ParseV2Document(json));
  for (const auto& [id, member] : view.members) out.members[id] = membership::EncodeMember(member);
  for (const MemberId id : view.removed) out.removed[id] = true;
  out.version = view.cluster_version;
  return absl::OkStatus();
}

absl::Status AddChange(std::string_view data, GoMembership& out) {
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

}  // namespace

absl::StatusOr<GoLog> ReadGoLog(base::FileSystem& file_system, const DataDir& dir) {
  GoLog log;
  if (!wal::Exists(file_system, dir.wal())) return log;
  ASSIGN_OR_RETURN(const auto recorded, wal::ValidSnapshots(file_system, dir.wal()));
  snap::Snapshotter snapshotter(file_system, dir.snap());
  absl::StatusOr<raft::Snapshot> snapshot = snapshotter.LoadNewestAvailable(recorded);
  if (snapshot.ok()) {
    log.from = std::move(snapshot->metadata);
    log.document = std::move(snapshot->data);
  } else if (snapshot.status().code() != absl::StatusCode::kNotFound) {
    return snapshot.status();
  }
  ASSIGN_OR_RETURN(wal::Replay replay,
                   wal::ReadAll(file_system, dir.wal(), log.from.index, log.from.term));
  log.entries = std::move(replay.entries);
  return log;
}

absl::StatusOr<GoMembership> MembershipAt(const GoLog& log, Index applied) {
  GoMembership out;
  if (!log.document.empty()) RETURN_IF_ERROR(AddFromDocument(log.document, out));
  for (const raft::Entry& entry : log.entries) {
    if (entry.index > applied || entry.type != raft::EntryType::kConfChange) continue;
    RETURN_IF_ERROR(AddChange(entry.data, out));
  }
  return out;
}

bool NeedsAuth(const GoLog& log, Index applied) {
  return std::ranges::any_of(log.entries, [&](const raft::Entry& entry) {
    if (entry.index <= applied || entry.type != raft::EntryType::kNormal) return false;
    etcdserverpb::InternalRaftRequest request;
    const std::string_view bytes = entry.data;
    const bool is_request = request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    return is_request && apply::NeedsAuth(request);
  });
}

}  // namespace etcd::server
