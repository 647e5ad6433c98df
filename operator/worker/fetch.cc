#include "operator/worker/fetch.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "client/client.h"
#include "operator/worker/hand_over.h"
#include "operator/worker/member_choice.h"
#include "operator/worker/room.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

// Longer than the loop's: a backup is in no hurry, and a member that is busy is still a member.
constexpr std::chrono::milliseconds kStatusTimeout{10000};
constexpr std::chrono::milliseconds kHashTimeout{60000};

std::vector<Candidate> AskAll(client::Client& client, const std::vector<std::string>& endpoints) {
  std::vector<Candidate> candidates;
  for (const std::string& endpoint : endpoints) {
    auto status = client.Status({.timeout = kStatusTimeout, .endpoint = endpoint});
    if (status.ok()) {
      candidates.push_back({endpoint, *std::move(status)});
    } else {
      LOG_WARN("a member does not answer", {"endpoint", endpoint},
               {"error", base::MessageOf(status.status())});
    }
  }
  return candidates;
}

absl::StatusOr<Fetched> FetchFrom(client::Client& client, const Candidate& candidate,
                                  const FetchOptions& options, const Place& place) {
  Fetched fetched{.endpoint = candidate.endpoint};
  const std::string path = SnapshotPath(place);
  fetched.cluster_id = base::FormatHex(candidate.status.header.cluster_id.value());
  fetched.member_id = base::FormatHex(candidate.status.header.member_id.value());
  fetched.etcd_version = candidate.status.version;
  const auto database = static_cast<std::uint64_t>(candidate.status.db_size_bytes);
  RETURN_IF_ERROR(
      CheckScratch(place, ScratchFor(database, options.has_copy),
                   "set resources.requests.ephemeral-storage, so that the pod is placed "
                   "where there is room"));
  ASSIGN_OR_RETURN(const auto file, place.files.Open(path, base::OpenMode::kCreateOrTruncate));
  std::uint64_t offset = 0;
  absl::Status disk;
  const auto summary = client.Snapshot(
      [&](std::string_view bytes, std::uint64_t) {
        disk = file->WriteAt(offset, bytes);
        offset += bytes.size();
        return disk;
      },
      {.timeout = options.timeout, .endpoint = candidate.endpoint});
  RETURN_IF_ERROR(disk);
  if (absl::IsDataLoss(summary.status())) {
    return store::WithReason(summary.status(), "SnapshotHashMissing");
  }
  if (!summary.ok()) return store::WithReason(summary.status(), "SnapshotFailed");
  ASSIGN_OR_RETURN(fetched.facts, InspectSnapshot(place.files, path));
  return fetched;
}

}  // namespace

absl::StatusOr<Fetched> FetchSnapshot(const std::vector<std::string>& endpoints,
                                      const FetchOptions& options, const Place& place) {
  if (endpoints.empty()) {
    return store::Failure(absl::StatusCode::kUnavailable, "NoMember", "the cluster has no members");
  }
  ASSIGN_OR_RETURN(const auto client, client::Client::Create({.endpoints = endpoints}));
  ASSIGN_OR_RETURN(const std::vector<Candidate> ranked,
                   RankMembers(AskAll(*client, endpoints), options.wanted));
  absl::Status last;
  for (const Candidate& candidate : ranked) {
    auto fetched = FetchFrom(*client, candidate, options, place);
    if (fetched.ok()) return fetched;
    last = ExplainScratch(fetched.status());
    LOG_WARN("no snapshot from a member", {"endpoint", candidate.endpoint},
             {"reason", store::ReasonOf(last)}, {"error", base::MessageOf(last)});
    if (store::ReasonOf(last) == "ScratchFull") break;  // it is no better with another member
  }
  return last;
}

std::optional<LiveHash> AskHashKv(const std::string& endpoint, std::int64_t revision) {
  const auto client = client::Client::Create({.endpoints = {endpoint}});
  if (!client.ok()) return {};
  const auto answer =
      (*client)->HashKv(Revision(revision), {.timeout = kHashTimeout, .endpoint = endpoint});
  if (!answer.ok()) return {};
  return LiveHash{.hash = answer->hash, .compact_revision = answer->compact_revision};
}

}  // namespace etcd::worker
