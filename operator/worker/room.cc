#include "operator/worker/room.h"

#include <fmt/format.h>

#include "operator/store/object_store.h"
#include "server/base/status.h"

namespace etcd::worker {

std::uint64_t ScratchFor(std::uint64_t database_bytes, bool has_copy) {
  const std::uint64_t one = database_bytes + database_bytes / 5;
  return has_copy ? 2 * one : one;
}

absl::Status CheckScratch(const Place& place, std::uint64_t bytes, std::string_view advice) {
  RETURN_IF_ERROR(place.files.CreateDirs(place.scratch));
  ASSIGN_OR_RETURN(const std::uint64_t free, place.files.FreeBytes(place.scratch));
  if (free >= bytes) return absl::OkStatus();
  return store::Failure(
      absl::StatusCode::kResourceExhausted, "ScratchFull",
      fmt::format("the work needs {} of scratch space, the disk of its node has {} free; "
                  "make room there, or {}",
                  BytesText(bytes), BytesText(free), advice));
}

absl::Status ExplainScratch(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status) || store::ReasonOf(status) != "Failed") return status;
  return store::Failure(
      status.code(), "ScratchFull",
      fmt::format("{}; make room on the disk of the node", base::MessageOf(status)));
}

std::string BytesText(std::uint64_t bytes) {
  constexpr double kKibi = 1024;
  const auto count = static_cast<double>(bytes);
  if (count < kKibi * kKibi) return fmt::format("{} bytes", bytes);
  if (count < kKibi * kKibi * kKibi) return fmt::format("{:.1f} MiB", count / kKibi / kKibi);
  return fmt::format("{:.1f} GiB", count / kKibi / kKibi / kKibi);
}

}  // namespace etcd::worker
