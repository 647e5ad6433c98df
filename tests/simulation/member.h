#pragma once

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/v3/services.h"
#include "server/node/member.h"
#include "server/storage/engine/mem_engine.h"
#include "server/watch/watch_hub.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/network.h"
#include "tests/simulation/options.h"
#include "tests/simulation/raft_check.h"
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

// What all machines of a run share.
struct Site {
  World& world;
  Ledger& ledger;
  RaftCheck& raft;
  Network& network;
  const Options& options;
};

// One machine with at most one member: the production code from the handlers down, on a simulated
// disk and engine that outlive its processes.
class SimMember {
 public:
  using Answer = std::function<void(Reply)>;

  // Machines are numbered from 1. `clock_rate`: how fast its clock runs.
  SimMember(const Site& site, int machine, double clock_rate);
  ~SimMember();
  SimMember(const SimMember&) = delete;
  SimMember& operator=(const SimMember&) = delete;

  int machine() const { return machine_; }
  std::string name() const { return "m" + std::to_string(machine_); }
  // How it enters a cluster when its disk is empty: with the other founders, or as the member `id`
  // that was added to what a running member listed and said of the cluster's version.
  void SetInitialCluster(std::vector<node::InitialMember> members);
  void SetJoined(MemberId id, const etcdserverpb::MemberListResponse& members, std::string version);
  // Of the member that runs here or ran here last; 0: none yet.
  MemberId id() const { return id_; }

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
  // The cluster told the member that it has been removed; the process stops.
  std::function<void()> on_removed;
  // A new machine stands in its place, with empty disks. Only while there is no process.
  void Wipe();

  // ---- Faults.
  // Dies at the n-th change of disk or engine from now on.
  void DieAtChange(std::uint64_t n, Death death);
  // Dies when it comes to a fault point (fault_points.h).
  void DieAtPoint(std::string_view point, Death death);
  // The next fsync fails, with this code.
  void FailNextSync(absl::StatusCode code) { sync_fails_ = code; }
  // The next change of the engine fails, and has no effect.
  void FailNextEngineWrite() { engine_fails_ = true; }
  // Loses its power; some bit of its log or of a .snap file is another one then.
  void DamageDisk();
  bool is_damaged() const { return damaged_; }
  void JumpWallClock(Nanos by);
  testing::SimDisk& disk() { return storage_->disk; }
  engine::MemEngine& engine() { return storage_->engine; }
  const Ledger::Replica& replica() const { return replica_; }
  // As the member knows it now; "": not decided, or no member runs.
  std::string ClusterVersion() const;
  // What its peer port tells a joiner, whether it serves clients or not; empty: no member runs.
  etcdserverpb::MemberListResponse ListMembers() const;
  // One line on what the member thinks of itself, for reports.
  std::string Describe() const;
  // Faults that a start may meet are over: opening must succeed.
  void SetSlowSync(bool on) { slow_sync_ = on; }

  // ---- Clients. `answer` is called once, later, from outside of the process.
  void Call(const std::string& path, std::string request, Answer answer);
  // Null when nobody listens.
  std::shared_ptr<Stream> Open(const std::string& path, Stream::OnMessage on_message,
                               Stream::OnEnd on_end);

 private:
  struct Life;
  struct Storage {
    explicit Storage(const engine::MemEngineOptions& options) : engine(options) {}
    testing::SimDisk disk;
    engine::MemEngine engine;
  };

  void NewStorage();
  node::MemberOptions MemberOptionsOf();
  node::JoinedCluster JoinedCluster() const;
  node::MemberPorts PortsOf(Life& life);
  absl::Status OpenLife(Life& life);
  void Serve(Life& life);
  void CompareAtStart(Life& life);
  void OnReady(Life& life);
  void OnRemoved(Life& life);
  void StopAfterHandOver(Life& life);
  // The store against the ledger; fails the run when something is missing.
  void CheckRestored();
  void CheckLog();
  void OnFatal(Life& life, std::string_view message, const absl::Status& status);
  void Respond(Life& life, std::uint64_t id, const std::string& path,
               absl::StatusOr<base::Body> body);
  void DrainBody(Life& life, std::uint64_t id, std::shared_ptr<base::Body> body, std::string bytes);
  void Deliver(Life& life, std::uint64_t id, Reply reply);
  void FlipBit();
  void TryReap();
  void Reap();
  // Counts a change of the disk or the engine, at a fault point or ""; false: the process is dead.
  bool CountChange(std::string_view point);
  absl::Status OnDiskOp(testing::DiskOp op, const std::string& path);
  absl::Status OnEngineChange(std::string_view point, bool may_fail);
  void OnSync();

  const Site site_;
  World& world_;
  const int machine_;
  const double clock_rate_;
  std::vector<node::InitialMember> initial_cluster_;
  etcdserverpb::MemberListResponse joined_;  // empty: a founder
  std::string joined_version_;
  MemberId id_;
  std::unique_ptr<Storage> storage_;
  Ledger::Replica replica_;
  std::unique_ptr<Life> life_;
  // Dead ones; events may still name them.
  std::vector<std::unique_ptr<Process>> processes_;
  Nanos wall_offset_{0};
  std::uint64_t next_call_ = 1;

  std::uint64_t die_in_ = 0;  // changes; 0: not armed
  Death death_ = Death::kProcess;
  Death armed_death_ = Death::kProcess;
  std::string_view die_at_;  // a fault point; "": not armed
  Death death_at_point_ = Death::kProcess;
  absl::StatusCode sync_fails_ = absl::StatusCode::kOk;  // the next one's code
  bool engine_fails_ = false;
  bool slow_sync_ = true;
  bool damaging_ = false;  // from DamageDisk until the process is gone
  bool damaged_ = false;
};

}  // namespace etcd::simulation
