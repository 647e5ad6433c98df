#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What versions mean to a member (raft-peer-storage.md 9). "3.6.16" is a server version, "3.6.0" a
// cluster version. Pure.
namespace etcd::node {

// Our own field of GET /version on the peer port: the version that the member really is. Go's
// members ignore it.
inline constexpr const char* kTrueVersionKey = "server";

// The minor of "3.<minor>.<patch>"; -1 when it has another shape.
int MinorOf(std::string_view version);

// "3.<minor>.0".
std::string ClusterVersionOf(int minor);

// The oldest level that members of this kind work in. Lower cluster versions mean that the leader
// could not ask everybody yet (etcd then says 3.0.0).
inline constexpr int kOldestMinor = 4;
// Whose members understand requests about the cluster (ClusterVersionSet and its like).
inline constexpr int kFirstMinorWithRequests = 5;

// What a member of version `own` says it is in a cluster of `cluster_version` ("": not decided):
// never above the cluster's minor, so that members of that level accept it and the leader does not
// raise the level while the way back must stay open (9.3).
std::string ReportedVersionOf(const std::string& own, std::string_view cluster_version);

// What one member could do, as the leader heard it.
struct MemberVersion {
  std::string version;   // "3.6.16"; of our own kind what it really is, not what it reports
  bool is_ours = false;  // the member said so
};

// Of all members of a cluster: 3.<minor>.
struct VersionSpan {
  int oldest_minor = 0;
  int newest_foreign_minor = 0;  // of Go's; 0: there are none
};

// nullopt unless every one is known.
std::optional<VersionSpan> SpanOf(const std::vector<std::optional<MemberVersion>>& members);

struct VersionState {
  std::string current = {};           // cluster version; "": none yet
  std::string downgrade_target = {};  // "3.5.0" while a downgrade is under way
  bool hold = false;                  // --hold-cluster-version
};

struct VersionDecision {
  std::string version;             // to be set; "": leave it
  bool all_know_requests = false;  // every member understands ClusterVersionSet (3.5 and later)
  bool cancel_downgrade = false;   // every member runs the target version
};

// The leader's decision (9.1, 9.4). `members` holds every member, nullopt where it did not answer.
// A cluster that was born older rises one minor at a time, since its members change what they write
// with each step.
VersionDecision DecideVersion(const VersionState& state,
                              const std::vector<std::optional<MemberVersion>>& members);

}  // namespace etcd::node
