#include "server/metrics/process_metrics.h"

#include <dirent.h>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace etcd::metrics {
namespace {

// Fields of /proc/self/stat after the command's name, which may hold anything.
struct Stat {
  std::uint64_t cpu_ticks = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_pages = 0;
  std::uint64_t threads = 0;
};

Stat ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string state;
  fields >> state;
  Stat stat;
  std::int64_t value = 0;
  for (int i = 4; fields >> value; ++i) {  // numbers of proc(5)
    const auto number = static_cast<std::uint64_t>(value);
    if (i == 14 || i == 15) stat.cpu_ticks += number;
    if (i == 20) stat.threads = number;
    if (i == 22) stat.start_ticks = number;
    if (i == 23) stat.virtual_bytes = number;
    if (i == 24) stat.resident_pages = number;
    if (i == 24) break;
  }
  return stat;
}

double BootSeconds() {
  std::ifstream file("/proc/stat");
  std::string key;
  double value = 0;
  while (file >> key) {
    if (key == "btime" && file >> value) return value;
    file.ignore(1 << 20, '\n');
  }
  return 0;
}

double VirtualLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? 1.8446744073709552e+19
                                         : static_cast<double>(limit.rlim_cur);
}

struct ProcessGauges {
  explicit ProcessGauges(Registry& registry)
      : cpu(registry.AddFloatCounter("process_cpu_seconds_total", "CPU time of user and system.")),
        open(registry.AddGauge("process_open_fds", "Open file descriptors.")),
        limit(registry.AddGauge("process_max_fds", "Limit of open file descriptors.")),
        os_open(registry.AddGauge("os_fd_used", "Open file descriptors.")),
        os_limit(registry.AddGauge("os_fd_limit", "Limit of open file descriptors.")),
        resident(registry.AddGauge("process_resident_memory_bytes", "Resident memory.")),
        mapped(registry.AddGauge("process_virtual_memory_bytes", "Virtual memory.")),
        mapped_max(registry.AddGauge("process_virtual_memory_max_bytes", "Virtual memory limit.")),
        start(registry.AddGauge("process_start_time_seconds", "Start, in seconds of the epoch.")),
        threads(registry.AddGauge("go_threads", "Threads of the process.")) {}

  void Collect() {
    const double hertz = static_cast<double>(sysconf(_SC_CLK_TCK));
    const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
    const Stat stat = ReadStat();
    cpu.Set(static_cast<double>(stat.cpu_ticks) / hertz);
    resident.Set(static_cast<double>(stat.resident_pages) * page);
    mapped.Set(static_cast<double>(stat.virtual_bytes));
    mapped_max.Set(VirtualLimit());
    start.Set(boot + static_cast<double>(stat.start_ticks) / hertz);
    threads.Set(static_cast<double>(stat.threads));
    const auto used = static_cast<double>(OpenDescriptors());
    const auto allowed = static_cast<double>(DescriptorLimit());
    open.Set(used);
    os_open.Set(used);
    limit.Set(allowed);
    os_limit.Set(allowed);
  }

  FloatCounter& cpu;
  Gauge &open, &limit, &os_open, &os_limit, &resident, &mapped, &mapped_max, &start, &threads;
  const double boot = BootSeconds();
};

}  // namespace

std::uint64_t OpenDescriptors() {
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  std::uint64_t count = 0;
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count - 3;  // ".", ".." and the one that lists
}

std::uint64_t DescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void AddProcessMetrics(Registry& registry) {
  auto gauges = std::make_shared<ProcessGauges>(registry);
  registry.AddCollector([gauges] { gauges->Collect(); });
}

}  // namespace etcd::metrics
