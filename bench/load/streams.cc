#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "bench/load/requests.h"
#include "bench/load/wire_reader.h"
#include "bench/load/workload.h"

namespace etcd::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

}  // namespace

Outcome RunWatch(const Options& options) {
  Loop loop;
  const auto connections = Connect(loop, options);
  Connection writer(loop, options.host, options.port);
  const std::string key = "watched";
  Outcome outcome;
  std::int64_t created = 0;
  const std::int64_t watchers =
      static_cast<std::int64_t>(options.clients) * options.watchers_per_stream;
  for (int s = 0; s < options.clients; ++s) {
    Connection& connection = *connections[static_cast<std::size_t>(s) % connections.size()];
    const std::int32_t stream = connection.OpenStream(kWatch, [&](std::string_view message) {
      const std::int64_t events = CountEvents(message);
      if (events == 0) ++created;
      outcome.operations += events;
    });
    for (int w = 0; w < options.watchers_per_stream; ++w) connection.Send(stream, WatchCreate(key));
    connection.Flush();
  }
  loop.RunUntil([&] { return created == watchers; });

  const SteadyClock::time_point start = SteadyClock::now();
  std::int64_t expected = 0;
  const std::string value(static_cast<std::size_t>(options.value_bytes), 'v');
  while (outcome.operations < options.total) {
    // A few puts ahead of the events: the fan-out is what is measured, not the round trip.
    int answered = 0;
    constexpr int kBurst = 8;
    for (int i = 0; i < kBurst; ++i) {
      writer.Call(kPut, PutRequest(key, value),
                  [&](const Connection::Trailer& trailer, std::string_view) {
                    if (trailer.status != 0) ++outcome.errors;
                    ++answered;
                  });
    }
    writer.Flush();
    expected += kBurst * watchers;
    loop.RunUntil([&] { return answered == kBurst && outcome.operations >= expected; });
  }
  outcome.elapsed = SteadyClock::now() - start;
  return outcome;
}

Outcome RunKeepAlive(const Options& options) {
  Loop loop;
  const auto connections = Connect(loop, options);
  Outcome outcome;
  int granted = 0;
  for (int i = 0; i < options.clients; ++i) {
    connections[0]->Call(kLeaseGrant, LeaseGrant(i + 1, 600),
                         [&](const Connection::Trailer&, std::string_view) { ++granted; });
  }
  connections[0]->Flush();
  loop.RunUntil([&] { return granted == options.clients; });

  const SteadyClock::time_point start = SteadyClock::now();
  std::int64_t started = 0;
  std::vector<std::int32_t> streams(static_cast<std::size_t>(options.clients));
  for (int i = 0; i < options.clients; ++i) {
    const auto slot = static_cast<std::size_t>(i);
    Connection& connection = *connections[slot % connections.size()];
    streams[slot] = connection.OpenStream(kLeaseKeepAlive, [&, slot, i](std::string_view) {
      ++outcome.operations;
      if (started == options.total) return;
      ++started;
      connection.Send(streams[slot], LeaseKeepAlive(i + 1));
    });
    ++started;
    connection.Send(streams[slot], LeaseKeepAlive(i + 1));
    connection.Flush();
  }
  loop.RunUntil([&] { return outcome.operations >= options.total; });
  outcome.elapsed = SteadyClock::now() - start;
  return outcome;
}

}  // namespace etcd::bench
