#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

// Listen and advertise URLs by etcd's rules (server-surface.md 1.5).
namespace etcd::config {

struct Url {
  std::string scheme;  // http, https, unix or unixs
  std::string host;    // as written: "127.0.0.1:2379", "[::1]:2379"; of unix URLs host and path

  bool is_unix() const { return scheme == "unix" || scheme == "unixs"; }
  bool is_tls() const { return scheme == "https" || scheme == "unixs"; }
  std::string ToString() const { return scheme + "://" + host; }
  bool operator==(const Url&) const = default;
};
using UrlList = std::vector<Url>;

struct HostPort {
  std::string host;  // without brackets
  std::string port;
};

// Go's net.SplitHostPort.
absl::StatusOr<HostPort> SplitHostPort(std::string_view text);

bool IsIpLiteral(std::string_view host);

// One URL. The reason of an error is what etcd prints after "invalid value ... for flag".
absl::StatusOr<Url> ParseUrl(std::string_view text);

// Comma-separated, trimmed, without duplicates, ascending. Empty text is an empty list only when
// `allow_empty`.
absl::StatusOr<UrlList> ParseUrlList(std::string_view text, bool allow_empty);

std::vector<std::string> ToStrings(const UrlList& urls);
// Joined by commas.
std::string ToText(const UrlList& urls);

// Pieces between commas, trimmed of spaces; empty ones dropped.
std::vector<std::string> SplitComma(std::string_view text);

}  // namespace etcd::config
