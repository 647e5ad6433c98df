#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "operator/worker/place.h"

// Is there room, before the work begins?
namespace etcd::worker {

// Bytes of scratch space for a snapshot of a database of this size, and for the copy that is made
// of it, restored or compressed; with a fifth for what is written meanwhile (operator-spec 10.1).
std::uint64_t ScratchFor(std::uint64_t database_bytes, bool has_copy);

// ResourceExhausted, reason ScratchFull, when the scratch folder has less. `advice` is what to do
// besides making room on the node.
absl::Status CheckScratch(const Place& place, std::uint64_t bytes, std::string_view advice);

// The same reason for a write to the scratch folder that found no room after all; statuses that
// have a reason stay as they are.
absl::Status ExplainScratch(const absl::Status& status);

// "1.5 GiB", for people.
std::string BytesText(std::uint64_t bytes);

}  // namespace etcd::worker
