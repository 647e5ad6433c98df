#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/rafthttp/link.h"

namespace etcd::rafthttp {

// Asks /raft/probing of one peer again and again: round trip time and clock difference, for metrics
// and logs only. Loop thread only.
class Prober {
 public:
  explicit Prober(Link& link);
  ~Prober() { *alive_ = false; }
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  void Start();

 private:
  void Probe();
  void OnReply(net::Loop::Time asked, const config::Url& url,
               const absl::StatusOr<ports::PeerReply>& reply);

  Link& link_;
  net::Timer timer_;
  bool healthy_ = true;  // so that the first failure is logged
  const std::shared_ptr<bool> alive_;
};

// The body of an answer: {"OK":true,"Now":"2026-11-21T01:16:12.969238469Z"}, with a newline.
std::string ProbeAnswer(std::chrono::system_clock::time_point now);
// The time in such a body; nullopt: not OK, or no such body.
std::optional<std::chrono::system_clock::time_point> ParseProbeAnswer(std::string_view body);

}  // namespace etcd::rafthttp
