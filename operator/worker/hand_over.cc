#include "operator/worker/hand_over.h"

#include <nlohmann/json.hpp>

#include "operator/kube/json.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

constexpr std::size_t kHandOverBytesMax = 64 * 1024;

std::string HandOverPath(const Place& place) { return place.scratch + "/step.json"; }

}  // namespace

std::string SnapshotPath(const Place& place) { return place.scratch + "/snapshot.db"; }

absl::Status WriteHandOver(const HandOver& hand_over, const Place& place) {
  const std::string text = kube::DumpJson(
      {{"endpoint", hand_over.endpoint}, {"report", backup::WriteReport(hand_over.report)}});
  RETURN_IF_ERROR(place.files.CreateDirs(place.scratch));
  ASSIGN_OR_RETURN(const auto file,
                   place.files.Open(HandOverPath(place), base::OpenMode::kCreateOrTruncate));
  return file->WriteAt(0, text);
}

absl::StatusOr<HandOver> ReadHandOver(const Place& place) {
  ASSIGN_OR_RETURN(const auto file, place.files.Open(HandOverPath(place), base::OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::string text, file->ReadAt(0, kHandOverBytesMax));
  const auto json = kube::ParseJson(text);
  if (!json.ok()) return base::DataLoss("the step before did not end");
  ASSIGN_OR_RETURN(backup::Report report, backup::ParseReport(kube::TextAt(*json, {"report"})));
  return HandOver{.endpoint = std::string(kube::TextAt(*json, {"endpoint"})),
                  .report = std::move(report)};
}

}  // namespace etcd::worker
