#include "server/node/forwarded.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "server/apply/entry_check.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/versions.h"

namespace etcd::node {
namespace {

// Members may have been given other limits. Above this 3.4 could not read its log any more
// (reference raft-peer-storage.md 6.4); the rest is for the frame around it.
constexpr std::uint64_t kBytesMax = (10 << 20) - 4096;

VersionSpan SpanNow(const Shared& shared, const membership::View& view, int own_minor) {
  if (shared.heard_versions.has_value()) return *shared.heard_versions;
  const int minor = MinorOf(view.cluster_version);
  // Not decided: whoever comes first in a new cluster must be heard.
  if (minor < kOldestMinor) return {.oldest_minor = own_minor, .newest_foreign_minor = 0};
  return {.oldest_minor = minor, .newest_foreign_minor = minor};
}

absl::StatusOr<raft::Payload> Check(const raft::Entry& entry, const apply::EntryRules& rules) {
  switch (entry.type) {
    case raft::EntryType::kNormal:
      return apply::CheckRequest(entry.data, rules);
    case raft::EntryType::kConfChange:
      return apply::CheckConfChange(entry.data, rules);
    case raft::EntryType::kConfChangeV2:
      break;  // ends every etcd
  }
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, "an entry of an unknown type");
}

}  // namespace

void ForwardedCheck::Filter(raft::Message& message, Scope scope) {
  const membership::ViewPtr view = shared_.cluster.view();
  const int own_minor = MinorOf(shared_.options.server_version);
  const VersionSpan span = SpanNow(shared_, *view, own_minor);
  const apply::EntryRules rules = {
      .bytes_max = std::max(shared_.options.request_bytes_max, kBytesMax),
      .oldest_minor = span.oldest_minor,
      .newest_foreign_minor = span.newest_foreign_minor,
      .own_minor = own_minor,
      .members = scope.knows_all ? view.get() : nullptr,
      .appended_to = scope.leads ? view.get() : nullptr};
  std::erase_if(message.entries, [&](raft::Entry& entry) {
    absl::StatusOr<raft::Payload> checked = Check(entry, rules);
    if (!checked.ok()) {
      Report(message.from, std::string(base::MessageOf(checked.status())));
      return true;
    }
    entry.data = *std::move(checked);
    return false;
  });
}

void ForwardedCheck::Report(MemberId from, std::string why) {
  if (reported_.size() >= kReportedMax) return;
  if (!reported_.emplace(from, why).second) return;
  LOG_WARN("dropped a forwarded proposal", {"remote-peer-id", base::FormatHex(from.value())},
           {"reason", why});
}

}  // namespace etcd::node
