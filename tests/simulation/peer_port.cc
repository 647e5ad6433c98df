#include "tests/simulation/peer_port.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"

namespace etcd::simulation {
namespace {

constexpr std::size_t kPieceBytes = 32 << 10;

// May come from somebody else, who took this member for the leader.
bool IsPassedOn(raft::MessageType type) {
  return type == raft::MessageType::kProp || type == raft::MessageType::kReadIndex ||
         type == raft::MessageType::kTransferLeader;
}

absl::Status Gone() {
  return base::MakeStatus(absl::StatusCode::kUnavailable, "simulated: no connection");
}

}  // namespace

PeerPort::PeerPort(Network& network, int machine, Process& process)
    : network_(network),
      machine_(machine),
      process_(process),
      executor_(process.NewExecutor("peers")),
      self_(std::make_shared<PeerPort*>(this)) {}

PeerPort::~PeerPort() {
  *self_ = nullptr;
  Close();
}

void PeerPort::OpenToAsk(MemberId self) {
  id_ = self;
  is_open_ = true;
  attached_at_ = network_.world().now();
  network_.Attach(machine_, this);
}

void PeerPort::Open(MemberId self, ports::PeerReceiver& receiver, Serve serve) {
  receiver_ = &receiver;
  serve_ = std::move(serve);
  OpenToAsk(self);
}

void PeerPort::Close() {
  is_open_ = false;
  receiver_ = nullptr;
  incoming_.clear();
  outgoing_.clear();
  network_.Detach(machine_, this);
}

std::function<void()> PeerPort::Here(std::function<void(PeerPort&)> task) {
  return [self = self_, task = std::move(task)] {
    if (*self == nullptr || (*self)->process_.is_doomed()) return;
    (*self)->executor_.Post([self, task] {
      if (*self != nullptr && (*self)->is_open_) task(**self);
    });
  };
}

void PeerPort::AnswerTo(int machine, std::function<void(PeerPort&)> task,
                        std::function<void(PeerPort&)> lost) {
  PeerPort* other = network_.At(machine);
  if (other == nullptr) return;
  network_.TransmitBack(machine_, machine, other->Here(std::move(task)),
                        other->Here(std::move(lost)));
}

void PeerPort::OnPeerGone(int machine) {
  for (const auto& [id, transfer] : outgoing_) {
    if (transfer.to != machine) continue;
    executor_.Post(Here([id = id](PeerPort& port) { port.EndTransfer(id, false); }));
  }
  for (const auto& [id, ask] : asks_) {
    if (ask.to == machine)
      executor_.Post(Here([id = id](PeerPort& port) { port.EndAsk(id, Gone()); }));
  }
}

// ---- Messages

void PeerPort::AddPeer(MemberId id, const std::vector<std::string>& urls) {
  CHECK(!urls.empty()) << "a peer without URLs";
  peers_[id] = urls;
}

std::optional<base::Clock::Monotonic> PeerPort::ActiveSince(MemberId id) const {
  const auto peer = peers_.find(id);
  if (peer == peers_.end()) return std::nullopt;
  const auto since = network_.ConnectedSince(machine_, Network::MachineOf(peer->second.front()));
  if (!since) return std::nullopt;
  return process_.MonotonicAt(std::max(*since, attached_at_));
}

void PeerPort::Send(std::vector<raft::Message> messages) {
  if (process_.is_doomed()) return;
  for (raft::Message& message : messages) {
    CHECK(message.from == id_ || IsPassedOn(message.type)) << "in the name of another member";
    network_.check.OnSend(message);
    const auto peer = peers_.find(message.to);
    if (peer == peers_.end()) continue;
    const int to = Network::MachineOf(peer->second.front());
    auto bytes = std::make_shared<const std::string>(raftcodec::Encode(message));
    // Nothing in etcd's protocol tells a proposal that comes twice from two proposals; peers rely
    // on TCP for that.
    network_.Transmit(
        machine_, to, message.type != raft::MessageType::kProp,
        [&network = network_, from = machine_, to, bytes] {
          network.At(to)->Here([from, bytes](PeerPort& port) { port.OnBytes(from, *bytes); })();
        },
        Here([id = message.to](PeerPort& port) { port.ReportLost(id); }));
  }
}

void PeerPort::ReportLost(MemberId to) { receiver_->ReportUnreachable(to); }

// What rafthttp refuses before raft hears of it: wrong addressees, members that were removed.
bool PeerPort::IsWelcome(int from, const raft::Message& message) {
  if (message.to != id_) return false;
  if (!receiver_->IsRemoved(message.from)) return true;
  network_.world().Count("removed member told so");
  AnswerTo(
      from,
      [sender = message.from](PeerPort& port) {
        if (port.id_ == sender && port.answers()) port.receiver_->OnRemovedByPeers();
      },
      [](PeerPort&) {});
  return false;
}

void PeerPort::OnBytes(int from, const std::string& bytes) {
  absl::StatusOr<raft::Message> message = raftcodec::DecodeMessage(bytes);
  CHECK_OK(message.status());
  if (!IsWelcome(from, *message)) return;
  // A joiner that was killed before it heard anything knows nobody; who talks to it says where it
  // is (X-PeerURLs).
  peers_.try_emplace(message->from, std::vector<std::string>{Network::UrlOf(from)});
  std::vector<raft::Message> messages;
  messages.push_back(*std::move(message));
  receiver_->Receive(std::move(messages));
}

// ---- Snapshots

void PeerPort::SendSnapshot(raft::Message message,
                            std::unique_ptr<ports::SnapshotSource> database) {
  network_.check.OnSend(message);
  network_.world().Count("snapshot sent");
  const auto peer = peers_.find(message.to);
  const std::uint64_t id = next_id_++;
  Outgoing& out = outgoing_[id];
  out.to = peer == peers_.end() ? 0 : Network::MachineOf(peer->second.front());
  out.peer = message.to;
  out.message = raftcodec::Encode(message);
  out.rest = database->size();
  out.source = std::move(database);
  executor_.Post(Here([id](PeerPort& port) { port.Pump(id); }));
}

void PeerPort::Pump(std::uint64_t transfer) {
  const auto found = outgoing_.find(transfer);
  if (found == outgoing_.end()) return;
  std::string buffer(kPieceBytes, '\0');
  // It may wait for the disk; meanwhile the transfer may end.
  const std::shared_ptr<ports::SnapshotSource> source = found->second.source;
  const absl::StatusOr<std::size_t> read = source->Read(buffer);
  const auto again = outgoing_.find(transfer);
  if (again == outgoing_.end()) return;
  Outgoing& out = again->second;
  if (!read.ok()) return EndTransfer(transfer, false);
  buffer.resize(*read);
  if (*read > out.rest) network_.world().Fail("a snapshot is longer than announced");
  out.rest -= *read;
  if (*read == 0 && out.rest > 0) network_.world().Fail("a snapshot is shorter than announced");
  auto piece = std::make_shared<Piece>(
      Piece{transfer, machine_, std::exchange(out.message, ""), std::move(buffer), out.rest == 0});
  network_.TransmitSafely(
      machine_, out.to, piece->bytes.size() + piece->message.size(),
      [&network = network_, to = out.to, piece] {
        network.At(to)->Here([piece](PeerPort& port) { port.OnPiece(*piece); })();
      },
      Here([transfer](PeerPort& port) { port.EndTransfer(transfer, false); }));
}

bool PeerPort::TakePiece(const Piece& piece) {
  const auto key = std::pair(piece.from, piece.transfer);
  if (!piece.message.empty()) {
    absl::StatusOr<raft::Message> message = raftcodec::DecodeMessage(piece.message);
    CHECK_OK(message.status());
    if (!IsWelcome(piece.from, *message)) return false;
    auto sink = receiver_->ReceiveSnapshot(*std::move(message));
    if (!sink.ok()) return false;
    incoming_[key] = *std::move(sink);
  }
  auto node = incoming_.extract(key);
  if (node.empty()) return false;
  // It may wait for the disk; meanwhile this port may be closed.
  bool ok = node.mapped()->Write(piece.bytes).ok();
  if (ok && piece.is_last) {
    ok = node.mapped()->Finish().ok();
    if (ok) network_.world().Count("snapshot received");
    if (ok && network_.on_snapshot_received) network_.on_snapshot_received(machine_);
  } else if (ok && receiver_ != nullptr) {
    incoming_.insert(std::move(node));
  }
  return ok;
}

void PeerPort::OnPiece(const Piece& piece) {
  const bool ok = TakePiece(piece);
  AnswerTo(
      piece.from, [id = piece.transfer, ok](PeerPort& port) { port.OnPieceTaken(id, ok); },
      [id = piece.transfer](PeerPort& port) { port.EndTransfer(id, false); });
}

void PeerPort::OnPieceTaken(std::uint64_t transfer, bool ok) {
  const auto found = outgoing_.find(transfer);
  if (found == outgoing_.end()) return;
  if (!ok || found->second.rest == 0) return EndTransfer(transfer, ok);
  Pump(transfer);
}

void PeerPort::EndTransfer(std::uint64_t transfer, bool ok) {
  auto node = outgoing_.extract(transfer);
  if (node.empty()) return;
  if (!ok) network_.world().Count("snapshot transfer failed");
  receiver_->ReportSnapshot(node.mapped().peer, ok);
}

// ---- Plain requests

void PeerPort::Ask(std::string url, ports::PeerRequest request, std::chrono::nanoseconds timeout,
                   absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)> done) {
  const std::uint64_t id = next_id_++;
  const int to = Network::MachineOf(url);
  asks_[id] = {to, std::move(done)};
  executor_.PostAfter(timeout, [self = self_, id] {
    if (*self == nullptr) return;
    (*self)->EndAsk(id,
                    base::MakeStatus(absl::StatusCode::kDeadlineExceeded, "simulated: timeout"));
  });
  const auto give_back = [from = machine_, id](PeerPort& there, ports::PeerReply reply) {
    there.AnswerTo(
        from, [id, reply](PeerPort& port) { port.EndAsk(id, reply); },
        [id](PeerPort& port) { port.EndAsk(id, Gone()); });
  };
  network_.TransmitSafely(
      machine_, to, request.body.size(),
      [&network = network_, to, request = std::move(request), give_back] {
        network.At(to)->Here([request, give_back](PeerPort& there) {
          std::shared_ptr<PeerPort*> alive = there.self_;
          there.serve_(request, [alive, give_back](ports::PeerReply reply) {
            if (*alive != nullptr) give_back(**alive, std::move(reply));
          });
        })();
      },
      Here([id](PeerPort& port) { port.EndAsk(id, Gone()); }));
}

void PeerPort::EndAsk(std::uint64_t ask, absl::StatusOr<ports::PeerReply> reply) {
  auto node = asks_.extract(ask);
  if (!node.empty()) node.mapped().done(std::move(reply));
}

}  // namespace etcd::simulation
