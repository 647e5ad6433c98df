#include "client/internal/endpoint.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "server/base/status.h"

namespace etcd::client::internal {
namespace {

absl::Status Bad(std::string_view endpoint, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("endpoint \"", base::ToAbsl(endpoint), "\": ", base::ToAbsl(what)));
}

bool IsPort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

// Without the characters that mean something else in a URL.
bool IsHost(std::string_view text) {
  constexpr std::string_view kOther = "/?#@%[]\\\"<>";
  return !text.empty() && std::all_of(text.begin(), text.end(), [kOther](char c) {
    return c > ' ' && c < 0x7f && kOther.find(c) == kOther.npos;
  });
}

absl::StatusOr<std::string> HostTarget(std::string_view endpoint, std::string_view address) {
  if (address.ends_with('/')) address.remove_suffix(1);
  const std::size_t colon = address.rfind(':');
  if (colon == address.npos || !IsPort(address.substr(colon + 1))) {
    return Bad(endpoint, "wants host:port");
  }
  std::string_view host = address.substr(0, colon);
  const std::string_view port = address.substr(colon);
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (!IsHost(host)) return Bad(endpoint, "not a host");
  if (!in_brackets && host.find(':') != host.npos) {
    return Bad(endpoint, "an IPv6 address wants brackets: [::1]:2379");
  }
  // The resolver of names takes addresses too; brackets must be escaped in a target's path.
  const std::string_view open = in_brackets ? "%5B" : "";
  const std::string_view close = in_brackets ? "%5D" : "";
  return absl::StrCat("dns:///", base::ToAbsl(open), base::ToAbsl(host), base::ToAbsl(close),
                      base::ToAbsl(port));
}

absl::StatusOr<std::string> SocketTarget(std::string_view endpoint, std::string_view path) {
  if (!path.starts_with('/')) return Bad(endpoint, "wants unix:///absolute/path");
  return absl::StrCat("unix://", base::ToAbsl(path));
}

}  // namespace

absl::StatusOr<std::string> TargetOf(std::string_view endpoint) {
  const std::size_t mark = endpoint.find("://");
  if (mark == endpoint.npos) return HostTarget(endpoint, endpoint);
  const std::string_view scheme = endpoint.substr(0, mark);
  const std::string_view rest = endpoint.substr(mark + 3);
  if (scheme == "http") return HostTarget(endpoint, rest);
  if (scheme == "unix") return SocketTarget(endpoint, rest);
  if (scheme == "https" || scheme == "unixs") {
    return absl::UnimplementedError(absl::StrCat("endpoint \"", base::ToAbsl(endpoint),
                                                 "\": TLS is not supported yet; use http"));
  }
  return Bad(endpoint, "the scheme must be http or unix");
}

}  // namespace etcd::client::internal
