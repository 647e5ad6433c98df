#include <chrono>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/load/requests.h"
#include "bench/load/wire_reader.h"
#include "bench/load/workload.h"

namespace etcd::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Opened {
  std::vector<std::unique_ptr<Connection>> connections;
  std::int64_t created = 0;
};

// Opens `clients` streams; `on_message(stream, message)` gets what follows the creations.
void OpenWatchers(Loop& loop, const Options& options, Opened& opened,
                  const std::function<std::string(std::int64_t watcher)>& request,
                  const std::function<void(int stream, std::string_view message)>& on_message) {
  opened.connections = Connect(loop, options);
  for (int s = 0; s < options.clients; ++s) {
    Connection& connection =
        *opened.connections[static_cast<std::size_t>(s) % opened.connections.size()];
    const std::int32_t stream =
        connection.OpenStream(kWatch, [&opened, on_message, s](std::string_view message) {
          if (VarintOf(message, 3) != 0) {  // created
            ++opened.created;
          } else {
            on_message(s, message);
          }
        });
    for (int w = 0; w < options.watchers_per_stream; ++w) {
      connection.Send(stream,
                      request(static_cast<std::int64_t>(s) * options.watchers_per_stream + w));
    }
    connection.Flush();
  }
  const auto watchers = static_cast<std::int64_t>(options.clients) * options.watchers_per_stream;
  loop.RunUntil([&] { return opened.created == watchers; });
}

}  // namespace

Outcome RunWatchDistinct(const Options& options) {
  Loop loop;
  Connection writer(loop, options.host, options.port);
  Outcome outcome;
  Opened opened;
  OpenWatchers(
      loop, options, opened,
      [&](std::int64_t watcher) { return WatchCreate(KeyOf(watcher, options.key_bytes)); },
      [&](int, std::string_view message) { outcome.operations += CountEvents(message); });

  const SteadyClock::time_point start = SteadyClock::now();
  const std::string value(static_cast<std::size_t>(options.value_bytes), 'v');
  const auto watchers = static_cast<std::uint64_t>(opened.created);
  std::mt19937_64 random(options.seed);
  std::int64_t in_flight = 0;
  std::int64_t sent = 0;
  while (outcome.operations < options.total) {
    // As many puts at a time as let the server form batches, as with many writers.
    constexpr std::int64_t kAhead = 100;
    for (; in_flight < kAhead && sent < options.total; ++in_flight, ++sent) {
      const auto key = static_cast<std::int64_t>(random() % watchers);
      writer.Call(kPut, PutRequest(KeyOf(key, options.key_bytes), value),
                  [&](const Connection::Trailer& trailer, std::string_view) {
                    if (trailer.status != 0) ++outcome.errors;
                    --in_flight;
                  });
    }
    writer.Flush();
    loop.RunUntil([&] {
      return sent < options.total ? in_flight <= kAhead / 2 : outcome.operations >= sent;
    });
  }
  loop.RunUntil([&] { return in_flight == 0; });
  outcome.elapsed = SteadyClock::now() - start;
  return outcome;
}

Outcome RunWatchLatency(const Options& options) {
  Loop loop;
  Connection writer(loop, options.host, options.port);
  Outcome outcome;
  Opened opened;
  std::vector<SteadyClock::time_point> sent;
  // The n-th event of a watcher is the n-th put: all watch the one key that is written.
  std::vector<std::map<std::int64_t, std::size_t>> seen(static_cast<std::size_t>(options.clients));
  OpenWatchers(
      loop, options, opened, [](std::int64_t) { return WatchCreate("watched", {}, true); },
      [&](int stream, std::string_view message) {
        const SteadyClock::time_point now = SteadyClock::now();
        std::size_t& next = seen[static_cast<std::size_t>(stream)][VarintOf(message, 2)];
        for (std::int64_t events = CountEvents(message); events > 0; --events) {
          outcome.AddLatency(now - sent[next++]);
          ++outcome.operations;
        }
      });

  const SteadyClock::time_point start = SteadyClock::now();
  const std::string value(static_cast<std::size_t>(options.value_bytes), 'v');
  const std::chrono::duration<double> gap(1 / options.rate);
  std::int64_t acknowledged = 0;
  for (std::int64_t i = 0; i < options.total; ++i) {
    const auto due =
        start + std::chrono::duration_cast<SteadyClock::duration>(gap * static_cast<double>(i));
    loop.RunUntil(due);
    sent.push_back(SteadyClock::now());
    writer.Call(kPut, PutRequest("watched", value),
                [&](const Connection::Trailer& trailer, std::string_view) {
                  if (trailer.status != 0) ++outcome.errors;
                  ++acknowledged;
                });
    writer.Flush();
  }
  const std::int64_t expected = options.total * opened.created;
  loop.RunUntil([&] { return acknowledged == options.total && outcome.operations >= expected; });
  outcome.elapsed = SteadyClock::now() - start;
  return outcome;
}

}  // namespace etcd::bench
