#include "server/node/versions.h"

#include <algorithm>
#include <limits>

#include "server/base/etcd_version.h"

namespace etcd::node {
namespace {

constexpr std::string_view kMajor = "3.";
// The highest patch of a series: nothing that asks for a fixed patch is refused.
constexpr std::string_view kPatch = ".99";

// The lowest minor; -1 when a member did not answer.
int LowestMinor(const std::vector<std::optional<MemberVersion>>& members) {
  int lowest = std::numeric_limits<int>::max();
  for (const auto& member : members) {
    lowest = std::min(lowest, member.has_value() ? MinorOf(member->version) : -1);
  }
  return members.empty() ? -1 : lowest;
}

bool AllRun(int minor, const std::vector<std::optional<MemberVersion>>& members) {
  return std::all_of(members.begin(), members.end(), [&](const auto& member) {
    return member.has_value() && MinorOf(member->version) == minor;
  });
}

VersionDecision Downgrading(const VersionState& state, int lowest,
                            const std::vector<std::optional<MemberVersion>>& members) {
  VersionDecision out;
  const int target = MinorOf(state.downgrade_target);
  if (AllRun(target, members)) {
    out.cancel_downgrade = true;
  } else if (MinorOf(state.current) == target + 1 && lowest == target + 1) {
    out.version = state.downgrade_target;
    out.all_know_requests = true;
  }
  return out;
}

}  // namespace

int MinorOf(std::string_view version) { return base::MinorOf(version); }

std::string ClusterVersionOf(int minor) {
  return std::string(kMajor) + std::to_string(minor) + ".0";
}

std::string ReportedVersionOf(const std::string& own, std::string_view cluster_version) {
  const int cluster_minor = MinorOf(cluster_version);
  if (cluster_minor < kOldestMinor || cluster_minor >= MinorOf(own)) return own;
  return std::string(kMajor) + std::to_string(cluster_minor) + std::string(kPatch);
}

std::optional<VersionSpan> SpanOf(const std::vector<std::optional<MemberVersion>>& members) {
  VersionSpan span;
  span.oldest_minor = LowestMinor(members);
  if (span.oldest_minor < 0) return std::nullopt;
  for (const auto& member : members) {
    if (member->is_ours) continue;
    span.newest_foreign_minor = std::max(span.newest_foreign_minor, MinorOf(member->version));
  }
  return span;
}

VersionDecision DecideVersion(const VersionState& state,
                              const std::vector<std::optional<MemberVersion>>& members) {
  const int lowest = LowestMinor(members);
  const int current = MinorOf(state.current);
  if (!state.downgrade_target.empty()) return Downgrading(state, lowest, members);
  VersionDecision out;
  if (lowest < 0) {
    if (current < 0) out.version = ClusterVersionOf(0);
    return out;
  }
  const bool is_decided = current >= kOldestMinor;
  if (lowest <= current || (is_decided && state.hold)) return out;
  out.version = ClusterVersionOf(is_decided ? current + 1 : lowest);
  out.all_know_requests = lowest >= kFirstMinorWithRequests;
  return out;
}

}  // namespace etcd::node
