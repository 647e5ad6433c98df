#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

namespace etcd::simulation {

struct RunResult {
  std::string failure;  // "": every promise was kept
  std::uint64_t trace_hash = 0;
  double virtual_seconds = 0;
  std::uint64_t operations = 0;  // answered calls
  std::uint64_t revisions = 0;
  std::uint64_t events = 0;
  std::map<std::string, std::uint64_t> marks;
};

struct RunSettings {
  bool verbose = false;  // prints every line of the trace
  bool report = true;    // prints options and the last lines of the trace when it fails
  std::string without;   // see Options::LeaveOut
};

// One run of one seed.
RunResult Run(std::uint64_t seed, const RunSettings& settings);

// What is known of the run that is under way, for a crash of the code under test.
void ReportCurrent(const std::string& failure, std::FILE* out);

// The run under way takes too long: it fails at its next event. For signal handlers.
void InterruptCurrent();

}  // namespace etcd::simulation
