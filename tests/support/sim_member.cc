#include "tests/support/sim_member.h"

#include <etcdserverpb/raft_internal.pb.h>
#include <utility>

#include "server/apply/kv_view.h"
#include "server/base/check.h"

namespace etcd::testing {

SimMember::SimMember(std::uint64_t seed, node::MemberOptions o)
    : own_scheduler_(std::make_unique<SimScheduler>(seed)),
      scheduler(*own_scheduler_),
      options(std::move(o)),
      random_(seed + 1),
      peers_(no_peers_) {}

SimMember::SimMember(const Machine& machine, node::MemberOptions o)
    : scheduler(machine.scheduler),
      options(std::move(o)),
      random_(machine.seed),
      peers_(machine.peers),
      process_(machine.first_process) {}

SimMember::~SimMember() {
  if (member_ != nullptr) Kill();
}

node::MemberOptions SimMember::DefaultOptions() {
  node::MemberOptions options;
  options.name = "n1";
  options.client_urls = {"http://127.0.0.1:2379"};
  options.initial_cluster = {{"n1", {"http://127.0.0.1:2380"}}};
  options.wal_dir = "/data/member/wal";
  options.snap_dir = "/data/member/snap";
  options.wal_segment_bytes = 1 << 20;
  return options;
}

absl::Status SimMember::Open() {
  ++process_;
  is_ready_ = false;
  is_removed_ = false;
  fatal_.reset();
  disk.CreateDirs("/data/member").IgnoreError();
  const auto executor = [this]() -> base::Executor& { return scheduler.NewExecutor(process_); };
  node::MemberPorts ports{.file_system = disk,
                          .engine = engine,
                          .random = random_,
                          .raft = executor(),
                          .apply = executor(),
                          .snapshot = executor(),
                          .compaction = executor(),
                          .lease = executor(),
                          .peers = peers_,
                          .peer_client = peer_client,
                          .wal_observer = nullptr,
                          .snap_observer = nullptr,
                          .lease_observer = nullptr,
                          .observer = observer,
                          .fatal =
                              [this](std::string_view message, const absl::Status& status) {
                                fatal_ = std::string(message) + ": " +
                                         std::string(base::MessageOf(status));
                              },
                          .removed = [this] { is_removed_ = true; }};
  auto opened = node::OpenMember(options, std::move(ports));
  if (!opened.ok()) return opened.status();
  member_ = *std::move(opened);
  if (before_start) before_start(*member_);
  member_->Start([this] { is_ready_ = true; });
  return absl::OkStatus();
}

absl::Status SimMember::Boot() {
  absl::Status status = Open();
  if (!status.ok()) return status;
  scheduler.RunUntil([this] { return is_ready_ || fatal_.has_value(); });
  return is_ready_ ? absl::OkStatus() : absl::InternalError(fatal_.value_or("never ready"));
}

void SimMember::Kill() {
  scheduler.KillProcess(process_);
  member_.reset();
  disk.KillProcess();
}

void SimMember::Crash(std::uint64_t seed) {
  Kill();
  disk.Crash(seed);
  engine.Crash(seed);
}

void SimMember::Stop() {
  bool stopped = false;
  member_->Stop([&] { stopped = true; });
  CHECK(scheduler.RunUntil([&] { return stopped; })) << "the member does not stop";
  Kill();
}

std::shared_ptr<SimMember::Pending> SimMember::Propose(
    const std::function<void(etcdserverpb::InternalRaftRequest&)>& fill) {
  auto pending = std::make_shared<Pending>();
  etcdserverpb::InternalRaftRequest request;
  const RequestId id = member_->NextRequestId();
  request.mutable_header()->set_id(id.value());
  fill(request);
  member_->Propose(id, request.SerializeAsString(), {}, [pending](apply::Result result) {
    CHECK(!pending->result.has_value()) << "answered twice";
    pending->result = std::move(result);
  });
  return pending;
}

apply::Result SimMember::Run(const std::function<void(etcdserverpb::InternalRaftRequest&)>& fill) {
  const auto pending = Propose(fill);
  CHECK(scheduler.RunUntil([&] { return pending->result.has_value(); })) << "never answered";
  return *std::move(pending->result);
}

apply::Result SimMember::Put(std::string_view key, std::string_view value, std::int64_t lease) {
  return Run([&](etcdserverpb::InternalRaftRequest& request) {
    request.mutable_put()->set_key(std::string(key));
    request.mutable_put()->set_value(std::string(value));
    request.mutable_put()->set_lease(lease);
  });
}

std::string SimMember::Get(std::string_view key) {
  const auto found = member_->store().Range(
      {.range = {key, ""}, .revision = Revision(0), .limit = 0, .count_only = false});
  std::string value;
  if (!found.ok() || found->refs.empty()) return value;
  member_->store()
      .Fetch(found->refs,
             [&](std::size_t, std::string_view stored) {
               apply::KeyValueView kv;
               if (apply::ParseKeyValue(stored, kv)) value = std::string(kv.value);
             })
      .IgnoreError();
  return value;
}

}  // namespace etcd::testing
