#include "tests/simulation/member.h"

#include <utility>

#include <fmt/format.h>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/status.h"
#include "server/storage/engine/buckets.h"

namespace etcd::simulation {
namespace {

constexpr std::uint64_t kChunkBytes = 16'384;

Nanos Latency(World& world) {
  return Between(world.random.network, std::chrono::microseconds(20),
                 std::chrono::microseconds(400));
}

absl::Status Dead() { return base::MakeStatus(absl::StatusCode::kInternal, "the process is dead"); }

node::MemberOptions MemberOptionsOf(const Options& options) {
  node::MemberOptions out;
  out.name = "n1";
  out.client_urls = {"http://127.0.0.1:2379"};
  out.initial_cluster = {{"n1", {"http://127.0.0.1:2380"}}};
  out.wal_dir = "/data/member/wal";
  out.snap_dir = "/data/member/snap";
  out.wal_segment_bytes = options.wal_segment_bytes;
  out.snapshot_count = options.snapshot_count;
  out.catchup_entries = options.catchup_entries;
  out.queued_bytes_max = options.queued_bytes_max;
  out.apply_backlog_max = options.apply_backlog_max;
  out.quota_bytes = options.quota_bytes;
  if (options.auto_compaction_retention > 0) {
    out.auto_compaction = node::AutoCompaction::kRevision;
    out.compaction_retention = options.auto_compaction_retention;
  }
  out.store.compaction_batch_limit = options.compaction_batch;
  out.lease.checkpoint = options.lease_checkpoint;
  out.lease.checkpoint_interval = std::chrono::seconds(2);
  return out;
}

watch::WatchOptions WatchOptionsOf(const Options& options) {
  watch::WatchOptions out;
  out.fragment_bytes = options.fragment_bytes;
  out.progress_interval = options.progress_interval;
  out.stream_pending_bytes_max = options.watch_pending_bytes;
  out.recent_bytes_max = options.watch_recent_bytes;
  out.catch_up_revisions_per_response = options.watch_step_revisions;
  out.catch_up_revisions_per_step = 2 * options.watch_step_revisions;
  return out;
}

// A client never hears success for these from a member that has failed.
bool IsWrite(const std::string& path) {
  return path == "/etcdserverpb.KV/Put" || path == "/etcdserverpb.KV/DeleteRange" ||
         path == "/etcdserverpb.Lease/LeaseGrant" || path == "/etcdserverpb.Lease/LeaseRevoke";
}

std::uint64_t LoadMeta(const engine::KvEngine& engine, std::string_view name) {
  const auto stored = engine.Get(engine::Family::kMeta, engine::MetaKey(engine::kBucketMeta, name));
  CHECK_OK(stored.status());
  return stored->has_value() ? base::LoadBigEndian64((*stored)->data()) : 0;
}

}  // namespace

// One process, and the machine's view of its connections.
struct SimMember::Life {
  Process& process;
  base::SeededRandom random;
  std::unique_ptr<SimEngine> engine;
  base::Executor& loop;
  base::Executor& background;
  base::Executor& watch;
  std::unique_ptr<node::Member> member;
  std::unique_ptr<watch::WatchHub> hub;
  std::optional<base::MethodTable> table;
  std::map<std::uint64_t, Answer> waiting;
  std::vector<std::shared_ptr<Stream>> streams;
  bool serves = false;
  bool halted = false;

  Life(Process& p, std::uint64_t seed)
      : process(p),
        random(seed),
        loop(p.NewExecutor("loop")),
        background(p.NewExecutor("background")),
        watch(p.NewExecutor("watch")) {}
};

SimMember::SimMember(World& world, Ledger& ledger, const Options& options,
                     ports::PeerTransport& peers)
    : world_(world),
      ledger_(ledger),
      options_(options),
      peers_(peers),
      engine_({.spontaneous_flush_one_in = options.engine_flush_one_in,
               .seed = world.random.engine.Next()}) {
  disk_.CreateDirs("/data/member").IgnoreError();
  disk_.SetFaultHook(
      [this](testing::DiskOp op, const std::string& path) { return OnDiskOp(op, path); });
  disk_.SetSyncHook([this](const std::string&) { OnSync(); });
}

SimMember::~SimMember() {
  if (life_ == nullptr) return;
  on_down = nullptr;
  life_->process.Doom();
  Reap();
}

// ---- Life

node::MemberPorts SimMember::PortsOf(Life& life) {
  Process& process = life.process;
  return {.file_system = disk_,
          .engine = *life.engine,
          .random = life.random,
          .raft = process.NewExecutor("raft"),
          .apply = process.NewExecutor("apply"),
          .snapshot = process.NewExecutor("snapshot"),
          .compaction = process.NewExecutor("compaction"),
          .lease = life.background,
          .peers = peers_,
          .wal_observer = nullptr,
          .snap_observer = nullptr,
          .lease_observer = nullptr,
          .observer = nullptr,
          .fatal = [this, &life](std::string_view message, const absl::Status& status) {
            OnFatal(life, message, status);
          }};
}

absl::Status SimMember::Start() {
  CHECK(life_ == nullptr);
  processes_.push_back(std::make_unique<Process>(world_, processes_.size() + 1, wall_offset_));
  life_ = std::make_unique<Life>(*processes_.back(), world_.random.member.Next());
  Life& life = *life_;
  life.engine = std::make_unique<SimEngine>(engine_, ledger_, [this] { return CountChange(); });
  ledger_.OnProcessStart(LoadMeta(engine_, engine::kMetaConsistentIndex));
  world_.Trace(fmt::format("member: start at index {}", ledger_.consistent_index()));
  const absl::Status status = OpenLife(life);
  if (life.process.is_doomed()) return absl::OkStatus();  // died on the way; reaped already or soon
  if (status.ok()) {
    life.member->Start([this, &life] { OnReady(life); });
  } else {
    world_.Trace(fmt::format("member: cannot open: {}", base::MessageOf(status)));
    Die(Death::kProcess);
  }
  return status;
}

absl::Status SimMember::OpenLife(Life& life) {
  ASSIGN_OR_RETURN(life.member, node::OpenMember(MemberOptionsOf(options_), PortsOf(life)));
  life.hub = std::make_unique<watch::WatchHub>(
      life.member->store(), life.watch,
      std::make_unique<base::SeededRandom>(world_.random.member.Next()), nullptr,
      WatchOptionsOf(options_));
  life.member->store().SetObserver(life.hub.get());
  life.table.emplace(api::v3::BuildMethodTable({.node = *life.member,
                                                .store = life.member->store(),
                                                .watch = *life.hub,
                                                .lessor = life.member->lessor(),
                                                .background = life.background,
                                                .bulk = &life.process.NewExecutor("bulk"),
                                                .observer = nullptr},
                                               api::v3::Options()));
  return absl::OkStatus();
}

void SimMember::OnReady(Life& life) {
  if (life.process.is_doomed()) return;
  world_.Trace("member: ready");
  if (const std::string wrong = CheckRestored(); !wrong.empty()) return world_.Fail(wrong);
  life.serves = true;
  world_.After(Nanos(0), [this] {
    if (is_serving() && on_serving) on_serving();
  });
}

// Ready: everything that any client can have seen is there again (G1).
std::string SimMember::CheckRestored() const {
  const std::int64_t revision = life_->member->store().current_revision().value();
  if (revision != ledger_.head()) {
    return fmt::format("restart: revision {} after {}", revision, ledger_.head());
  }
  const std::int64_t compacted = life_->member->store().compact_revision().value();
  if (compacted != ledger_.compacted()) {
    return fmt::format("restart: compact revision {} after {}", compacted, ledger_.compacted());
  }
  return "";
}

void SimMember::OnFatal(Life& life, std::string_view message, const absl::Status& status) {
  if (life.process.is_doomed()) return;
  life.halted = true;
  world_.Count("member stopped itself");
  world_.Trace(fmt::format("member: fatal: {}: {}", message, base::MessageOf(status)));
  if (!base::MessageOf(status).starts_with("simulated:")) {
    world_.Fail(fmt::format("the member stopped: {}: {}", message, base::MessageOf(status)));
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
  world_.Trace(death == Death::kPower ? "member: power loss" : "member: killed");
  world_.Count(death == Death::kPower ? "power loss" : "kill");
  death_ = death;
  life_->process.Doom();
  world_.After(Nanos(0), [this] { TryReap(); });
}

void SimMember::Stop() {
  if (!is_serving() || life_->halted) return;
  Life& life = *life_;
  life.serves = false;
  world_.Trace("member: clean stop");
  world_.Count("clean stop");
  life.member->Stop([this, &life] {
    if (life.process.is_doomed()) return;
    world_.Trace("member: stopped");
    Die(Death::kProcess);
  });
}

void SimMember::Pause(Nanos duration) {
  if (life_ == nullptr) return;
  world_.Trace(fmt::format("member: paused for {} ms", duration.count() / 1'000'000));
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
  for (const auto& stream : life.streams) stream->Break();
  life.streams.clear();
  life.table.reset();
  life.hub.reset();
  life.member.reset();
  for (auto& [id, answer] : std::exchange(life.waiting, {})) {
    world_.After(Latency(world_), [answer = std::move(answer)] {
      answer({Reply::Kind::kLost, "", absl::OkStatus()});
    });
  }
  life_.reset();
  if (death_ == Death::kPower) {
    disk_.Crash(world_.random.disk.Next());
  } else {
    disk_.KillProcess();
  }
  engine_.Crash(world_.random.engine.Next());
  die_in_ = 0;
  sync_fails_ = false;
}

// ---- Faults

void SimMember::DieAtChange(std::uint64_t n, Death death) {
  die_in_ = n;
  armed_death_ = death;
}

void SimMember::JumpWallClock(Nanos by) {
  wall_offset_ += by;
  if (life_ != nullptr) life_->process.JumpWallClock(by);
  world_.Count("wall clock jump");
  world_.Trace(fmt::format("clock: wall jumps by {} ms", by.count() / 1'000'000));
}

bool SimMember::CountChange() {
  if (life_ == nullptr) return true;  // the machine itself
  if (!life_->process.is_doomed() && die_in_ > 0 && --die_in_ == 0) {
    world_.Count("death at a disk or engine operation");
    Die(armed_death_);
  }
  return !life_->process.is_doomed();
}

absl::Status SimMember::OnDiskOp(testing::DiskOp op, const std::string& path) {
  if (op == testing::DiskOp::kRead || op == testing::DiskOp::kOpen) return absl::OkStatus();
  if (!CountChange()) return Dead();
  if (op == testing::DiskOp::kSync && sync_fails_) {
    sync_fails_ = false;
    world_.Count("failed fsync");
    world_.Trace("disk: fsync fails: " + path);
    return base::MakeStatus(absl::StatusCode::kInternal, "simulated: fsync of " + path);
  }
  return absl::OkStatus();
}

void SimMember::OnSync() {
  if (life_ == nullptr || !life_->process.is_on_stack() || !slow_sync_) return;
  if (!Chance(world_.random.disk, options_.slow_sync_per_mille)) return;
  world_.Count("slow fsync");
  const Nanos wait = Between(world_.random.disk, Nanos(0), options_.slow_sync_max);
  world_.Block(life_->process, wait);
}

// ---- Clients

void SimMember::Call(const std::string& path, std::string request, Answer answer) {
  if (!is_serving()) {
    world_.After(Latency(world_), [answer = std::move(answer)] {
      answer({Reply::Kind::kRefused, "", absl::OkStatus()});
    });
    return;
  }
  Life* life = life_.get();
  const std::uint64_t id = next_call_++;
  life->waiting.emplace(id, std::move(answer));
  world_.After(Latency(world_), [this, life, id, path, request = std::move(request)]() mutable {
    if (life_.get() != life) return;
    life->loop.Post([this, life, id, path, request = std::move(request)] {
      const base::MethodEntry* entry = life->table->Find(path);
      CHECK(entry != nullptr && entry->unary != nullptr) << path;
      auto context = std::make_shared<base::CallContext>();
      context->path = entry->path;
      context->executor = std::shared_ptr<base::Executor>(&life->loop, [](base::Executor*) {});
      entry->unary->Start(std::move(context), request,
                          [this, life, id, path](absl::StatusOr<base::Body> body) {
                            Respond(*life, id, path, std::move(body));
                          });
    });
  });
}

void SimMember::Respond(Life& life, std::uint64_t id, const std::string& path,
                        absl::StatusOr<base::Body> body) {
  if (life.process.is_doomed()) return;
  if (!body.ok()) return Deliver(life, id, {Reply::Kind::kError, "", body.status()});
  if (life.halted && IsWrite(path)) {
    return world_.Fail("a member whose disk failed acknowledges " + path);
  }
  std::string head = body->head.Flatten();
  if (body->source == nullptr) return Deliver(life, id, {Reply::Kind::kOk, head, {}});
  world_.Count("streamed unary response");
  auto shared = std::make_shared<base::Body>(*std::move(body));
  life.loop.Post(
      [this, &life, id, shared, head = std::move(head)] { DrainBody(life, id, shared, head); });
}

// As flow control would take it: other work comes between the pieces.
void SimMember::DrainBody(Life& life, std::uint64_t id, std::shared_ptr<base::Body> body,
                          std::string bytes) {
  absl::StatusOr<base::Rope> next = body->source->Next(kChunkBytes);
  if (!next.ok()) return Deliver(life, id, {Reply::Kind::kError, "", next.status()});
  if (!next->empty()) {
    bytes += next->Flatten();
    life.loop.PostAfter(Latency(world_), [this, &life, id, body, bytes = std::move(bytes)] {
      DrainBody(life, id, body, bytes);
    });
    return;
  }
  if (bytes.size() != body->size()) world_.Fail("a streamed response has not the promised length");
  Deliver(life, id, {Reply::Kind::kOk, std::move(bytes), {}});
}

void SimMember::Deliver(Life& life, std::uint64_t id, Reply reply) {
  auto node = life.waiting.extract(id);
  if (node.empty()) return world_.Fail("a call was answered twice");
  world_.After(Latency(world_), [answer = std::move(node.mapped()),
                                 reply = std::move(reply)]() mutable { answer(std::move(reply)); });
}

std::shared_ptr<Stream> SimMember::Open(const std::string& path, Stream::OnMessage on_message,
                                        Stream::OnEnd on_end) {
  if (!is_serving()) return nullptr;
  Life* life = life_.get();
  const base::MethodEntry* entry = life->table->Find(path);
  CHECK(entry != nullptr && entry->stream != nullptr) << path;
  auto stream = std::make_shared<Stream>(world_, life->process, life->loop, std::move(on_message),
                                         std::move(on_end));
  std::erase_if(life->streams, [](const auto& one) { return one->is_gone(); });
  life->streams.push_back(stream);
  life->loop.Post([life, entry, stream] {
    auto context = std::make_shared<base::CallContext>();
    context->path = entry->path;
    context->executor = std::shared_ptr<base::Executor>(&life->loop, [](base::Executor*) {});
    stream->Attach(entry->stream->Open(std::move(context), stream));
  });
  return stream;
}

}  // namespace etcd::simulation
