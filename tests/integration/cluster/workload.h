#pragma once

#include <array>
#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/cluster/endpoint.h"
#include "tests/simulation/history.h"

namespace etcd::cluster {

// Closed-loop clients over a few keys that all of them write. What they asked and were told is kept
// and judged at the end, when the history of all revisions is known.
class Workload {
 public:
  struct Options {
    int writers = 64;
    double rate = 1200;  // operations per second of all writers together, at most
    int keys = 16;
    std::uint64_t seed = 1;
    std::chrono::milliseconds patience{3000};  // then the outcome counts as unknown
  };
  // Since Mark.
  struct Report {
    std::int64_t writes = 0;  // acknowledged
    std::int64_t reads = 0;   // linearizable
    std::int64_t failed_writes = 0;
    std::int64_t failed_twice = 0;  // writes of a writer whose write before had failed as well
    std::map<std::string, std::int64_t> errors;  // of all calls, by text
    std::chrono::nanoseconds longest_gap{0};     // without an acknowledged write
    std::chrono::nanoseconds slowest{0};         // acknowledged write
  };
  using Endpoints = std::vector<std::unique_ptr<Endpoint>>;

  Workload(Endpoints& endpoints, Options options);

  // Starts what is due and gives up on what took too long.
  void Tick(SteadyClock::time_point now);
  void Stop() { stopped_ = true; }
  bool is_idle() const { return open_ == 0; }

  void Mark(SteadyClock::time_point now);
  Report TakeReport(SteadyClock::time_point now);

  // A compaction was acknowledged.
  void OnCompacted(std::int64_t revision) { compacted_ = std::max(compacted_, revision); }

  // Judges everything that was asked.
  void Check(simulation::History& history);
  // A linearizable read of everything that is made last, outside of the loop; its answer counts.
  std::int64_t ReadAll(Endpoint& endpoint);

 private:
  struct Operation {
    etcdserverpb::TxnRequest write;   // or
    etcdserverpb::RangeRequest read;  // the one that `is_read` says
    bool is_read = false;
    simulation::History::Begun begun;
    SteadyClock::time_point started;
    std::size_t writer = 0;
    bool given_up = false;
    bool ended = false;
    std::string answer;  // serialized TxnResponse or RangeResponse
  };
  struct Writer {
    SteadyClock::time_point due;
    bool busy = false;
    bool failed = false;  // its last write
    std::int64_t counter = 0;
  };

  void Begin(std::size_t writer, SteadyClock::time_point now);
  Endpoint* Choose(SteadyClock::time_point now);
  void Draw(std::size_t writer, Operation& operation);
  void DrawTxn(std::size_t writer, etcdserverpb::TxnRequest& txn);
  void DrawRead(etcdserverpb::RangeRequest& range);
  void Send(Endpoint& endpoint, const std::shared_ptr<Operation>& operation);
  void OnEnd(const std::shared_ptr<Operation>& operation, const bench::Connection::Trailer& trailer,
             std::string_view answer);
  bool Parse(Operation& operation, std::string_view answer);
  void Learn(const Operation& operation);
  void OnAcknowledged(const Operation& operation);
  void OnFailed(const Operation& operation);
  void Release(Operation& operation);
  std::string DrawKey();
  std::string NextValue(std::size_t writer);

  Endpoints& endpoints_;
  const Options options_;
  std::mt19937_64 random_;
  std::vector<Writer> writers_;
  std::vector<std::shared_ptr<Operation>> started_;   // not yet ended, in the order of their start
  std::vector<std::shared_ptr<Operation>> answered_;  // in the order of their answers
  std::vector<std::shared_ptr<Operation>> unknown_;
  std::map<std::string, std::int64_t> mod_revisions_;  // last seen, to guard updates with
  std::int64_t seen_ = 1;
  std::int64_t compacted_ = -1;
  std::int64_t open_ = 0;
  bool stopped_ = false;
  Report report_;
  SteadyClock::time_point last_write_;
};

}  // namespace etcd::cluster
