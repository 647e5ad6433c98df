#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/ports/peer_client.h"
#include "server/ports/peer_receiver.h"
#include "server/ports/peer_transport.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// The network card of one process: what its member sends goes out here, what comes for it is
// handed to it on an executor of its own.
class PeerPort final : public ports::PeerTransport, public ports::PeerClient {
 public:
  // Answers a plain request of a peer; on the executor "peers".
  using Reply = std::function<void(ports::PeerReply)>;
  using Serve = std::function<void(const ports::PeerRequest&, Reply)>;

  PeerPort(Network& network, int machine, Process& process);
  ~PeerPort() override;
  PeerPort(const PeerPort&) = delete;
  PeerPort& operator=(const PeerPort&) = delete;

  // From now on this machine asks, for the member `self`, but answers nobody.
  void OpenToAsk(MemberId self);
  // From now on it answers too.
  void Open(MemberId self, ports::PeerReceiver& receiver, Serve serve);
  void Close();

  // ports::PeerTransport
  void Send(std::vector<raft::Message> messages) override;
  void SendSnapshot(raft::Message message,
                    std::unique_ptr<ports::SnapshotSource> database) override;
  void AddPeer(MemberId id, const std::vector<std::string>& urls) override;
  void RemovePeer(MemberId id) override { peers_.erase(id); }
  std::optional<base::Clock::Monotonic> ActiveSince(MemberId id) const override;

  // ports::PeerClient
  void Ask(std::string url, ports::PeerRequest request, std::chrono::nanoseconds timeout,
           absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)> done) override;

  // The network.
  void OnPeerGone(int machine);
  Nanos attached_at() const { return attached_at_; }
  bool answers() const { return receiver_ != nullptr; }

 private:
  // Bytes of a snapshot on their way: read here, written there.
  struct Outgoing {
    int to = 0;
    MemberId peer;
    std::string message;  // until the first piece has left
    std::shared_ptr<ports::SnapshotSource> source;
    std::uint64_t rest = 0;
  };
  struct Pending {
    int to = 0;
    absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)> done;
  };
  struct Piece {
    std::uint64_t transfer = 0;
    int from = 0;
    std::string message;  // of the first piece
    std::string bytes;
    bool is_last = false;
  };

  void OnBytes(int from, const std::string& bytes);
  bool IsWelcome(int from, const raft::Message& message);
  void ReportLost(MemberId to);
  void Pump(std::uint64_t transfer);
  void OnPiece(const Piece& piece);
  bool TakePiece(const Piece& piece);
  void OnPieceTaken(std::uint64_t transfer, bool ok);
  void EndTransfer(std::uint64_t transfer, bool ok);
  void EndAsk(std::uint64_t ask, absl::StatusOr<ports::PeerReply> reply);
  // Runs `task` in this process if it is still the one of then.
  std::function<void()> Here(std::function<void(PeerPort&)> task);
  // Back to the process that asked, over the network; `lost` runs there when it does not arrive.
  void AnswerTo(int machine, std::function<void(PeerPort&)> task,
                std::function<void(PeerPort&)> lost);

  Network& network_;
  const int machine_;
  Process& process_;
  base::Executor& executor_;
  std::shared_ptr<PeerPort*> self_;  // null inside once this is gone
  Nanos attached_at_{0};
  MemberId id_;
  bool is_open_ = false;
  ports::PeerReceiver* receiver_ = nullptr;  // null: answers nobody
  Serve serve_;
  std::map<MemberId, std::vector<std::string>> peers_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Outgoing> outgoing_;
  std::map<std::pair<int, std::uint64_t>, std::unique_ptr<ports::SnapshotSink>> incoming_;
  std::map<std::uint64_t, Pending> asks_;
};

}  // namespace etcd::simulation
