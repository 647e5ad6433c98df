#include "tests/simulation/network.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "server/base/check.h"
#include "tests/simulation/peer_port.h"

namespace etcd::simulation {

std::string Network::UrlOf(int machine, bool second) {
  return fmt::format("http://10.0.{}.{}:2380", second ? 1 : 0, machine);
}

int Network::MachineOf(const std::string& url) {
  const std::size_t dot = url.rfind('.');
  return dot == std::string::npos ? 0 : std::atoi(url.c_str() + dot + 1);
}

// ---- Faults

void Network::Cut(int from, int to) { links_[{from, to}].is_cut = true; }

void Network::Mend(int from, int to) {
  Link& link = links_[{from, to}];
  if (!link.is_cut) return;
  link.is_cut = false;
  link.mended = world_.now();
}

void Network::Heal() {
  healed_ = true;
  for (auto& [ends, link] : links_) {
    if (link.is_cut) link.mended = world_.now();
    link.is_cut = false;
    link.slow = Nanos(0);
    link.clogged_until = Nanos(0);
  }
}

bool Network::IsCut(int from, int to) const {
  const auto found = links_.find({from, to});
  return found != links_.end() && found->second.is_cut;
}

// ---- Ports

PeerPort* Network::At(int machine) const {
  const auto found = ports_.find(machine);
  return found == ports_.end() ? nullptr : found->second;
}

void Network::Detach(int machine, PeerPort* port) {
  if (At(machine) != port) return;
  ports_.erase(machine);
  for (auto& [other, at] : ports_) at->OnPeerGone(machine);
}

std::optional<Nanos> Network::ConnectedSince(int a, int b) const {
  const PeerPort* other = At(b);
  if (other == nullptr || !other->answers() || IsCut(a, b) || IsCut(b, a)) return std::nullopt;
  Nanos since = other->attached_at();
  for (const auto& ends : {std::pair(a, b), std::pair(b, a)}) {
    if (const auto link = links_.find(ends); link != links_.end()) {
      since = std::max(since, link->second.mended);
    }
  }
  return since;
}

// ---- Bytes

Nanos Network::DrawDue(Link& link) {
  base::Random& random = world_.random.network;
  Nanos due = world_.now() + link.slow +
              Between(random, std::chrono::microseconds(20), options.network.latency_max);
  due = std::max(due, link.clogged_until);
  if (Chance(random, healed_ ? 0 : options.network.reorder_per_mille)) {
    world_.Count("message overtaken");
    return due + Between(random, Nanos(0), 10 * options.network.latency_max);
  }
  due = std::max(due, link.last_due);
  link.last_due = due;
  return due;
}

void Network::Transmit(int from, int to, bool may_double, std::function<void()> arrive,
                       std::function<void()> lost) {
  Link& link = links_[{from, to}];
  base::Random& random = world_.random.network;
  const bool drop = Chance(random, healed_ ? 0 : options.network.drop_per_mille);
  if (drop) world_.Count("message lost");
  if (drop || link.is_cut) return world_.After(options.network.latency_max, std::move(lost));
  const auto deliver = [this, from, to, arrive, lost] { Reaches(from, to) ? arrive() : lost(); };
  if (Chance(random, healed_ || !may_double ? 0 : options.network.duplicate_per_mille)) {
    world_.Count("message doubled");
    world_.After(DrawDue(link) - world_.now(), deliver);
  }
  world_.After(DrawDue(link) - world_.now(), deliver);
}

bool Network::Reaches(int from, int to) const {
  const PeerPort* port = At(to);
  return !IsCut(from, to) && port != nullptr && port->answers();
}

// 10 MB/s.
Nanos Network::DrawDelay(int from, int to, std::size_t bytes) {
  const Link& link = links_[{from, to}];
  const Nanos due =
      std::max(link.clogged_until, world_.now() + link.slow) +
      Between(world_.random.network, std::chrono::microseconds(20), options.network.latency_max) +
      Nanos(100 * static_cast<std::int64_t>(bytes));
  return due - world_.now();
}

void Network::TransmitSafely(int from, int to, std::size_t bytes, std::function<void()> arrive,
                             std::function<void()> lost) {
  world_.After(DrawDelay(from, to, bytes),
               [this, from, to, arrive = std::move(arrive), lost = std::move(lost)] {
                 Reaches(from, to) ? arrive() : lost();
               });
}

void Network::TransmitBack(int from, int to, std::function<void()> arrive,
                           std::function<void()> lost) {
  world_.After(DrawDelay(from, to, 0),
               [this, from, to, arrive = std::move(arrive), lost = std::move(lost)] {
                 IsCut(from, to) || At(to) == nullptr ? lost() : arrive();
               });
}

}  // namespace etcd::simulation
