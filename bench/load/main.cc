#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "bench/load/server_usage.h"
#include "bench/load/workload.h"

// bench_load --workload=put --port=2379 --clients=1000 --connections=100 ...: runs one workload and
// prints one JSON object. bench/compare.py runs it against each server in turn.
namespace etcd::bench {
namespace {

Options Parse(int argc, char** argv) {
  Options options;
  const std::map<std::string, std::function<void(const std::string&)>> setters = {
      {"host", [&](const std::string& v) { options.host = v; }},
      {"port",
       [&](const std::string& v) {
         std::istringstream in(v);
         for (std::string one; std::getline(in, one, ',');) {
           options.ports.push_back(static_cast<std::uint16_t>(std::stoi(one)));
         }
         options.port = options.ports.at(0);
       }},
      {"workload", [&](const std::string& v) { options.workload = v; }},
      {"connections", [&](const std::string& v) { options.connections = std::stoi(v); }},
      {"clients", [&](const std::string& v) { options.clients = std::stoi(v); }},
      {"total", [&](const std::string& v) { options.total = std::stoll(v); }},
      {"key-space", [&](const std::string& v) { options.key_space = std::stoll(v); }},
      {"first-key", [&](const std::string& v) { options.first_key = std::stoll(v); }},
      {"key-bytes", [&](const std::string& v) { options.key_bytes = std::stoi(v); }},
      {"value-bytes", [&](const std::string& v) { options.value_bytes = std::stoi(v); }},
      {"sequential", [&](const std::string& v) { options.sequential = v == "true"; }},
      {"limit", [&](const std::string& v) { options.limit = std::stoll(v); }},
      {"watchers", [&](const std::string& v) { options.watchers_per_stream = std::stoi(v); }},
      {"rw-ratio", [&](const std::string& v) { options.rw_ratio = std::stod(v); }},
      {"rate", [&](const std::string& v) { options.rate = std::stod(v); }},
      {"gets-rate", [&](const std::string& v) { options.gets_rate = std::stod(v); }},
      {"seconds", [&](const std::string& v) { options.seconds = std::stod(v); }},
      {"server-pid", [&](const std::string& v) { options.server_pid = std::stoi(v); }},
      {"seed", [&](const std::string& v) { options.seed = std::stoull(v); }},
  };
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const auto setter = equals == std::string::npos || argument.rfind("--", 0) != 0
                            ? setters.end()
                            : setters.find(argument.substr(2, equals - 2));
    if (setter == setters.end()) {
      std::fprintf(stderr, "bench_load: unknown argument %s\n", argument.c_str());
      std::exit(2);
    }
    setter->second(argument.substr(equals + 1));
  }
  return options;
}

double Percentile(const std::vector<std::uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return sorted[at] / 1000.0;
}

Outcome Run(const Options& options) {
  const std::map<std::string, Outcome (*)(const Options&)> runs = {
      {"watch", RunWatch},
      {"watch-distinct", RunWatchDistinct},
      {"watch-latency", RunWatchLatency},
      {"lease-keepalive", RunKeepAlive},
      {"paged-list", RunLists},
      {"range-stream", RunLists},
      {"kubernetes", RunKubernetes},
      {"background", RunBackground},
  };
  const auto it = runs.find(options.workload);
  return it == runs.end() ? RunUnary(options) : it->second(options);
}

int Main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  ResetPeak(options.server_pid);
  const ServerUsage before = ReadServerUsage(options.server_pid);
  Outcome outcome = Run(options);
  const ServerUsage after = ReadServerUsage(options.server_pid);
  std::sort(outcome.latencies_us.begin(), outcome.latencies_us.end());
  const double seconds = static_cast<double>(outcome.elapsed.count()) / 1e9;
  const auto operations = static_cast<double>(outcome.operations);
  std::printf(
      "{\"workload\":\"%s\",\"operations\":%lld,\"errors\":%lld,\"seconds\":%.3f,\"rate\":%.1f,"
      "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"server_cpu_us\":%.3f,"
      "\"response_bytes\":%lld,\"rss_mb\":%.1f,\"rss_anon_mb\":%.1f,\"rss_peak_mb\":%.1f,"
      "\"rss_before_mb\":%.1f",
      options.workload.c_str(), static_cast<long long>(outcome.operations),
      static_cast<long long>(outcome.errors), seconds, operations / seconds,
      Percentile(outcome.latencies_us, 0.5), Percentile(outcome.latencies_us, 0.99),
      Percentile(outcome.latencies_us, 0.999),
      (after.cpu_seconds - before.cpu_seconds) * 1e6 / operations,
      static_cast<long long>(outcome.response_bytes), static_cast<double>(after.rss_bytes) / 1e6,
      static_cast<double>(after.rss_anonymous_bytes) / 1e6,
      static_cast<double>(after.rss_peak_bytes) / 1e6, static_cast<double>(before.rss_bytes) / 1e6);
  for (const auto& [name, value] : outcome.extra) std::printf(",\"%s\":%.3f", name.c_str(), value);
  std::printf("}\n");
  return outcome.errors == 0 ? 0 : 1;
}

}  // namespace
}  // namespace etcd::bench

int main(int argc, char** argv) { return etcd::bench::Main(argc, argv); }
