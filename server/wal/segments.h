#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/base/ids.h"

namespace etcd::wal {

// <sequence %016x>-<first index %016x>.wal
struct SegmentName {
  std::uint64_t sequence = 0;  // contiguous; the very first segment is 0
  Index first_index;           // last saved index + 1 when the segment was begun

  std::string Text() const;
  static std::optional<SegmentName> Parse(std::string_view text);
};

// The segments of `dir` in ascending order. kNotFound when there is none, or no directory. Other
// files are ignored; those that nobody expects there are logged.
absl::StatusOr<std::vector<SegmentName>> ListSegments(base::FileSystem& file_system,
                                                      const std::string& dir);

// The run of segments that holds everything after `index`: from the last one that begins at or
// below it. kNotFound when all begin above it; kDataLoss when one is missing in the run.
absl::StatusOr<std::vector<SegmentName>> SegmentsFrom(base::FileSystem& file_system,
                                                      const std::string& dir, Index index);

// Path of the directory that holds `path`.
std::string ParentOf(const std::string& path);

}  // namespace etcd::wal
