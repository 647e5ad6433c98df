#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

namespace etcd::ports {

struct PeerRequest {
  std::string method = "GET";
  std::string path;  // "/leases"
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct PeerReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;                                          // bounded by the client
};

// Plain HTTP requests to the peer URLs of other members: lease forwarding, promotion, hashkv,
// /version, /members (raft-peer-storage.md 3.12-3.18). Thread-safe.
class PeerClient {
 public:
  virtual ~PeerClient() = default;
  // Asks one URL ("http://10.0.0.1:2380"). `done` is called exactly once, on any thread;
  // kUnavailable when nothing was answered, kDeadlineExceeded after `timeout`.
  virtual void Ask(std::string url, PeerRequest request, std::chrono::nanoseconds timeout,
                   absl::AnyInvocable<void(absl::StatusOr<PeerReply>)> done) = 0;
};

}  // namespace etcd::ports
