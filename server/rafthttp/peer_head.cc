#include "server/rafthttp/peer_head.h"

#include <charconv>

#include "server/base/check.h"
#include "server/config/urls.h"
#include "server/rafthttp/version_text.h"

namespace etcd::rafthttp {
namespace {

std::string Join(const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) {
    if (!out.empty()) out.push_back(',');
    out.append(piece);
  }
  return out;
}

}  // namespace

PeerHead ReadPeerHead(absl::FunctionRef<std::string_view(std::string_view)> header) {
  return {.from = header("X-Server-From"),
          .server_version = header("X-Server-Version"),
          .min_cluster_version = header("X-Min-Cluster-Version"),
          .cluster_id = header("X-Etcd-Cluster-Id"),
          .to = header("X-Raft-To"),
          .urls = header("X-PeerURLs")};
}

Headers MakePeerHeaders(const Identity& self, MemberId to) {
  std::string version = self.server_version();
  CHECK(ParseVersion(version).has_value()) << "own version would stop Go peers: " << version;
  Headers headers = {{"X-Etcd-Cluster-Id", base::FormatHex(self.cluster_id.value())},
                     {"X-Min-Cluster-Version", std::string(kMinClusterVersion)},
                     {"X-Peerurls", Join(self.advertise_urls)},
                     {"X-Server-From", base::FormatHex(self.id.value())},
                     {"X-Server-Version", std::move(version)}};
  if (to) headers.emplace_back("X-Raft-To", base::FormatHex(to.value()));
  return headers;
}

Answer ErrorAnswer(int status, std::string_view text) {
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"},
                      {"X-Content-Type-Options", "nosniff"}},
          .body = std::string(text) + "\n"};
}

Answer MethodNotAllowed(std::string_view allowed) {
  Answer answer = ErrorAnswer(405, "Method Not Allowed");
  answer.headers.emplace_back("Allow", std::string(allowed));
  return answer;
}

Compatibility CheckPeer(const PeerHead& head, const Identity& self) {
  const auto or_old = [](std::string_view text) { return text.empty() ? kOldVersion : text; };
  const auto theirs = ParseVersion(or_old(head.server_version));
  const auto their_min = ParseVersion(or_old(head.min_cluster_version));
  const auto own = ParseVersion(self.server_version());
  CHECK(own.has_value()) << "own version is not a version";
  if (!theirs || !their_min) return Compatibility::kAbort;
  if (*theirs < *ParseVersion(kMinClusterVersion) || *their_min > *own) {
    return Compatibility::kIncompatibleVersion;
  }
  if (head.cluster_id != base::FormatHex(self.cluster_id.value())) {
    return Compatibility::kOtherCluster;
  }
  return Compatibility::kGood;
}

Answer RefusedFor(Compatibility compatibility) {
  return ErrorAnswer(412, compatibility == Compatibility::kOtherCluster ? "cluster ID mismatch"
                                                                        : "incompatible version");
}

std::optional<std::uint64_t> ParseHexId(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, 16);
  if (text.empty() || error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::optional<std::vector<std::string>> ParsePeerUrls(std::string_view text) {
  auto urls = config::ParseUrlList(text, /*allow_empty=*/false);
  if (!urls.ok()) return std::nullopt;
  return config::ToStrings(*urls);
}

StreamPath ParseStreamPath(std::string_view path) {
  StreamPath parsed;
  const std::size_t slash = path.rfind('/');
  const std::string_view folder = path.substr(0, slash);
  if (folder == "/raft/stream/message") parsed.kind = StreamKind::kMessage;
  if (folder == "/raft/stream/msgapp") parsed.kind = StreamKind::kMsgApp;
  if (const auto id = ParseHexId(path.substr(slash + 1))) parsed.from = MemberId(*id);
  return parsed;
}

}  // namespace etcd::rafthttp
