#include "tests/simulation/fault_points.h"

#include <array>
#include <iterator>

namespace etcd::simulation {
namespace {

using testing::DiskOp;

struct DiskPoint {
  std::string_view name;
  DiskOp op;
  std::string_view dir;     // contained in the path
  std::string_view suffix;  // of the path
};

// The first that fits.
constexpr DiskPoint kDiskPoints[] = {
    {"log write", DiskOp::kWrite, "/wal/", ""},
    {"log sync", DiskOp::kSync, "/wal/", ""},
    {"log cut", DiskOp::kTruncate, "/wal/", ""},
    {"log preallocation", DiskOp::kPreallocate, "/wal/", ""},
    {"log rename", DiskOp::kRename, "/wal/", ""},
    {"log purge", DiskOp::kRemove, "/wal/", ""},
    {"log directory sync", DiskOp::kSyncDir, "/wal", ""},
    {"received database write", DiskOp::kWrite, "/snap/", ".snap.db"},
    {"received database sync", DiskOp::kSync, "/snap/", ".snap.db"},
    {"received database rename", DiskOp::kRename, "/snap/", ".snap.db"},
    {"received database removal", DiskOp::kRemove, "/snap/", ".snap.db"},
    {"snapshot write", DiskOp::kWrite, "/snap/", ""},
    {"snapshot sync", DiskOp::kSync, "/snap/", ""},
    {"snapshot rename", DiskOp::kRename, "/snap/", ""},
    {"snapshot purge", DiskOp::kRemove, "/snap/", ""},
    {"snapshot directory sync", DiskOp::kSyncDir, "/snap", ""},
};

constexpr std::string_view kEnginePoints[] = {kEngineWrite,   kEngineWritten,     kEngineFlush,
                                              kEngineFlushed, kEngineReplacement, kEngineReplaced};

constexpr auto kAll = [] {
  std::array<std::string_view, std::size(kDiskPoints) + std::size(kEnginePoints)> out;
  std::size_t n = 0;
  for (const DiskPoint& point : kDiskPoints) out[n++] = point.name;
  for (const std::string_view point : kEnginePoints) out[n++] = point;
  return out;
}();

}  // namespace

std::span<const std::string_view> FaultPoints() { return kAll; }

std::string_view FaultPointOf(DiskOp op, std::string_view path) {
  for (const DiskPoint& point : kDiskPoints) {
    if (point.op == op && path.find(point.dir) != std::string_view::npos &&
        path.ends_with(point.suffix)) {
      return point.name;
    }
  }
  return "";
}

}  // namespace etcd::simulation
