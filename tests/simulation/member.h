#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/v3/services.h"
#include "server/node/member.h"
#include "server/ports/peer_transport.h"
#include "server/storage/engine/mem_engine.h"
#include "server/watch/watch_hub.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/options.h"
#include "tests/simulation/sim_engine.h"
#include "tests/simulation/stream.h"
#include "tests/simulation/world.h"
#include "tests/support/sim_disk.h"

namespace etcd::simulation {

// What a client gets back.
struct Reply {
  enum class Kind : std::uint8_t {
    kOk,
    kError,    // the server's answer
    kRefused,  // nobody listens: certainly not carried out
    kLost,     // the connection broke: outcome unknown
  };
  Kind kind;
  std::string bytes;    // kOk
  absl::Status status;  // kError
};

enum class Death : std::uint8_t {
  kProcess,  // memory is lost, the operating system keeps what was written
  kPower,    // so is what was not synced, in any part
};

// One machine with one member: the production code from the handlers down, on a simulated disk and
// engine that outlive its processes. `peers` is where a network comes in.
class SimMember {
 public:
  using Answer = std::function<void(Reply)>;

  SimMember(World& world, Ledger& ledger, const Options& options, ports::PeerTransport& peers);
  ~SimMember();
  SimMember(const SimMember&) = delete;
  SimMember& operator=(const SimMember&) = delete;

  // ---- Life.
  // Opens and starts a new process. Not while there is one. The status of opening.
  absl::Status Start();
  // Dies now: nothing it does from here on has an effect. `on_down` follows.
  void Die(Death death);
  // Asks for a clean stop; `on_down` follows.
  void Stop();
  void Pause(Nanos duration);
  bool is_running() const { return life_ != nullptr; }
  bool is_serving() const;
  // The process is gone; called from outside of it.
  std::function<void()> on_down;
  std::function<void()> on_serving;

  // ---- Faults.
  // Dies at the n-th change of disk or engine from now on.
  void DieAtChange(std::uint64_t n, Death death);
  // The next fsync fails.
  void FailNextSync() { sync_fails_ = true; }
  void JumpWallClock(Nanos by);
  testing::SimDisk& disk() { return disk_; }
  engine::MemEngine& engine() { return engine_; }
  // Faults that a start may meet are over: opening must succeed.
  void SetSlowSync(bool on) { slow_sync_ = on; }

  // ---- Clients. `answer` is called once, later, from outside of the process.
  void Call(const std::string& path, std::string request, Answer answer);
  // Null when nobody listens.
  std::shared_ptr<Stream> Open(const std::string& path, Stream::OnMessage on_message,
                               Stream::OnEnd on_end);

  // Name of what does not fit, "" if all is well: the store against the ledger.
  std::string CheckRestored() const;

 private:
  struct Life;

  node::MemberPorts PortsOf(Life& life);
  absl::Status OpenLife(Life& life);
  void OnReady(Life& life);
  void OnFatal(Life& life, std::string_view message, const absl::Status& status);
  void Respond(Life& life, std::uint64_t id, const std::string& path,
               absl::StatusOr<base::Body> body);
  void DrainBody(Life& life, std::uint64_t id, std::shared_ptr<base::Body> body, std::string bytes);
  void Deliver(Life& life, std::uint64_t id, Reply reply);
  void TryReap();
  void Reap();
  // Counts a change of the disk or the engine; false: the process is dead.
  bool CountChange();
  absl::Status OnDiskOp(testing::DiskOp op, const std::string& path);
  void OnSync();

  World& world_;
  Ledger& ledger_;
  const Options options_;
  ports::PeerTransport& peers_;
  testing::SimDisk disk_;
  engine::MemEngine engine_;
  std::unique_ptr<Life> life_;
  // Dead ones; events may still name them.
  std::vector<std::unique_ptr<Process>> processes_;
  Nanos wall_offset_{0};
  std::uint64_t next_call_ = 1;

  std::uint64_t die_in_ = 0;  // changes; 0: not armed
  Death death_ = Death::kProcess;
  Death armed_death_ = Death::kProcess;
  bool sync_fails_ = false;
  bool slow_sync_ = true;
};

}  // namespace etcd::simulation
