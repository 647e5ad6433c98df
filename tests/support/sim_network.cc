#include "tests/support/sim_network.h"

#include <algorithm>
#include <array>

#include "server/base/check.h"
#include "server/raftcodec/raftpb.h"

namespace etcd::testing {
namespace {

constexpr std::size_t kChunkBytes = 4096;

}  // namespace

class SimNetwork::Port final : public ports::PeerTransport {
 public:
  Port(SimNetwork& network, std::size_t machine) : network_(network), machine_(machine) {}

  void Send(std::vector<raft::Message> messages) override {
    for (const raft::Message& message : messages) {
      CHECK(message.type != raft::MessageType::kSnap) << "kSnap goes with its database";
      if (known_.contains(message.to)) network_.SendBytes(machine_, message);
    }
  }
  void SendSnapshot(raft::Message message,
                    std::unique_ptr<ports::SnapshotSource> database) override {
    network_.StartTransfer(machine_, std::move(message), std::move(database));
  }
  void AddPeer(MemberId id, const std::vector<std::string>& urls) override { known_[id] = urls; }
  void RemovePeer(MemberId id) override { known_.erase(id); }
  std::optional<base::Clock::Monotonic> ActiveSince(MemberId id) const override {
    const Port* other = network_.Find(id);
    if (other == nullptr || !known_.contains(id)) return std::nullopt;
    if (!network_.Passes(machine_, other->machine_) ||
        !network_.Passes(other->machine_, machine_)) {
      return std::nullopt;
    }
    return std::max(up_since, other->up_since);
  }

  std::size_t machine() const { return machine_; }
  void Forget() { known_.clear(); }

  MemberId member_id;
  ports::PeerReceiver* receiver = nullptr;  // null: no process
  std::uint64_t incarnation = 0;            // of the process
  base::Clock::Monotonic up_since;

 private:
  SimNetwork& network_;
  const std::size_t machine_;
  std::map<MemberId, std::vector<std::string>> known_;
};

// A snapshot on its way. The sending process may die meanwhile, and so may the receiving one.
struct SimNetwork::Transfer {
  Transfer(Port& sender, MemberId receiver)
      : from(sender), from_incarnation(sender.incarnation), to(receiver) {}

  Port& from;
  std::uint64_t from_incarnation;
  MemberId to;
  Port* target = nullptr;
  std::uint64_t target_incarnation = 0;
  raft::Message message;
  std::unique_ptr<ports::SnapshotSource> database;
  std::unique_ptr<ports::SnapshotSink> sink;
  std::uint64_t sent_bytes = 0;
};

SimNetwork::SimNetwork(SimScheduler& scheduler, std::uint64_t seed)
    : scheduler_(scheduler), random_(seed), executor_(scheduler.NewExecutor(UINT64_MAX)) {}

SimNetwork::~SimNetwork() = default;

ports::PeerTransport& SimNetwork::PortOf(std::size_t machine) {
  std::unique_ptr<Port>& port = ports_[machine];
  if (port == nullptr) port = std::make_unique<Port>(*this, machine);
  return *port;
}

void SimNetwork::Attach(std::size_t machine, MemberId id, ports::PeerReceiver& receiver) {
  Port& port = *ports_.at(machine);
  port.member_id = id;
  port.receiver = &receiver;
  ++port.incarnation;
  port.up_since = scheduler_.clock().Now();
}

void SimNetwork::Detach(std::size_t machine) {
  Port& port = *ports_.at(machine);
  port.receiver = nullptr;
  port.Forget();
  // Neither end may outlive its process.
  for (const std::weak_ptr<Transfer>& weak : std::exchange(transfers_, {})) {
    const std::shared_ptr<Transfer> transfer = weak.lock();
    if (transfer == nullptr) continue;
    if (transfer->target == &port) transfer->sink.reset();
    if (&transfer->from == &port) transfer->database.reset();
    transfers_.push_back(weak);
  }
}

void SimNetwork::Partition(const std::set<std::size_t>& group) {
  for (const auto& [a, port_a] : ports_) {
    for (const auto& [b, port_b] : ports_) {
      if (group.contains(a) != group.contains(b)) Cut(a, b);
    }
  }
}

bool SimNetwork::Passes(std::size_t from, std::size_t to) const {
  return !cut_.contains({from, to});
}

SimNetwork::Port* SimNetwork::Find(MemberId id) {
  for (const auto& [machine, port] : ports_) {
    if (port->receiver != nullptr && port->member_id == id) return port.get();
  }
  return nullptr;
}

std::chrono::nanoseconds SimNetwork::DrawDelay() {
  const auto range = static_cast<std::uint64_t>((faults.delay_max - faults.delay_min).count());
  return faults.delay_min + std::chrono::nanoseconds(range == 0 ? 0 : random_.Below(range));
}

void SimNetwork::SendBytes(std::size_t from, const raft::Message& message) {
  const Port* target = Find(message.to);
  if (target == nullptr || !Passes(from, target->machine())) return;
  if (filter && !filter(message)) return;
  if (faults.drop > 0 && static_cast<double>(random_.Below(1'000'000)) < faults.drop * 1e6) return;
  const std::size_t to = target->machine();
  auto arrival = scheduler_.clock().Now() + DrawDelay();
  base::Clock::Monotonic& last = last_arrival_[{from, to}];
  if (!faults.reorder) arrival = std::max(arrival, last);
  last = std::max(arrival, last);
  executor_.PostAfter(
      arrival - scheduler_.clock().Now(),
      [this, from, to, bytes = raftcodec::Encode(message)] { Deliver(from, to, bytes); });
}

// To whatever process of the member runs there by now: what was sent to one that is gone may be
// queued for the connection that the next one opens.
void SimNetwork::Deliver(std::size_t from, std::size_t to, const std::string& bytes) {
  const Port& target = *ports_.at(to);
  if (target.receiver == nullptr || !Passes(from, to)) return;
  auto decoded = raftcodec::DecodeMessage(bytes);
  CHECK(decoded.ok()) << decoded.status();
  // What the peer protocol does for both ends: nobody hears what is for another member, and who has
  // left is not heard.
  if (decoded->to != target.member_id) return;
  if (target.receiver->IsRemoved(decoded->from)) {
    Port& sender = *ports_.at(from);
    if (sender.receiver != nullptr && sender.member_id == decoded->from) {
      sender.receiver->OnRemovedByPeers();
    }
    return;
  }
  std::vector<raft::Message> one;
  one.push_back(*std::move(decoded));
  target.receiver->Receive(std::move(one));
}

void SimNetwork::StartTransfer(std::size_t from, raft::Message message,
                               std::unique_ptr<ports::SnapshotSource> database) {
  Port& port = *ports_.at(from);
  auto transfer = std::make_shared<Transfer>(port, message.to);
  const auto bytes = raftcodec::Encode(message);
  auto decoded = raftcodec::DecodeMessage(bytes);
  CHECK(decoded.ok()) << decoded.status();
  transfer->message = *std::move(decoded);
  transfer->database = std::move(database);
  transfers_.push_back(transfer);
  executor_.PostAfter(DrawDelay(), [this, transfer] { Continue(transfer); });
}

// One chunk after the other, so that anything may happen in between.
void SimNetwork::Continue(const std::shared_ptr<Transfer>& transfer) {
  if (transfer->from.receiver == nullptr ||
      transfer->from.incarnation != transfer->from_incarnation) {
    return;  // the sender is gone, and with it the transfer
  }
  if (transfer->target == nullptr) {
    transfer->target = Find(transfer->to);
    if (transfer->target == nullptr) return End(transfer, false);
    transfer->target_incarnation = transfer->target->incarnation;
  }
  Port& target = *transfer->target;
  const bool gone =
      target.receiver == nullptr || target.incarnation != transfer->target_incarnation;
  const bool cut = !Passes(transfer->from.machine(), target.machine());
  if (gone || cut) return End(transfer, false);
  if (transfer->sink == nullptr) {
    auto sink = target.receiver->ReceiveSnapshot(std::move(transfer->message));
    if (!sink.ok()) return End(transfer, false);
    transfer->sink = *std::move(sink);
  }
  std::array<char, kChunkBytes> chunk;
  const auto read = transfer->database->Read(chunk);
  if (!read.ok()) return End(transfer, false);
  if (*read == 0) return End(transfer, transfer->sink->Finish().ok());
  transfer->sent_bytes += *read;
  if (snapshot_fails_after.has_value() && transfer->sent_bytes > *snapshot_fails_after) {
    return End(transfer, false);
  }
  if (!transfer->sink->Write({chunk.data(), *read}).ok()) return End(transfer, false);
  executor_.PostAfter(DrawDelay(), [this, transfer] { Continue(transfer); });
}

void SimNetwork::End(const std::shared_ptr<Transfer>& transfer, bool ok) {
  transfer->sink.reset();
  transfer->database.reset();
  if (ok) ++snapshots_delivered_;
  if (transfer->from.receiver != nullptr) {
    transfer->from.receiver->ReportSnapshot(transfer->to, ok);
  }
}

}  // namespace etcd::testing
