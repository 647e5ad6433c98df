#include "server/config/urls.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "server/base/status.h"

namespace etcd::config {
namespace {

absl::Status Invalid(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  return text;
}

bool IsSchemeChar(char c, bool first) {
  if (std::isalpha(static_cast<unsigned char>(c)) != 0) return true;
  return !first &&
         (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.');
}

// The scheme in front of ':', lower case; "" when there is none. `rest` loses it.
absl::StatusOr<std::string> TakeScheme(std::string_view whole, std::string_view& rest) {
  std::size_t i = 0;
  while (i < whole.size() && IsSchemeChar(whole[i], i == 0)) ++i;
  if (i < whole.size() && whole[i] == ':') {
    if (i == 0) return Invalid(fmt::format("parse \"{}\": missing protocol scheme", whole));
    rest = whole.substr(i + 1);
    std::string scheme(whole.substr(0, i));
    std::ranges::transform(scheme, scheme.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return scheme;
  }
  const std::string_view segment = whole.substr(0, whole.find('/'));
  if (segment.find(':') != std::string_view::npos) {
    return Invalid(
        fmt::format("parse \"{}\": first path segment in URL cannot contain colon", whole));
  }
  return std::string();
}

absl::Status CheckPort(std::string_view whole, std::string_view authority) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.rfind(']');
    if (close == std::string_view::npos) {
      return Invalid(fmt::format("parse \"{}\": missing ']' in host", whole));
    }
    port = authority.substr(close + 1);
  } else if (const std::size_t colon = authority.rfind(':'); colon != std::string_view::npos) {
    port = authority.substr(colon);
  }
  const bool good =
      port.empty() || (port[0] == ':' && std::ranges::all_of(port.substr(1), [](char c) {
                         return c >= '0' && c <= '9';
                       }));
  if (good) return absl::OkStatus();
  return Invalid(fmt::format("parse \"{}\": invalid port \"{}\" after host", whole, port));
}

}  // namespace

absl::StatusOr<HostPort> SplitHostPort(std::string_view text) {
  const auto error = [&](std::string_view why) {
    return Invalid(fmt::format("address {}: {}", text, why));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return error("missing port in address");
  HostPort result{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return error("missing ']' in address");
    if (close + 1 == text.size()) return error("missing port in address");
    if (close + 1 != colon) return error("too many colons in address");
    result.host = std::string(text.substr(1, close - 1));
  } else if (result.host.find(':') != std::string::npos) {
    return error("too many colons in address");
  }
  return result;
}

bool IsIpLiteral(std::string_view host) {
  const std::string text(host.substr(0, host.find('%')));  // without the zone of fe80::1%eth0
  unsigned char bytes[16];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  const std::string_view whole = Trim(text);
  std::string_view rest = whole;
  Url url;
  ASSIGN_OR_RETURN(url.scheme, TakeScheme(whole, rest));
  if (url.scheme != "http" && url.scheme != "https" && !url.is_unix()) {
    return Invalid(fmt::format("URL scheme must be http, https, unix, or unixs: {}", whole));
  }
  const bool has_authority = rest.starts_with("//");
  if (has_authority) rest.remove_prefix(2);
  if (url.is_unix()) {
    url.host = std::string(rest);
    return url;
  }
  const std::size_t slash = has_authority ? rest.find('/') : 0;
  const std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  url.host = std::string(rest.substr(0, slash));
  RETURN_IF_ERROR(CheckPort(whole, url.host));
  if (!SplitHostPort(url.host).ok()) {
    return Invalid(fmt::format("URL address does not have the form \"host:port\": {}", whole));
  }
  if (!path.empty()) return Invalid(fmt::format("URL must not contain a path: {}", whole));
  return url;
}

absl::StatusOr<UrlList> ParseUrlList(std::string_view text, bool allow_empty) {
  UrlList urls;
  if (text.empty() && allow_empty) return urls;
  while (true) {
    const std::size_t comma = text.find(',');
    ASSIGN_OR_RETURN(Url url, ParseUrl(text.substr(0, comma)));
    if (std::ranges::find(urls, url) == urls.end()) urls.push_back(std::move(url));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::ranges::sort(urls, {}, &Url::ToString);
  return urls;
}

std::vector<std::string> ToStrings(const UrlList& urls) {
  std::vector<std::string> out;
  out.reserve(urls.size());
  for (const Url& url : urls) out.push_back(url.ToString());
  return out;
}

std::string ToText(const UrlList& urls) {
  return fmt::format("{}", fmt::join(ToStrings(urls), ","));
}

std::vector<std::string> SplitComma(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view piece = Trim(text.substr(0, comma));
    if (!piece.empty()) out.emplace_back(piece);
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace etcd::config
