#include "operator/main/operator.h"

#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "operator/backup_control/controllers.h"
#include "operator/backup_control/restore_init.h"
#include "operator/desired/urls.h"
#include "operator/main/revision.h"
#include "operator/model/group.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/config/version.h"

namespace etcd::op {
namespace {

using std::chrono::milliseconds;

std::string EnvironmentOr(const char* name, std::string fallback) {
  const std::optional<std::string> value = kube::ProcessEnvironment().variable(name);
  return value.has_value() && !value->empty() ? *value : std::move(fallback);
}

// Never used before: a process that comes back is another candidate.
std::string Identity() {
  std::random_device random;
  return fmt::format("{}_{:08x}{:08x}{:08x}{:08x}", EnvironmentOr("POD_NAME", "operator"), random(),
                     random(), random(), random());
}

std::uint64_t Seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

kube::Election::Options Election(const Flags& flags, const kube::Access& access) {
  return {.ns = flags.lease_namespace.empty() ? EnvironmentOr("POD_NAMESPACE", access.ns)
                                              : flags.lease_namespace,
          .name = flags.lease_name,
          .identity = Identity(),
          .lease_duration = flags.lease_duration,
          .renew_deadline = flags.lease_renew_deadline,
          .retry_period = flags.lease_retry_period};
}

std::string UserAgent() {
#ifdef __aarch64__
  constexpr const char* kArchitecture = "arm64";
#else
  constexpr const char* kArchitecture = "amd64";
#endif
  return fmt::format("{}/{} (linux/{})", model::kManager, config::kOwnVersion, kArchitecture);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> Operator::Make(const Flags& flags, Callbacks callbacks) {
  ASSIGN_OR_RETURN(kube::Access access,
                   kube::FindAccess(flags.kubeconfig, kube::ProcessEnvironment()));
  std::unique_ptr<Operator> made(new Operator(flags, std::move(access), std::move(callbacks)));
  RETURN_IF_ERROR(made->Listen());
  made->events_.Start();
  made->elector_.Start();
  return made;
}

Operator::Operator(const Flags& flags, kube::Access access, Callbacks callbacks)
    : flags_(flags),
      access_(std::move(access)),
      metrics_(std::string(config::kOwnVersion), GitRevision()),
      transport_(access_.server, UserAgent()),
      credentials_(access_.credential),
      client_(transport_, credentials_, clock_, kube::RealSleep(stop_.get_token()), Seed(),
              {.field_manager = std::string(model::kManager),
               .stop = stop_.get_token(),
               .observer = &metrics_}),
      events_(client_, clock_,
              {.controller = std::string(model::kGroup) + "/operator",
               .instance = EnvironmentOr("POD_NAME", "operator")}),
      etcd_(clock_),
      queue_(clock_, Seed()),
      informers_(client_, clock_, flags.watch_namespaces, &metrics_),
      settings_(MakeSettings()),
      elector_(client_, clock_, Election(flags, access_), Seed(),
               {std::move(callbacks.on_elected), std::move(callbacks.on_lost)}) {
  const kube::ControllerContext context{
      .client = client_,
      .clock = clock_,
      .events = events_,
      .caches = informers_,
      .may_act = [this](std::chrono::nanoseconds timeout) { return elector_.MayAct(timeout); }};
  controllers_ = MakeControllers(context);
  for (const auto& controller : controllers_) informers_.Watch(controller->watched(), queue_);
  informers_.Prepare();
}

Operator::~Operator() { Stop(); }

// Every kind of custom resource has its controller here.
std::vector<std::unique_ptr<kube::Controller>> Operator::MakeControllers(
    const kube::ControllerContext& context) {
  std::vector<std::unique_ptr<kube::Controller>> controllers;
  controllers.push_back(std::make_unique<loop::ClusterController>(
      context, etcd_, settings_, metrics_,
      [this](const loop::Facts& facts, const model::EtcdMember& seed) {
        return MakeSeedParts(facts, seed);
      }));
  const backup_control::BackupOptions options{
      .pod = {.operator_image = settings_.operator_image, .image_pull_policy = {}},
      .cluster_domain = settings_.cluster_domain};
  for (auto& controller : backup_control::BackupControllers(context, options, backup_metrics_)) {
    controllers.push_back(std::move(controller));
  }
  return controllers;
}

// A seed with data gets it before its server starts.
absl::StatusOr<loop::SeedParts> Operator::MakeSeedParts(const loop::Facts& facts,
                                                        const model::EtcdMember& seed) {
  const std::string& name = seed.metadata.name;
  backup_control::RestoreRequest request;
  request.ns = facts.object.ns();
  request.restore_from = *seed.spec.restore_from;
  request.member = name;
  request.peer_url = desired::PeerUrl(facts.cluster, name, facts.cluster_domain);
  request.token = desired::ClusterToken(facts.cluster);
  request.data_volume = "data";
  request.data_mount = desired::kDataMount;
  request.data_dir = desired::kDataDir;
  request.pod.operator_image = settings_.operator_image;
  ASSIGN_OR_RETURN(backup_control::RestoreParts parts,
                   backup_control::RestoreInit(client_, request));
  return loop::SeedParts{.init_containers = kube::Json::array({std::move(parts.init_container)}),
                         .volumes = std::move(parts.volumes)};
}

desired::Settings Operator::MakeSettings() {
  desired::Settings settings{.server_image = flags_.server_image,
                             .operator_image = flags_.operator_image,
                             .cluster_domain = flags_.cluster_domain,
                             .operator_namespace = EnvironmentOr("POD_NAMESPACE", "")};
  if (settings.cluster_domain.empty()) {
    const auto text = kube::ProcessEnvironment().read_file("/etc/resolv.conf");
    settings.cluster_domain = ClusterDomainOf(text.ok() ? *text : std::string());
  }
  // Services have the family of the pods' first addresses. [::] would not do everywhere: a node may
  // have no IPv6 at all.
  const bool is_v6 = EnvironmentOr("KUBERNETES_SERVICE_HOST", "").find(':') != std::string::npos;
  if (is_v6) settings.listen_host = "[::]";
  // preStop.sleep is on by default from there on.
  const absl::StatusOr<kube::ServerVersion> version = client_.Version();
  if (!version.ok())
    LOG_WARN("the API server does not say its version", {"error", version.status()});
  settings.has_sleep_action = version.ok() && *version >= kube::ServerVersion{1, 30};
  return settings;
}

absl::Status Operator::Listen() {
  ASSIGN_OR_RETURN(health_, HttpEndpoint::Listen(flags_.health_address, [this](const auto& path) {
                     return Health(path);
                   }));
  if (flags_.metrics_address.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(figures_, HttpEndpoint::Listen(flags_.metrics_address, [this](const auto& path) {
                     return Figures(path);
                   }));
  return absl::OkStatus();
}

void Operator::Work() {
  beginning_ = std::jthread([this](const std::stop_token& stop) { Begin(stop); });
}

void Operator::Begin(const std::stop_token& stop) {
  informers_.Start();
  while (!informers_.have_synced()) {
    if (!kube::RealSleep(stop)(milliseconds(20))) return;
  }
  LOG_INFO("caches are filled", {"workers", flags_.workers});
  queue_.Start(flags_.workers, [this](const kube::WorkKey& key, const std::stop_token& end) {
    return Reconcile(key, end);
  });
  is_working_ = true;
}

kube::WorkQueue::Result Operator::Reconcile(const kube::WorkKey& key, const std::stop_token& stop) {
  const auto begin = clock_.Now();
  for (const auto& controller : controllers_) {
    if (controller->kind() != key.kind) continue;
    kube::WorkQueue::Result result = controller->Reconcile(key, stop);
    metrics_.Reconciled(key.kind, result.status,
                        std::chrono::duration<double>(clock_.Now() - begin).count());
    return result;
  }
  return {absl::InternalError("no controller for this kind"), std::nullopt};
}

void Operator::Stop() {
  health_.reset();
  figures_.reset();
  beginning_ = {};  // asks it to stop, and joins
  queue_.Stop();
  informers_.Stop();
  events_.Stop();
  elector_.Stop();
  stop_.request_stop();
}

Page Operator::Health(const std::string& path) {
  if (path == "/healthz" || path == "/livez") {
    if (!is_working_ || informers_.are_alive()) return {.body = "ok\n"};
    return {.code = 500, .body = "a watch hangs\n"};
  }
  if (path == "/readyz") {
    if (!elector_.is_leader()) return {.body = "ok: standby\n"};
    if (informers_.have_synced()) return {.body = "ok: leader\n"};
    return {.code = 500, .body = "caches are being filled\n"};
  }
  return {.code = 404, .body = "not found\n"};
}

Page Operator::Figures(const std::string& path) {
  if (path != "/metrics") return {.code = 404, .body = "not found\n"};
  metrics_.SetLeader(elector_.is_leader());
  metrics_.SetQueue(queue_.stats());
  std::string text = metrics_.Text();
  backup_metrics_.Append(text);
  return {.body = std::move(text), .content_type = "text/plain; version=0.0.4; charset=utf-8"};
}

}  // namespace etcd::op
