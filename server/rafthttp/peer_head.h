#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/function_ref.h>

#include "server/base/ids.h"
#include "server/rafthttp/options.h"
#include "server/rafthttp/stream_codec.h"

// The headers that members put on their requests, and what is checked of them
// (raft-peer-storage.md 3.3, 3.4). Pure.
namespace etcd::rafthttp {

using Headers = std::vector<std::pair<std::string, std::string>>;

// What the X- headers of a request say. Views into the request.
struct PeerHead {
  std::string_view from;            // X-Server-From
  std::string_view server_version;  // "" when there is none
  std::string_view min_cluster_version;
  std::string_view cluster_id;
  std::string_view to;
  std::string_view urls;
};
// `header` gives the value of a header, "" when there is none. Names are given in any case.
PeerHead ReadPeerHead(absl::FunctionRef<std::string_view(std::string_view)> header);

// Headers of every request of the raft protocol; `to` only on streams.
Headers MakePeerHeaders(const Identity& self, MemberId to = MemberId());

// An answer without more ado.
struct Answer {
  int status = 0;
  Headers headers;
  std::string body;
  bool close = false;  // the connection, afterwards
};
// As Go's http.Error: text, newline, text/plain, nosniff.
Answer ErrorAnswer(int status, std::string_view text);
// 405 with Allow.
Answer MethodNotAllowed(std::string_view allowed);

// kAbort: the sender's header is such that Go drops the connection without an answer.
enum class Compatibility : std::uint8_t { kGood, kIncompatibleVersion, kOtherCluster, kAbort };
Compatibility CheckPeer(const PeerHead& head, const Identity& self);
// The 412 of a compatibility that is not good.
Answer RefusedFor(Compatibility compatibility);

// Hex as in headers and paths; nullopt: it is not a number of 64 bits.
std::optional<std::uint64_t> ParseHexId(std::string_view text);
// "http://a:1,http://b:1"; nullopt when Go would not take them.
std::optional<std::vector<std::string>> ParsePeerUrls(std::string_view text);

// Of "/raft/stream/<kind>/<id>".
struct StreamPath {
  std::optional<StreamKind> kind;  // nullopt: "invalid path"
  std::optional<MemberId> from;    // nullopt: "invalid from"
};
StreamPath ParseStreamPath(std::string_view path);

}  // namespace etcd::rafthttp
