#include "bench/load/server_usage.h"

#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

namespace etcd::bench {

ServerUsage ReadServerUsage(int pid) {
  ServerUsage usage;
  if (pid == 0) return usage;
  const std::string base = "/proc/" + std::to_string(pid);
  std::ifstream stat(base + "/stat");
  std::string line;
  std::getline(stat, line);
  // Fields 14 and 15 are utime and stime; the name in field 2 may hold spaces, so count after ')'.
  std::istringstream rest(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int i = 3; i < 14; ++i) rest >> skipped;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  usage.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::ifstream status(base + "/status");
  while (std::getline(status, line)) {
    std::istringstream fields(line);
    std::string key;
    std::uint64_t kib = 0;
    fields >> key >> kib;
    if (key == "VmRSS:") usage.rss_bytes = kib * 1024;
    if (key == "VmHWM:") usage.rss_peak_bytes = kib * 1024;
    if (key == "RssAnon:") usage.rss_anonymous_bytes = kib * 1024;
  }
  return usage;
}

void ResetPeak(int pid) {
  if (pid == 0) return;
  std::ofstream("/proc/" + std::to_string(pid) + "/clear_refs") << "5";
}

}  // namespace etcd::bench
