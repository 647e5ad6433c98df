#include "server/node/boot.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/membership/member.h"
#include "server/node/force_new_cluster.h"
#include "server/node/joined.h"
#include "server/raftcodec/walpb.h"
#include "server/wal/new_cluster.h"

namespace etcd::node {
namespace {

wal::Options WalOptions(const MemberOptions& options, const MemberPorts& ports) {
  return {.segment_bytes = options.wal_segment_bytes,
          .observer = ports.wal_observer,
          .clock = &ports.raft.clock()};
}

// The members of --initial-cluster with their ids, ascending.
absl::StatusOr<std::vector<membership::Member>> InitialMembers(const MemberOptions& options) {
  std::map<std::string, std::vector<std::string>> urls;
  for (const InitialMember& initial : options.initial_cluster) {
    urls[initial.name] = initial.peer_urls;
  }
  if (urls.contains(options.name)) return wal::NewMembers(urls, options.cluster_token);
  return base::MakeStatus(
      absl::StatusCode::kInvalidArgument,
      "couldn't find local name \"" + options.name + "\" in the initial cluster configuration");
}

absl::Status WriteBootstrap(const std::vector<membership::Member>& members, Boot& boot) {
  boot.raft.entries = wal::NewClusterEntries(members);
  boot.raft.hard_state = {Term(1), MemberId(), Index(boot.raft.entries.size())};
  return boot.wal->Save(boot.raft.hard_state, boot.raft.entries);
}

absl::StatusOr<Boot> NewCluster(const MemberOptions& options, const MemberPorts& ports, Boot boot) {
  ASSIGN_OR_RETURN(const std::vector<membership::Member> members, InitialMembers(options));
  std::vector<MemberId> ids;
  for (const membership::Member& member : members) {
    ids.push_back(member.id);
    if (member.name == options.name) boot.id = member.id;
  }
  boot.cluster_id = membership::MakeClusterId(ids);
  const std::string metadata = raftcodec::EncodeWalMetadata({boot.id, boot.cluster_id});
  ASSIGN_OR_RETURN(boot.wal, wal::Wal::Create(ports.file_system, options.wal_dir, metadata,
                                              WalOptions(options, ports)));
  RETURN_IF_ERROR(WriteBootstrap(members, boot));
  LOG_INFO("starting a new cluster", {"local-member-id", base::FormatHex(boot.id.value())},
           {"cluster-id", base::FormatHex(boot.cluster_id.value())});
  return boot;
}

// A crash between the creation of the log and its first write leaves no hard state: the bootstrap
// is written again, the same as before.
absl::Status FinishBootstrap(const MemberOptions& options, Boot& boot) {
  ASSIGN_OR_RETURN(const std::vector<membership::Member> members, InitialMembers(options));
  const bool has_self =
      std::any_of(members.begin(), members.end(), [&](const auto& m) { return m.id == boot.id; });
  if (!has_self) return base::DataLoss("the log is empty and of another member");
  return WriteBootstrap(members, boot);
}

absl::Status CheckTogether(const Boot& boot, Index applied) {
  const Index last =
      boot.raft.entries.empty() ? boot.raft.snapshot.index : boot.raft.entries.back().index;
  if (applied < boot.raft.snapshot.index) {
    return base::DataLoss("the backend (index " + std::to_string(applied.value()) +
                          ") is older than the snapshot (index " +
                          std::to_string(boot.raft.snapshot.index.value()) + ")");
  }
  if (boot.raft.hard_state.commit > last) {
    return base::DataLoss("the log ends at index " + std::to_string(last.value()) +
                          ", before its commit index " +
                          std::to_string(boot.raft.hard_state.commit.value()));
  }
  if (applied > last) {
    return base::DataLoss("the log ends at index " + std::to_string(last.value()) +
                          ", before what the backend holds (index " +
                          std::to_string(applied.value()) + ")");
  }
  return absl::OkStatus();
}

// A member that was added to a running cluster: it learns everything, its configuration too, from
// the leader.
absl::StatusOr<Boot> Join(const MemberOptions& options, const MemberPorts& ports, Boot boot) {
  boot.id = options.joins->own_id;
  boot.cluster_id = options.joins->id;
  // First: a log without it would be that of a member without peers.
  RETURN_IF_ERROR(SaveJoined(ports.file_system, options.snap_dir, *options.joins));
  const std::string metadata = raftcodec::EncodeWalMetadata({boot.id, boot.cluster_id});
  ASSIGN_OR_RETURN(boot.wal, wal::Wal::Create(ports.file_system, options.wal_dir, metadata,
                                              WalOptions(options, ports)));
  LOG_INFO("joining an existing cluster", {"local-member-id", base::FormatHex(boot.id.value())},
           {"cluster-id", base::FormatHex(boot.cluster_id.value())});
  return boot;
}

absl::Status Force(Boot& boot) {
  ForcedLog forced = ForceSingleVoter(boot.id, boot.raft.conf_state, boot.raft.applied,
                                      boot.raft.hard_state, boot.raft.entries);
  LOG_INFO("forcing restart member", {"local-member-id", base::FormatHex(boot.id.value())},
           {"cluster-id", base::FormatHex(boot.cluster_id.value())},
           {"commit-index", forced.hard_state.commit}, {"changes", forced.added.size()});
  RETURN_IF_ERROR(boot.wal->Save(forced.hard_state, forced.added));
  boot.raft.hard_state = forced.hard_state;
  for (raft::Entry& entry : forced.added) boot.raft.entries.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::StatusOr<Boot> Restart(const MemberOptions& options, const MemberPorts& ports, Index applied,
                             Boot boot) {
  ASSIGN_OR_RETURN(auto recorded, wal::ValidSnapshots(ports.file_system, options.wal_dir));
  // A received one whose database never was in force here (install.h); an older one will do.
  std::erase_if(recorded, [&](const auto& snapshot) { return snapshot.index > applied; });
  absl::StatusOr<raft::Snapshot> snapshot = boot.snapshotter->LoadNewestAvailable(recorded);
  if (snapshot.ok()) {
    boot.raft.snapshot = snapshot->metadata;
  } else if (snapshot.status().code() != absl::StatusCode::kNotFound) {
    return snapshot.status();
  }
  wal::Replay replay;
  ASSIGN_OR_RETURN(boot.wal,
                   wal::Wal::Open(ports.file_system, options.wal_dir, boot.raft.snapshot.index,
                                  boot.raft.snapshot.term, WalOptions(options, ports), replay));
  ASSIGN_OR_RETURN(const raftcodec::WalMetadata metadata,
                   raftcodec::DecodeWalMetadata(replay.metadata));
  boot.id = metadata.node_id;
  boot.cluster_id = metadata.cluster_id;
  boot.raft.hard_state = replay.hard_state;
  boot.raft.entries = std::move(replay.entries);
  ASSIGN_OR_RETURN(boot.joins, LoadJoined(ports.file_system, options.snap_dir));
  if (boot.joins.has_value() && boot.joins->own_id != boot.id) boot.joins.reset();
  const bool is_empty = boot.raft.hard_state.empty() && !boot.raft.snapshot.index;
  if (is_empty && !options.may_have_joined && !boot.joins.has_value()) {
    RETURN_IF_ERROR(FinishBootstrap(options, boot));
  }
  RETURN_IF_ERROR(CheckTogether(boot, applied));
  boot.raft.hard_state.commit = std::max(boot.raft.hard_state.commit, applied);
  if (options.force_new_cluster) RETURN_IF_ERROR(Force(boot));
  LOG_INFO("restarting local member", {"local-member-id", base::FormatHex(boot.id.value())},
           {"cluster-id", base::FormatHex(boot.cluster_id.value())},
           {"commit-index", boot.raft.hard_state.commit}, {"applied-index", applied},
           {"snapshot-index", boot.raft.snapshot.index});
  return boot;
}

}  // namespace

absl::StatusOr<Boot> BootFromDisk(const MemberOptions& options, const MemberPorts& ports,
                                  Index applied, const raft::ConfState& conf_state) {
  Boot boot;
  boot.snapshotter = std::make_unique<snap::Snapshotter>(
      ports.file_system, options.snap_dir,
      snap::Snapshotter::Options{.observer = ports.snap_observer, .clock = &ports.raft.clock()});
  RETURN_IF_ERROR(boot.snapshotter->Prepare());
  boot.raft.applied = applied;
  boot.raft.conf_state = conf_state;
  if (wal::Exists(ports.file_system, options.wal_dir)) {
    return Restart(options, ports, applied, std::move(boot));
  }
  if (applied) return base::DataLoss("the backend holds data, but there is no write-ahead log");
  if (options.joins.has_value()) return Join(options, ports, std::move(boot));
  return NewCluster(options, ports, std::move(boot));
}

}  // namespace etcd::node
