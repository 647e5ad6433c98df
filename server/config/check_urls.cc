#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "server/base/status.h"
#include "server/config/new_cluster.h"
#include "server/config/sources.h"

namespace etcd::config {
namespace {

absl::Status Invalid(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

// Listeners bind addresses, so host names other than localhost are refused.
absl::Status CheckBind(const UrlList& urls) {
  for (const Url& url : urls) {
    if (url.is_unix()) continue;
    ASSIGN_OR_RETURN(const HostPort address, SplitHostPort(url.host));
    if (address.host == "localhost" || IsIpLiteral(address.host)) continue;
    return Invalid(fmt::format("expected IP in URL for binding ({})", url.ToString()));
  }
  return absl::OkStatus();
}

absl::Status CheckAdvertised(std::string_view flag, const UrlList& urls) {
  for (const Url& url : urls) {
    const absl::StatusOr<HostPort> address = SplitHostPort(url.host);
    std::string why;
    if (!address.ok()) {
      why = base::MessageOf(address.status());
    } else if (address->host.empty()) {
      why = fmt::format("unexpected empty host ({})", url.ToString());
    }
    if (why.empty()) continue;
    return Invalid(fmt::format("--{} \"{}\" must be \"host:port\" ({})", flag, ToText(urls), why));
  }
  return absl::OkStatus();
}

absl::Status RefuseTls(std::string_view flag, const UrlList& urls) {
  for (const Url& url : urls) {
    if (!url.is_tls()) continue;
    return Invalid(
        fmt::format("--{} has {}, but this version does not have TLS yet", flag, url.ToString()));
  }
  return absl::OkStatus();
}

std::string Quoted(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  quoted.reserve(texts.size());
  for (const std::string& text : texts) quoted.push_back('"' + text + '"');
  return fmt::format("[{}]", fmt::join(quoted, " "));
}

// Name -> peer URLs of "a=http://x,b=http://y".
absl::StatusOr<std::map<std::string, UrlList>> ParseCluster(std::string_view text) {
  std::map<std::string, UrlList> members;
  for (const std::string& piece : SplitComma(text)) {
    const std::size_t equals = piece.find('=');
    const std::string name = piece.substr(0, equals);
    const absl::StatusOr<Url> url =
        ParseUrl(equals == std::string::npos ? "" : std::string_view(piece).substr(equals + 1));
    if (!url.ok()) return url.status();
    members[name].push_back(*url);
  }
  for (auto& [name, urls] : members) std::ranges::sort(urls, {}, &Url::ToString);
  return members;
}

// As etcd prints a cluster: "a=http://x,b=http://y", by name.
std::string ClusterText(const std::map<std::string, UrlList>& members) {
  std::vector<std::string> pairs;
  for (const auto& [name, urls] : members) {
    for (const Url& url : urls) pairs.push_back(name + "=" + url.ToString());
  }
  return fmt::format("{}", fmt::join(pairs, ","));
}

// "a=http://x" for each URL that only `urls` has.
std::vector<std::string> OnlyIn(const UrlList& urls, const UrlList& others,
                                const std::string& prefix) {
  std::vector<std::string> out;
  for (const Url& url : urls) {
    if (std::ranges::find(others, url) == others.end()) out.push_back(prefix + url.ToString());
  }
  return out;
}

// etcd compares texts first and resolves names only when they differ; one member has no reason to
// write its own URL in two ways, so texts decide.
absl::Status CompareWithAdvertised(const Config& config, const UrlList& listed) {
  const UrlList& advertised = config.initial_advertise_peer_urls;
  if (listed == advertised) return absl::OkStatus();
  const std::vector<std::string> ours = ToStrings(advertised);
  const std::vector<std::string> theirs = ToStrings(listed);
  std::string why = fmt::format("len({}) != len({})", Quoted(ours), Quoted(theirs));
  for (std::size_t i = 0; ours.size() == theirs.size() && i < ours.size(); ++i) {
    if (ours[i] == theirs[i]) continue;
    why = fmt::format("resolved urls: \"{}\" != \"{}\"", ours[i], theirs[i]);
    break;
  }
  const std::vector<std::string> missing = OnlyIn(listed, advertised, config.name + "=");
  if (!missing.empty()) {
    return Invalid(
        fmt::format("--initial-cluster has {} but missing from "
                    "--initial-advertise-peer-urls={} ({})",
                    fmt::join(missing, ","), fmt::join(ours, ","), why));
  }
  return Invalid(fmt::format(
      "--initial-advertise-peer-urls has {} but missing from --initial-cluster={}",
      fmt::join(OnlyIn(advertised, listed, ""), ","), ClusterText({{config.name, advertised}})));
}

absl::Status CheckBootstrap(const Config& config, const std::map<std::string, UrlList>& members) {
  const auto own = members.find(config.name);
  if (config.name.empty() || own == members.end()) {
    return Invalid(
        fmt::format("couldn't find local name \"{}\" in the initial cluster "
                    "configuration",
                    config.name));
  }
  // A member that joins compares its URLs with what the running cluster knows.
  if (config.initial_cluster_state != "existing") {
    RETURN_IF_ERROR(CompareWithAdvertised(config, own->second));
  }
  std::set<std::string> seen;
  for (const auto& [name, urls] : members) {
    for (const Url& url : urls) {
      if (seen.insert(url.ToString()).second) continue;
      return Invalid(fmt::format("initial cluster {} has duplicate url", ClusterText(members)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckUrls(const Draft& draft) {
  const Config& config = draft.config;
  RETURN_IF_ERROR(CheckBind(config.listen_peer_urls));
  RETURN_IF_ERROR(CheckBind(config.listen_client_urls));
  RETURN_IF_ERROR(CheckBind(config.listen_client_http_urls));
  RETURN_IF_ERROR(CheckBind(config.listen_metrics_urls));
  RETURN_IF_ERROR(
      CheckAdvertised("initial-advertise-peer-urls", config.initial_advertise_peer_urls));
  RETURN_IF_ERROR(CheckAdvertised("advertise-client-urls", config.advertise_client_urls));
  if (!draft.from_file && draft.Has("listen-client-urls") && !draft.Has("advertise-client-urls")) {
    return Invalid(kUnsetAdvertiseClientUrls);
  }
  RETURN_IF_ERROR(RefuseTls("listen-client-urls", config.listen_client_urls));
  RETURN_IF_ERROR(RefuseTls("listen-client-http-urls", config.listen_client_http_urls));
  RETURN_IF_ERROR(RefuseTls("listen-metrics-urls", config.listen_metrics_urls));
  RETURN_IF_ERROR(RefuseTls("listen-peer-urls", config.listen_peer_urls));
  for (const Url& url : config.listen_client_http_urls) {
    if (std::ranges::find(config.listen_client_urls, url) == config.listen_client_urls.end()) {
      continue;
    }
    return Invalid(
        fmt::format("cannot bind both --listen-client-urls and "
                    "--listen-client-http-urls on the same url {}",
                    url.ToString()));
  }
  return absl::OkStatus();
}

void ReadCluster(Config& config) {
  const absl::StatusOr<std::map<std::string, UrlList>> members =
      ParseCluster(config.initial_cluster);
  if (!members.ok()) {
    config.bootstrap = Invalid(
        fmt::format("error setting up initial cluster: {}", base::MessageOf(members.status())));
    return;
  }
  config.bootstrap = CheckBootstrap(config, *members);
  for (const auto& [name, urls] : *members) config.initial_members[name] = ToStrings(urls);
}

absl::StatusOr<PeerUrlsByName> ReadNewCluster(const std::string& name,
                                              std::string_view initial_cluster,
                                              std::string_view advertise_peer_urls) {
  Config config;
  config.name = name;
  ASSIGN_OR_RETURN(config.initial_advertise_peer_urls, ParseUrlList(advertise_peer_urls, false));
  ASSIGN_OR_RETURN(const auto members, ParseCluster(initial_cluster));
  RETURN_IF_ERROR(CheckBootstrap(config, members));
  PeerUrlsByName out;
  for (const auto& [member, urls] : members) out[member] = ToStrings(urls);
  return out;
}

}  // namespace etcd::config
