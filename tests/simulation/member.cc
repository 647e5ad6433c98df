#include "tests/simulation/member.h"

#include <utility>

#include <fmt/format.h>

#include "server/api/http/peer_handler.h"
#include "server/base/check.h"
#include "server/base/status.h"
#include "server/image/export.h"
#include "server/node/corruption.h"
#include "server/node/peer_hashes.h"
#include "server/wal/wal.h"
#include "tests/simulation/fault_points.h"
#include "tests/simulation/member_life.h"
#include "tests/simulation/peer_service.h"
#include "tests/simulation/wal_scan.h"

namespace etcd::simulation {
namespace {

constexpr char kWalDir[] = "/data/member/wal";
constexpr std::chrono::seconds kCompareTimeout(7);

absl::Status Dead() { return base::MakeStatus(absl::StatusCode::kInternal, "the process is dead"); }

watch::WatchOptions WatchOptionsOf(const Options& options) {
  watch::WatchOptions out;
  out.fragment_bytes = options.fragment_bytes;
  out.progress_interval = options.progress_interval;
  out.stream_pending_bytes_max = options.watch_pending_bytes;
  out.inbox_bytes_max = options.watch_inbox_bytes;
  out.recent_bytes_max = options.watch_recent_bytes;
  out.catch_up_revisions_per_response = options.watch_step_revisions;
  out.catch_up_revisions_per_step = 2 * options.watch_step_revisions;
  return out;
}

}  // namespace

SimMember::SimMember(const Site& site, int machine, double clock_rate)
    : site_(site), world_(site.world), machine_(machine), clock_rate_(clock_rate) {
  NewStorage();
}

SimMember::~SimMember() {
  if (life_ == nullptr) return;
  on_down = nullptr;
  life_->process.Doom();
  Reap();
}

void SimMember::NewStorage() {
  storage_ = std::make_unique<Storage>(
      engine::MemEngineOptions{.spontaneous_flush_one_in = site_.options.engine_flush_one_in,
                               .seed = world_.random.engine.Next()});
  testing::SimDisk& disk = storage_->disk;
  disk.CreateDirs("/data/member").IgnoreError();
  disk.SetFaultHook(
      [this](testing::DiskOp op, const std::string& path) { return OnDiskOp(op, path); });
  disk.SetSyncHook([this](const std::string&) { OnSync(); });
  replica_ = {};
  damaging_ = false;
  damaged_ = false;
}

void SimMember::Wipe() {
  CHECK(life_ == nullptr) << "a machine is wiped under its process";
  world_.Trace(name() + ": new disks");
  site_.raft.Forget(id_);
  id_ = MemberId();
  NewStorage();
}

void SimMember::SetInitialCluster(std::vector<node::InitialMember> members) {
  initial_cluster_ = std::move(members);
}

void SimMember::SetJoined(MemberId id, const etcdserverpb::MemberListResponse& members,
                          std::string version) {
  id_ = id;
  joined_ = members;
  joined_version_ = std::move(version);
}

// ---- Life

// What main learns from the peers.
node::JoinedCluster SimMember::JoinedCluster() const {
  node::JoinedCluster out;
  out.id = ClusterId(joined_.header().cluster_id());
  out.own_id = id_;
  for (const auto& m : joined_.members()) {
    out.members.push_back({MemberId(m.id()),
                           {m.peerurls().begin(), m.peerurls().end()},
                           m.islearner(),
                           m.name(),
                           {m.clienturls().begin(), m.clienturls().end()}});
  }
  out.version = joined_version_;
  return out;
}

node::MemberOptions SimMember::MemberOptionsOf() {
  const Options& options = site_.options;
  node::MemberOptions out;
  out.name = name();
  out.client_urls = {fmt::format("http://10.0.0.{}:2379", machine_)};
  out.initial_cluster = initial_cluster_;
  out.may_have_joined = joined_.members_size() > 0;
  if (out.may_have_joined && !wal::Exists(storage_->disk, kWalDir)) out.joins = JoinedCluster();
  out.wal_dir = kWalDir;
  out.snap_dir = "/data/member/snap";
  out.wal_segment_bytes = options.wal_segment_bytes;
  out.pre_vote = options.pre_vote;
  out.snapshot_count = options.snapshot_count;
  out.catchup_entries = options.catchup_entries;
  out.queued_bytes_max = options.queued_bytes_max;
  out.apply_backlog_max = options.apply_backlog_max;
  out.quota_bytes = options.quota_bytes;
  if (options.auto_compaction_retention > 0) {
    out.auto_compaction = node::AutoCompaction::kRevision;
    out.compaction_retention = options.auto_compaction_retention;
  }
  out.corrupt_check_interval = options.compare_heads_every;
  out.compact_hash_check_interval = options.compare_compactions_every;
  out.store.compaction_batch_limit = options.compaction_batch;
  out.lease.checkpoint = options.lease_checkpoint;
  out.lease.checkpoint_interval = std::chrono::seconds(2);
  return out;
}

node::MemberPorts SimMember::PortsOf(Life& life) {
  Process& process = life.process;
  return {.file_system = storage_->disk,
          .engine = *life.engine,
          .random = life.random,
          .raft = process.NewExecutor("raft"),
          .apply = process.NewExecutor("apply"),
          .snapshot = process.NewExecutor("snapshot"),
          .compaction = process.NewExecutor("compaction"),
          .lease = life.background,
          .bulk = &life.bulk,
          .peers = *life.port,
          .peer_client = life.port.get(),
          .wal_observer = nullptr,
          .snap_observer = nullptr,
          .lease_observer = nullptr,
          .observer = nullptr,
          .fatal = [this, &life](std::string_view message,
                                 const absl::Status& status) { OnFatal(life, message, status); },
          .removed =
              [this, &life] {
                world_.After(Nanos(0), [this, &life] {
                  if (life_.get() == &life) OnRemoved(life);
                });
              }};
}

absl::Status SimMember::Start() {
  CHECK(life_ == nullptr);
  processes_.push_back(std::make_unique<Process>(
      world_, static_cast<std::uint64_t>(machine_) * 1'000 + processes_.size() + 1, wall_offset_,
      clock_rate_));
  life_ = std::make_unique<Life>(*processes_.back(), world_.random.member.Next());
  Life& life = *life_;
  life.engine = std::make_unique<SimEngine>(
      storage_->engine, site_.ledger, replica_,
      [this](std::string_view point, bool may_fail) { return OnEngineChange(point, may_fail); });
  life.port = std::make_unique<PeerPort>(site_.network, machine_, life.process);
  replica_ = site_.ledger.ReplicaOf(storage_->engine);
  world_.Trace(fmt::format("{}: start at index {}", name(), replica_.index));
  const bool compares = site_.options.compare_at_start && wal::Exists(storage_->disk, kWalDir);
  const absl::Status status = OpenLife(life);
  if (life.process.is_doomed()) return absl::OkStatus();  // died on the way; reaped already or soon
  if (status.ok()) {
    id_ = life.member->member_id();
    compares ? CompareAtStart(life) : Serve(life);
  } else {
    world_.Trace(fmt::format("{}: cannot open: {}", name(), base::MessageOf(status)));
    Die(Death::kProcess);
  }
  return status;
}

void SimMember::Serve(Life& life) {
  life.port->Open(id_, *life.member, ServeBy(*life.peer_http));
  life.member->Start([this, &life] { OnReady(life); });
}

// What main does with etcd's InitialCorruptCheck, but that nobody waits here. All backends hold the
// same: nothing may be found.
void SimMember::CompareAtStart(Life& life) {
  life.port->OpenToAsk(id_);
  const absl::StatusOr<node::OwnHash> own = node::HashOfHead(life.member->store());
  if (!own.ok()) {
    return world_.Fail(
        fmt::format("{}: no hash at its start: {}", name(), base::MessageOf(own.status())));
  }
  std::vector<membership::Member> members;
  for (const node::MemberInfo& info : life.member->Members()) {
    members.push_back({info.id, info.peer_urls, info.is_learner, info.name, info.client_urls});
  }
  node::AskPeerHashes(*life.port,
                      {id_, life.member->cluster_id(), own->hash_revision, kCompareTimeout},
                      members, [this, &life, own = *own](const std::vector<node::PeerHash>& peers) {
                        const absl::Status equal = node::CheckInitialHash(id_, own, peers);
                        if (!equal.ok())
                          return world_.Fail(name() + ": " + std::string(base::MessageOf(equal)));
                        world_.Count("compared at its start");
                        Serve(life);
                      });
}

absl::Status SimMember::OpenLife(Life& life) {
  ASSIGN_OR_RETURN(life.member, node::OpenMember(MemberOptionsOf(), PortsOf(life)));
  life.hub = std::make_unique<watch::WatchHub>(
      life.member->store(), life.watch,
      std::make_unique<base::SeededRandom>(world_.random.member.Next()), nullptr,
      WatchOptionsOf(site_.options));
  life.member->store().SetObserver(life.hub.get());
  life.table.emplace(api::v3::BuildMethodTable(
      {.node = *life.member,
       .store = life.member->store(),
       .watch = *life.hub,
       .lessor = life.member->lessor(),
       .background = life.background,
       .bulk = &life.bulk,
       .snapshot = [&engine = *life.engine] { return image::ExportImage(engine.PinView()); },
       .observer = nullptr,
       .hash_backend = [&engine = *life.engine] { return mvcc::HashBackend(engine); }},
      api::v3::Options()));
  life.peer_http =
      api::http::MakePeerHandler({.node = *life.member,
                                  .store = life.member->store(),
                                  .lessor = life.member->lessor(),
                                  .background = life.background,
                                  .bulk = life.bulk,
                                  .server_version = node::MemberOptions().server_version});
  return absl::OkStatus();
}

void SimMember::OnReady(Life& life) {
  if (life.process.is_doomed()) return;
  world_.Trace(name() + ": ready");
  CheckRestored();
  life.serves = true;
}

// The only voter, ready: everything that any client can have seen is there again (G1). Of others
// the log matching of raft and the clients' histories say the same.
void SimMember::CheckRestored() {
  if (life_->member->Members().size() > 1) return;
  const std::int64_t revision = life_->member->store().current_revision().value();
  if (revision != site_.ledger.head()) {
    world_.Fail(fmt::format("restart: revision {} after {}", revision, site_.ledger.head()));
  }
  const std::int64_t compacted = life_->member->store().compact_revision().value();
  if (compacted != site_.ledger.compacted()) {
    world_.Fail(
        fmt::format("restart: compact revision {} after {}", compacted, site_.ledger.compacted()));
  }
}

void SimMember::OnRemoved(Life& life) {
  if (life.process.is_doomed()) return;
  world_.Trace(name() + ": removed from the cluster");
  world_.Count("member removed");
  if (on_removed) on_removed();
  Die(Death::kProcess);
}

void SimMember::OnFatal(Life& life, std::string_view message, const absl::Status& status) {
  if (life.process.is_doomed()) return;
  life.halted = true;
  world_.Count("member stopped itself");
  world_.Trace(fmt::format("{}: fatal: {}: {}", name(), message, base::MessageOf(status)));
  if (!base::MessageOf(status).starts_with("simulated:")) {
    world_.Fail(fmt::format("{} stopped itself: {}: {}", name(), message, base::MessageOf(status)));
  }
  // Its process ends within a second; what it says until then is watched.
  const Nanos delay = Between(world_.random.faults, Nanos(0), std::chrono::seconds(1));
  world_.After(delay, [this, &life] {
    if (life_.get() == &life)
      Die(Chance(world_.random.faults, 500) ? Death::kPower : Death::kProcess);
  });
}

void SimMember::Die(Death death) {
  if (life_ == nullptr || life_->process.is_doomed()) return;
  world_.Trace(name() + (death == Death::kPower ? ": power loss" : ": killed"));
  world_.Count(death == Death::kPower ? "power loss" : "kill");
  death_ = death;
  life_->process.Doom();
  world_.After(Nanos(0), [this] { TryReap(); });
}

void SimMember::Stop() {
  if (!is_serving() || life_->halted) return;
  Life& life = *life_;
  life.serves = false;
  world_.Trace(name() + ": clean stop");
  world_.Count("clean stop");
  life.member->HandOver([this, &life] {
    world_.After(Nanos(0), [this, &life] {
      if (life_.get() == &life && !life.process.is_doomed()) StopAfterHandOver(life);
    });
  });
}

void SimMember::StopAfterHandOver(Life& life) {
  life.port->Close();
  life.member->Stop([this, &life] {
    if (life.process.is_doomed()) return;
    world_.Trace(name() + ": stopped");
    Die(Death::kProcess);
  });
}

void SimMember::Pause(Nanos duration) {
  if (life_ == nullptr) return;
  world_.Trace(fmt::format("{}: paused for {} ms", name(), duration.count() / 1'000'000));
  world_.Count("pause");
  Process& process = life_->process;
  process.Pause();
  world_.After(duration, [&process] { process.Resume(); });
}

bool SimMember::is_serving() const {
  return life_ != nullptr && life_->serves && !life_->process.is_doomed();
}

// A task that blocks may still be on the stack; it returns soon, since nothing holds it up.
void SimMember::TryReap() {
  if (life_ == nullptr) return;
  if (life_->process.is_on_stack()) {
    world_.After(std::chrono::microseconds(100), [this] { TryReap(); });
    return;
  }
  Reap();
  if (on_down) on_down();
}

void SimMember::Reap() {
  Life& life = *life_;
  life.process.DropTasks();
  life.port->Close();
  for (const auto& stream : life.streams) stream->Break();
  life.streams.clear();
  life.table.reset();
  life.hub.reset();
  life.peer_http.reset();
  life.member.reset();
  for (auto& [id, answer] : std::exchange(life.waiting, {})) {
    world_.After(Latency(world_), [answer = std::move(answer)] {
      answer({Reply::Kind::kLost, "", absl::OkStatus()});
    });
  }
  life_.reset();
  if (death_ == Death::kPower) {
    storage_->disk.Crash(world_.random.disk.Next());
  } else {
    storage_->disk.KillProcess();
  }
  storage_->engine.Crash(world_.random.engine.Next());
  die_in_ = 0;
  die_at_ = {};
  sync_fails_ = absl::StatusCode::kOk;
  engine_fails_ = false;
  if (damaging_) FlipBit();
  if (id_ && !damaged_) site_.raft.OnDeath(id_, ScanWal(storage_->disk, kWalDir));
}

std::string SimMember::ClusterVersion() const {
  return life_ == nullptr || life_->member == nullptr ? "" : life_->member->ClusterVersion();
}

std::string SimMember::Describe() const {
  if (life_ == nullptr || life_->member == nullptr) return name() + ": no process";
  const node::Status status = life_->member->status();
  return fmt::format("{}: {:x} {}, term {}, leader {:x}, committed {}, applied {}, revision {}",
                     name(), id_.value(), life_->serves ? "serves" : "does not serve",
                     status.term.value(), status.leader.value(), status.committed.value(),
                     status.applied.value(), life_->member->store().current_revision().value());
}

// ---- Faults

void SimMember::DieAtChange(std::uint64_t n, Death death) {
  die_in_ = n;
  armed_death_ = death;
}

void SimMember::DieAtPoint(std::string_view point, Death death) {
  die_at_ = point;
  death_at_point_ = death;
}

void SimMember::JumpWallClock(Nanos by) {
  wall_offset_ += by;
  if (life_ != nullptr) life_->process.JumpWallClock(by);
  world_.Count("wall clock jump");
  world_.Trace(fmt::format("{}: wall clock jumps by {} ms", name(), by.count() / 1'000'000));
}

void SimMember::DamageDisk() {
  damaging_ = true;
  if (life_ == nullptr) return FlipBit();
  Die(Death::kPower);
}

// Of what is written: most of a log's last file is zeros.
void SimMember::FlipBit() {
  damaging_ = false;
  base::Random& random = world_.random.disk;
  std::vector<std::string> files = storage_->disk.AllFiles();
  std::erase_if(files, [](const std::string& path) {
    return !path.ends_with(".wal") && !path.ends_with(".snap");
  });
  for (int tries = 0; tries < 100 && !files.empty() && !damaged_; ++tries) {
    const std::string& path = files[random.Below(files.size())];
    const std::string bytes = storage_->disk.Contents(path);
    if (bytes.empty()) continue;
    const std::uint64_t at = random.Below(bytes.size());
    if (bytes[at] == '\0') continue;
    storage_->disk.FlipBit(path, at * 8 + random.Below(8));
    damaged_ = true;
    world_.Count("damage on disk");
    world_.Trace(fmt::format("{}: a bit flips at {} of {}", name(), at, path));
  }
}

bool SimMember::CountChange(std::string_view point) {
  if (life_ == nullptr) return true;  // the machine itself
  if (!life_->process.is_doomed() && !point.empty() && point == die_at_) {
    world_.Count("death at: " + std::string(point));
    world_.Trace(fmt::format("{}: at: {}", name(), point));
    Die(death_at_point_);
  }
  if (!life_->process.is_doomed() && die_in_ > 0 && --die_in_ == 0) {
    world_.Count("death at a disk or engine operation");
    Die(armed_death_);
  }
  return !life_->process.is_doomed();
}

absl::Status SimMember::OnDiskOp(testing::DiskOp op, const std::string& path) {
  if (op == testing::DiskOp::kRead || op == testing::DiskOp::kOpen) return absl::OkStatus();
  if (!CountChange(FaultPointOf(op, path))) return Dead();
  if (op == testing::DiskOp::kSync && sync_fails_ != absl::StatusCode::kOk) {
    const absl::StatusCode code = std::exchange(sync_fails_, absl::StatusCode::kOk);
    world_.Count(code == absl::StatusCode::kInternal ? "failed fsync" : "fsync without room");
    world_.Trace(name() + ": fsync fails: " + path);
    return base::MakeStatus(code, "simulated: fsync of " + path);
  }
  return absl::OkStatus();
}

// Of the errors that an engine has, a dead process gets the one that makes its caller wait: it does
// nothing any more.
absl::Status SimMember::OnEngineChange(std::string_view point, bool may_fail) {
  if (!CountChange(point)) {
    return base::MakeStatus(absl::StatusCode::kResourceExhausted, "the process is dead");
  }
  if (!may_fail || !engine_fails_) return absl::OkStatus();
  engine_fails_ = false;
  world_.Count("failed write of the engine");
  world_.Trace(name() + ": the engine fails");
  return base::MakeStatus(absl::StatusCode::kInternal, "simulated: write of the engine");
}

void SimMember::OnSync() {
  if (life_ == nullptr || !life_->process.is_on_stack() || !slow_sync_) return;
  if (!Chance(world_.random.disk, site_.options.slow_sync_per_mille)) return;
  world_.Count("slow fsync");
  const Nanos wait = Between(world_.random.disk, Nanos(0), site_.options.slow_sync_max);
  world_.Block(life_->process, wait);
}

}  // namespace etcd::simulation
