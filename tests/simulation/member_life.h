#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "server/base/http_call.h"
#include "tests/simulation/member.h"
#include "tests/simulation/peer_port.h"

namespace etcd::simulation {

// From a client's machine to a member's, and back.
inline Nanos Latency(World& world) {
  return Between(world.random.network, std::chrono::microseconds(20),
                 std::chrono::microseconds(400));
}

// One process, and the machine's view of its connections.
struct SimMember::Life {
  Process& process;
  base::SeededRandom random;
  std::unique_ptr<SimEngine> engine;
  std::unique_ptr<PeerPort> port;
  base::Executor& loop;
  base::Executor& background;
  base::Executor& watch;
  base::Executor& bulk;
  std::unique_ptr<node::Member> member;
  std::unique_ptr<watch::WatchHub> hub;
  std::optional<base::MethodTable> table;
  std::unique_ptr<base::HttpHandler> peer_http;
  std::map<std::uint64_t, Answer> waiting;
  std::vector<std::shared_ptr<Stream>> streams;
  bool serves = false;
  bool halted = false;

  Life(Process& p, std::uint64_t seed)
      : process(p),
        random(seed),
        loop(p.NewExecutor("loop")),
        background(p.NewExecutor("background")),
        watch(p.NewExecutor("watch")),
        bulk(p.NewExecutor("bulk")) {}
};

}  // namespace etcd::simulation
