#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "operator/backup/order.h"
#include "operator/worker/place.h"

namespace etcd::worker {

// What one step of a backup leaves in the scratch folder for the next one, beside the snapshot: the
// steps are processes of their own.
struct HandOver {
  std::string endpoint{};  // of the member that gave the snapshot
  // As far as it is known. An artifact that has a URI is stored already, by an earlier try.
  backup::Report report{};

  bool is_stored() const { return report.artifact && report.artifact->uri; }
};

absl::Status WriteHandOver(const HandOver& hand_over, const Place& place);
// DataLoss when the step before left none.
absl::StatusOr<HandOver> ReadHandOver(const Place& place);

// Where the snapshot is.
std::string SnapshotPath(const Place& place);

}  // namespace etcd::worker
