#include "etcdutl/status_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace etcd::etcdutl {
namespace {

std::string HashText(const SnapshotStatus& status) { return fmt::format("{:x}", status.hash); }

std::string SizeText(const SnapshotStatus& status) {
  return HumanBytes(static_cast<std::uint64_t>(status.total_bytes));
}

}  // namespace

std::string HumanBytes(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 10) return fmt::format("{} B", bytes);
  std::size_t unit = 0;
  double value = static_cast<double>(bytes);
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  value = std::floor(value * 10 + 0.5) / 10;
  return value < 10 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                    : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string SimpleText(const SnapshotStatus& status) {
  return fmt::format("{}, {}, {}, {}, {}\n", HashText(status), status.revision, status.total_keys,
                     SizeText(status), status.version);
}

std::string JsonText(const SnapshotStatus& status) {
  return fmt::format(
      "{{\"hash\":{},\"revision\":{},\"totalKey\":{},\"totalSize\":{},\"version\":\"{}\"}}\n",
      status.hash, status.revision, status.total_keys, status.total_bytes, status.version);
}

std::string FieldsText(const SnapshotStatus& status) {
  return fmt::format(
      "\"Hash\" : {}\n\"Revision\" : {}\n\"Keys\" : {}\n\"Size\" : {}\n\"Version\" : {}\n",
      status.hash, status.revision, status.total_keys, status.total_bytes, status.version);
}

std::string TableText(const SnapshotStatus& status) {
  const std::vector<std::pair<std::string, std::string>> columns = {
      {"HASH", HashText(status)},
      {"REVISION", std::to_string(status.revision)},
      {"TOTAL KEYS", std::to_string(status.total_keys)},
      {"TOTAL SIZE", SizeText(status)},
      {"VERSION", status.version}};
  std::string line = "+";
  std::string head = "|";
  std::string row = "|";
  for (const auto& [title, cell] : columns) {
    const std::size_t width = std::max(title.size(), cell.size());
    line += std::string(width + 2, '-') + "+";
    head += fmt::format(" {:^{}} |", title, width);
    row += fmt::format(" {:>{}} |", cell, width);
  }
  return fmt::format("{0}\n{1}\n{0}\n{2}\n{0}\n", line, head, row);
}

}  // namespace etcd::etcdutl
