#pragma once

#include <cstdint>

namespace etcd::bench {

// What a server process has used, from /proc. Zeros for pid 0 (not measured).
struct ServerUsage {
  double cpu_seconds = 0;            // user + system
  std::uint64_t rss_bytes = 0;       // VmRSS
  std::uint64_t rss_peak_bytes = 0;  // VmHWM
  std::uint64_t rss_anonymous_bytes = 0;
};

ServerUsage ReadServerUsage(int pid);

// Starts VmHWM afresh, so that the peak is that of the next workload.
void ResetPeak(int pid);

}  // namespace etcd::bench
