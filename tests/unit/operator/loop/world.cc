#include "world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "operator/desired/kinds.h"
#include "server/base/log.h"

namespace etcd::loop {
namespace {

constexpr char kClusterPath[] = "/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdclusters/c";
constexpr char kMembersPath[] = "/apis/etcdpp.dev/v1alpha1/namespaces/n/etcdmembers";
constexpr char kPodsPath[] = "/api/v1/namespaces/n/pods";
constexpr char kClaimsPath[] = "/api/v1/namespaces/n/persistentvolumeclaims";

// When every object was created, as the server in memory has it: 2026-01-01T00:00:00Z.
constexpr std::chrono::seconds kCreation{1'767'225'600};

std::string FlagOf(const kube::Json& pod, const std::string& flag) {
  for (const kube::Json& argument : pod["spec"]["containers"][0]["args"]) {
    const auto text = argument.get<std::string>();
    if (text.starts_with("--" + flag + "=")) return text.substr(flag.size() + 3);
  }
  return {};
}

// Schema defaults that the API server fills in.
kube::Json WithDefaults(kube::Json spec) {
  kube::Json all = {{"replicas", 3},
                    {"storage", {{"size", "8Gi"}, {"pvcRetention", kube::Json::object()}}},
                    {"etcd", {{"quotaBackendBytes", "2Gi"}}},
                    {"progressDeadline", "10m"}};
  all.merge_patch(spec);
  return all;
}

}  // namespace

struct World::Transport final : kube::HttpTransport {
  explicit Transport(World& owner) : world(owner) {}
  absl::StatusOr<kube::HttpAnswer> Send(const kube::HttpRequest& request,
                                        std::stop_token stop) override {
    const bool is_write = request.method != "GET";
    absl::StatusOr<kube::HttpAnswer> answer = world.server.Send(request, std::move(stop));
    if (is_write) ++world.writes;
    const bool is_pod = request.target.starts_with(kPodsPath);
    if (request.method == "DELETE" && is_pod) world.deleted_pods_.insert(request.target);
    if (is_write && world.LosesAnswer()) {
      return kube::ApiError(kube::ApiErrc::kNoAnswer, "lost");
    }
    return answer;
  }
  absl::StatusOr<kube::HttpAnswer> Stream(const kube::HttpRequest& request,
                                          const kube::ByteSink& sink,
                                          std::stop_token stop) override {
    return world.server.Stream(request, sink, std::move(stop));
  }
  World& world;
};

World::World(const Json& spec)
    : transport_(std::make_unique<Transport>(*this)),
      client_(*transport_, credentials_, clock,
              [this](std::chrono::nanoseconds wait) {
                clock.Set(clock.Now() + wait);
                return true;
              },
              1, {.requests_per_second = 1e6, .burst = 1e6, .field_manager = "etcd-operator"}),
      events_(client_, clock, {.controller = "c", .instance = "i"}),
      settings_{.server_image = "localhost/etcd:v3.6.16", .operator_image = "localhost/op:1"} {
  base::SetLogLevel(base::LogLevel::kError);
  clock.Set(base::Clock::Monotonic(kCreation));
  etcd.loses_answer = [this] { return LosesAnswer(); };
  server.Put(kClusterPath, {{"apiVersion", "etcdpp.dev/v1alpha1"},
                            {"kind", "EtcdCluster"},
                            {"metadata", {{"name", "c"}, {"namespace", "n"}}},
                            {"spec", WithDefaults(spec)}});
  Restart();
}

World::~World() = default;

void World::Restart() {
  const kube::ControllerContext context{.client = client_,
                                        .clock = clock,
                                        .events = events_,
                                        .caches = caches_,
                                        .may_act = [this](auto) { return may_act; }};
  controller_ = std::make_unique<ClusterController>(context, etcd, settings_, metrics_, nullptr);
}

void World::CrashAt(int change, Fate fate) {
  changes = 0;
  crash_at_ = change;
  fate_ = fate;
}

bool World::LosesAnswer() {
  if (++changes != crash_at_) return false;
  crash_at_ = 0;
  if (fate_ == Fate::kDies) throw Crash();
  has_lost_answer = true;
  return true;
}

void World::FillCache() {
  std::vector<kube::Object> services;
  for (Json& service : All("services")) services.push_back(*kube::Object::Make(std::move(service)));
  caches_.services.Replace(std::move(services));
}

kube::WorkQueue::Result World::Turn() {
  FillCache();
  const int etcd_before = etcd.changes;
  deleted_pods_.clear();
  kube::WorkQueue::Result result;
  try {
    result = controller_->Reconcile({"EtcdCluster", "n", "c"}, {});
  } catch (const Crash&) {
    Kubelet();
    throw;
  }
  CheckTurn(etcd.changes - etcd_before);
  // Polls are made rarer than they are: they take the test's time, not the cluster's.
  const std::chrono::nanoseconds wait = result.again_after.value_or(std::chrono::seconds(1));
  const bool is_poll = wait > std::chrono::milliseconds(100);
  clock.Set(clock.Now() +
            (is_poll ? std::max<std::chrono::nanoseconds>(wait, std::chrono::seconds(1)) : wait));
  Kubelet();
  return result;
}

// Never two steps, never a name used again.
void World::CheckTurn(int etcd_changes) {
  if (std::exchange(checked_writes_, writes) == writes && etcd_changes == 0) return;
  const Json cluster = Cluster();
  const bool is_deleted = cluster.is_null() || cluster["metadata"].contains("deletionTimestamp");
  const auto steps = static_cast<std::size_t>(etcd_changes) + deleted_pods_.size();
  if (!is_deleted && steps > 1) {
    faults_.push_back(fmt::format("{} steps in one turn", steps));
  }
  for (const Json& member : All("etcdmembers")) {
    const auto name = member["metadata"]["name"].get<std::string>();
    const std::string both = name + " " + member["metadata"]["uid"].get<std::string>();
    if (!uids_of_names_.insert(both).second) continue;
    if (!names_.insert(name).second) faults_.push_back("name used again: " + name);
  }
}

bool World::Settle(int turns) {
  for (int i = 0; i < turns; ++i) {
    const kube::WorkQueue::Result result = Turn();
    if (!result.status.ok()) continue;
    if (!result.again_after.has_value() || *result.again_after == std::chrono::seconds(30)) {
      return true;
    }
  }
  return false;
}

// Every pod that is bound runs at once, under an address that nobody had before.
void World::Kubelet() {
  std::map<std::string, FakeEtcd::Server> servers;
  for (Json pod : All("pods")) {
    const auto name = pod["metadata"]["name"].get<std::string>();
    const Json claim = server.Read(std::string(kClaimsPath) + "/data-" + name);
    if (claim.is_null() || !kubelet_runs || dead.contains(name) || IsStopped(pod)) continue;
    if (!pod.contains("status")) {
      // As the kubelet's grace: a deleted pod stays for some time.
      pod["metadata"]["finalizers"] = {"test/kubelet"};
      pod = server.Put(std::string(kPodsPath) + "/" + name, pod);
      pod["status"] = {
          {"phase", "Running"},
          {"podIP", fmt::format("10.0.{}.{}", next_ip_ / 200, next_ip_ % 200)},
          {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})},
          {"containerStatuses", Json::array({{{"name", "etcd"},
                                              {"restartCount", 0},
                                              {"state", {{"running", Json::object()}}}}})}};
      ++next_ip_;
      pod = server.Put(std::string(kPodsPath) + "/" + name + "/status", pod);
    }
    const auto ip = pod["status"]["podIP"].get<std::string>();
    servers["http://" + ip + ":2379"] = ServerOf(pod, claim);
  }
  etcd.Run(servers);
}

// A pod that is deleted runs for one more turn.
bool World::IsStopped(Json pod) {
  if (!pod["metadata"].contains("deletionTimestamp")) return false;
  const auto name = pod["metadata"]["name"].get<std::string>();
  if (stopping_.insert(pod["metadata"]["uid"].get<std::string>()).second) return false;
  pod["metadata"]["finalizers"] = Json::array();
  server.Put(std::string(kPodsPath) + "/" + name, pod);
  return true;
}

FakeEtcd::Server World::ServerOf(const Json& pod, const Json& claim) {
  return {.name = FlagOf(pod, "name"),
          .peer_url = FlagOf(pod, "initial-advertise-peer-urls"),
          .volume = claim["metadata"]["uid"],
          .is_new_cluster = FlagOf(pod, "initial-cluster-state") == "new",
          .initial_cluster = FlagOf(pod, "initial-cluster")};
}

void World::Spec(const Json& patch) {
  Json cluster = Cluster();
  cluster["spec"].merge_patch(patch);
  server.Put(kClusterPath, cluster);
}

void World::DeleteCluster() { server.Remove(kClusterPath); }

void World::LosePod(const std::string& name) {
  Json pod = server.Read(std::string(kPodsPath) + "/" + name);
  pod["metadata"]["finalizers"] = Json::array();
  server.Put(std::string(kPodsPath) + "/" + name, pod);
  server.Remove(std::string(kPodsPath) + "/" + name);
  Kubelet();
}

World::Json World::Cluster() { return server.Read(kClusterPath); }

World::Json World::Condition(const std::string& type) {
  const Json cluster = Cluster();
  for (const Json& one : cluster["status"]["conditions"]) {
    if (one["type"] == type) return one;
  }
  return nullptr;
}

std::vector<World::Json> World::All(const std::string& plural) {
  const bool is_ours = plural == "etcdmembers";
  kube::HttpRequest request;
  request.method = "GET";
  request.target = is_ours ? kMembersPath : "/api/v1/namespaces/n/" + plural;
  const absl::StatusOr<kube::HttpAnswer> answer = server.Send(request, {});
  return Json::parse(answer->body)["items"].get<std::vector<Json>>();
}

std::vector<std::string> World::Events() {
  events_.Start();
  events_.Stop();  // writes what is left
  std::vector<std::string> reasons;
  kube::HttpRequest request;
  request.method = "GET";
  request.target = "/apis/events.k8s.io/v1/namespaces/n/events";
  const absl::StatusOr<kube::HttpAnswer> answer = server.Send(request, {});
  const Json list = Json::parse(answer->body);
  for (const Json& event : list["items"]) reasons.push_back(event["reason"]);
  return reasons;
}

std::vector<std::string> World::Members() {
  std::vector<std::string> names;
  for (const Json& member : All("etcdmembers")) names.push_back(member["metadata"]["name"]);
  return names;
}

std::vector<std::string> World::faults() {
  std::vector<std::string> all = faults_;
  all.insert(all.end(), etcd.faults.begin(), etcd.faults.end());
  return all;
}

}  // namespace etcd::loop
