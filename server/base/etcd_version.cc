#include "server/base/etcd_version.h"

#include <charconv>

namespace etcd::base {

int MinorOf(std::string_view version) {
  constexpr std::string_view kMajor = "3.";
  if (!version.starts_with(kMajor)) return -1;
  version.remove_prefix(kMajor.size());
  int minor = -1;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), minor);
  const bool is_dotted = end != version.data() + version.size() && *end == '.';
  return error == std::errc() && is_dotted && minor >= 0 ? minor : -1;
}

}  // namespace etcd::base
