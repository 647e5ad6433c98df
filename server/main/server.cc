#include "server/main/server.h"

#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "server/api/gateway/gateway.h"
#include "server/api/http/http_handler.h"
#include "server/api/http/peer_handler.h"
#include "server/api/v3/reflection.h"
#include "server/api/v3/services.h"
#include "server/base/check.h"
#include "server/base/log.h"
#include "server/base/random.h"
#include "server/base/status.h"
#include "server/base/thread_executor.h"
#include "server/config/version.h"
#include "server/image/export.h"
#include "server/main/bootstrap.h"
#include "server/main/data_dir.h"
#include "server/main/figures.h"
#include "server/main/go_import.h"
#include "server/main/no_sync_file_system.h"
#include "server/main/observers.h"
#include "server/main/options.h"
#include "server/main/peer_metrics.h"
#include "server/main/rebuild.h"
#include "server/main/system.h"
#include "server/metrics/process_metrics.h"
#include "server/node/member.h"
#include "server/rafthttp/transport.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/transport/server.h"
#include "server/watch/watch_hub.h"

namespace etcd::server {
namespace {

// How long open calls may go on after a stop was asked for. Unary calls end in milliseconds; watch
// streams never end by themselves, so this is what a stop with watchers takes.
constexpr std::chrono::milliseconds kDrainMax(500);

// The threads of house-style.md 3; the log is written inline on the raft thread (ADR 2).
struct Threads {
  explicit Threads(const base::Clock& clock)
      : raft("raft", clock),
        apply("apply", clock),
        watch("watch", clock),
        snapshot("snapshot", clock),
        compaction("compaction", clock),
        timer("timer", clock),
        edge("edge", clock),
        bulk("bulk", clock) {}

  // Those that feed others stop first.
  void Stop() {
    for (base::ThreadExecutor* one :
         {&timer, &edge, &bulk, &raft, &apply, &watch, &snapshot, &compaction}) {
      one->Stop();
    }
  }

  base::ThreadExecutor raft, apply, watch, snapshot, compaction, timer, edge, bulk;
};

// What the engine or the member says when it cannot go on. While the parts are opened the error
// comes back from there as well, and then damage may be replaced without an end of the process.
class DamageWatch {
 public:
  explicit DamageWatch(Rebuild& rebuild) : rebuild_(rebuild) {}

  // Any thread.
  void OnFatal(std::string_view message, const absl::Status& status) {
    {
      const std::lock_guard lock(mu_);
      if (!is_armed_ && rebuild_.Covers(status)) {
        found_ = status;
        return;
      }
    }
    rebuild_.NoteDamage(status);
    base::Fatal(message, status);
  }

  // Everything is open; the error if it is damaged all the same.
  absl::Status Arm() {
    const std::lock_guard lock(mu_);
    is_armed_ = true;
    return found_;
  }

 private:
  Rebuild& rebuild_;
  std::mutex mu_;
  bool is_armed_ = false;
  absl::Status found_;
};

}  // namespace

// In order of construction; destroyed in reverse.
struct Server::Parts {
  Parts(config::Config settings, std::vector<std::string> arguments, Rebuild& replacement)
      : config(std::move(settings)),
        rebuild(replacement),
        command_line(std::move(arguments)),
        observer(metrics, clock, config.warning_apply_duration),
        snap_observer(metrics),
        calls(registry, metrics, config.metrics == "extensive",
              config.warning_unary_request_duration),
        file_system(config.unsafe_no_fsync ? static_cast<base::FileSystem&>(no_sync)
                                           : base::PosixFileSystem()) {}

  const config::Config config;
  Rebuild& rebuild;
  const std::vector<std::string> command_line;
  base::SystemClock clock;
  metrics::Registry registry;
  metrics::ServerMetrics metrics{registry};
  std::mutex scrape_mu;  // collectors run one at a time
  LayerObserver observer;
  SnapObserver snap_observer;
  CallMetrics calls;
  NoSyncFileSystem no_sync{base::PosixFileSystem()};
  base::FileSystem& file_system;
  base::SeededRandom random{RandomSeed()};
  // Sends to peers and serves them; a member alone has a peer port too.
  PeerMetrics peer_metrics{registry};
  rafthttp::Transport peers{MakePeerOptions(config), &peer_metrics};
  absl::AnyInvocable<void()> removed;  // set by Start, before anybody can call it

  std::unique_ptr<DataDir> data_dir;
  DamageWatch damage{rebuild};
  std::unique_ptr<engine::KvEngine> engine;
  std::optional<Threads> threads;
  std::unique_ptr<node::Member> member;
  std::unique_ptr<watch::WatchHub> hub;
  std::optional<base::MethodTable> methods;
  std::unique_ptr<base::HttpHandler> gateway;
  std::unique_ptr<base::HttpHandler> http;
  std::unique_ptr<base::HttpHandler> peer_http;
  std::unique_ptr<base::HttpHandler> metrics_http;
  std::unique_ptr<transport::Server> clients;
  std::unique_ptr<transport::Server> scrapes;  // null without --listen-metrics-urls

  absl::Status Listen();
  absl::Status OpenAll();
  absl::Status OpenStorage();
  absl::Status Bootstrap(node::MemberOptions& options);
  node::MemberPorts MemberPorts();
  absl::Status OpenNode();
  absl::Status CompareInitially();
  void BuildEdges();
  std::string ScrapeText() {
    const std::lock_guard lock(scrape_mu);
    return registry.Text();
  }
};

// In Go's order, and before anything is asked of others or changed on disk: a port in use must not
// cost more than this start.
absl::Status Server::Parts::Listen() {
  LOG_INFO("configuring peer listeners",
           {"listen-peer-urls", config::ToStrings(config.listen_peer_urls)});
  if (const absl::Status status = peers.Listen().status(); !status.ok()) {
    LOG_ERROR("creating peer listener failed", {"error", status});
    return status;
  }
  LOG_INFO("configuring client listeners",
           {"listen-client-urls", config::ToStrings(config.listen_client_urls)});
  ASSIGN_OR_RETURN(transport::ServerOptions client_options, MakeClientOptions(config));
  clients = std::make_unique<transport::Server>(std::move(client_options));
  RETURN_IF_ERROR(clients->Listen().status());
  if (config.listen_metrics_urls.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(transport::ServerOptions scrape_options, MakeMetricsOptions(config));
  scrapes = std::make_unique<transport::Server>(std::move(scrape_options));
  return scrapes->Listen().status();
}

absl::Status Server::Parts::OpenAll() {
  RETURN_IF_ERROR(OpenStorage());
  RETURN_IF_ERROR(OpenNode());
  RETURN_IF_ERROR(CompareInitially());
  BuildEdges();
  return damage.Arm();
}

absl::Status Server::Parts::OpenStorage() {
  ASSIGN_OR_RETURN(data_dir, DataDir::Open(file_system, config.data_dir, config.wal_dir));
  LOG_INFO("Initialize and start etcd server", {"name", config.name}, {"data-dir", config.data_dir},
           {"dir-type", data_dir->has_log() ? "member" : "empty"});
  if (!data_dir->has_log() && !rebuild.is_joining()) RETURN_IF_ERROR(config.bootstrap);
  RETURN_IF_ERROR(ImportGoBackend(file_system, *data_dir));
  engine::RocksOptions options;
  options.on_fatal = [this](const absl::Status& status) {
    damage.OnFatal("storage engine failed", status);
  };
  // A start on a full disk must be able to serve reads: what is refused or waits is decided later.
  options.make_room = [this] { data_dir->GiveUpReserve(file_system); };
  ASSIGN_OR_RETURN(engine, engine::OpenRocksEngine(data_dir->engine(), std::move(options)));
  return absl::OkStatus();
}

// What a member that has no log asks the others.
absl::Status Server::Parts::Bootstrap(node::MemberOptions& options) {
  if (data_dir->has_log()) return absl::OkStatus();
  if (rebuild.is_joining()) {
    ASSIGN_OR_RETURN(options.joins, rebuild.Join(peers));
    return absl::OkStatus();
  }
  if (config.initial_cluster_state != "existing") return CheckNotBootstrapped(config, peers);
  ASSIGN_OR_RETURN(options.joins, AskToJoin(config, peers));
  return absl::OkStatus();
}

node::MemberPorts Server::Parts::MemberPorts() {
  return {.file_system = file_system,
          .engine = *engine,
          .random = random,
          .raft = threads->raft,
          .apply = threads->apply,
          .snapshot = threads->snapshot,
          .compaction = threads->compaction,
          .lease = threads->timer,
          .bulk = &threads->bulk,
          .peers = peers,
          .peer_client = &peers,
          .wal_observer = &observer,
          .snap_observer = &snap_observer,
          .lease_observer = &observer,
          .observer = &observer,
          .fatal = [this](std::string_view message,
                          const absl::Status& status) { damage.OnFatal(message, status); },
          .removed = [this] { removed(); }};
}

absl::Status Server::Parts::OpenNode() {
  node::MemberOptions options = MakeMemberOptions(config, *data_dir);
  options.store.observer = &observer;
  options.halt_when_corrupt = rebuild.halts_when_corrupt();
  options.may_have_joined = options.may_have_joined || rebuild.is_joining();
  if (const absl::Status status = Bootstrap(options); !status.ok()) {
    LOG_ERROR("bootstrap failed", {"error", status});
    return status;
  }
  threads.emplace(clock);
  const auto joined =
      options.joins.has_value() ? options.joins->members : std::vector<membership::Member>();
  ASSIGN_OR_RETURN(member, node::OpenMember(std::move(options), MemberPorts()));
  rebuild.NoteMembers(*member, joined);
  hub = std::make_unique<watch::WatchHub>(member->store(), threads->watch,
                                          std::make_unique<base::SeededRandom>(RandomSeed()),
                                          &observer, MakeWatchOptions(config));
  member->store().SetObserver(hub.get());
  peer_metrics.SetLocal(member->member_id());
  metrics::AddProcessMetrics(registry);
  AddMemberFigures(registry, metrics, *member);
  SetConstants(metrics, *member, config);
  return absl::OkStatus();
}

// Of a member that had data before.
absl::Status Server::Parts::CompareInitially() {
  const bool wanted = config.feature_gates.enabled(config::Gate::kInitialCorruptCheck);
  if (!wanted || !data_dir->has_log()) return absl::OkStatus();
  return CheckAgainstPeers(*member, peers, config.request_timeout);
}

void Server::Parts::BuildEdges() {
  methods.emplace(api::v3::BuildMethodTable(
      {.node = *member,
       .store = member->store(),
       .watch = *hub,
       .lessor = member->lessor(),
       .background = threads->timer,
       .bulk = &threads->bulk,
       .snapshot = [this] { return image::ExportImage(engine->PinView()); },
       .observer = &observer,
       .hash_backend = [this] { return mvcc::HashBackend(*engine); }},
      MakeApiOptions(config)));
  if (config.enable_grpc_reflection) api::v3::AddReflection(*methods);
  if (config.enable_grpc_gateway) {
    gateway = api::gateway::MakeGateway(
        *methods, threads->edge,
        {.receive_message_bytes_max = config.max_request_bytes + kRequestOverheadBytes,
         .answered = [this](const api::gateway::AnsweredCall& call) {
           calls.OnAnswered({call.context, call.request, call.response, call.took});
         }});
  }
  const auto http_deps = [this] {
    return api::http::Deps{.node = *member,
                           .store = member->store(),
                           .background = threads->timer,
                           .gateway = gateway.get(),
                           .metrics = [this] { return ScrapeText(); },
                           .debug_vars = [this] { return DebugVars(command_line, *member); },
                           .observer = &observer};
  };
  http = api::http::MakeHttpHandler(http_deps(), MakeHttpOptions(config));
  peer_http = api::http::MakePeerHandler({.node = *member,
                                          .store = member->store(),
                                          .lessor = member->lessor(),
                                          .background = threads->timer,
                                          .bulk = threads->bulk,
                                          .member = member.get(),
                                          .server_version = std::string(config::kEtcdVersion)});
  metrics_http = api::http::MakeMetricsHandler(http_deps());
}

Server::Server(std::unique_ptr<Rebuild> rebuild, std::unique_ptr<Parts> parts)
    : rebuild_(std::move(rebuild)), parts_(std::move(parts)) {}
Server::~Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Open(config::Config config,
                                                     std::vector<std::string> command_line) {
  auto rebuild = std::make_unique<Rebuild>(config, base::PosixFileSystem());
  auto parts = std::make_unique<Parts>(config, command_line, *rebuild);
  RETURN_IF_ERROR(parts->Listen());
  RETURN_IF_ERROR(rebuild->Resume());
  absl::Status opened = parts->OpenAll();
  if (rebuild->Covers(opened)) {
    parts.reset();
    RETURN_IF_ERROR(rebuild->Run(opened));
    parts = std::make_unique<Parts>(std::move(config), std::move(command_line), *rebuild);
    RETURN_IF_ERROR(parts->Listen());
    opened = parts->OpenAll();
  }
  RETURN_IF_ERROR(opened);
  return std::unique_ptr<Server>(new Server(std::move(rebuild), std::move(parts)));
}

void Server::Start(absl::AnyInvocable<void()> ready, absl::AnyInvocable<void()> removed) {
  parts_->removed = std::move(removed);
  const config::Config& config = parts_->config;
  LOG_INFO("now serving peer/client/metrics",
           {"local-member-id", base::FormatHex(parts_->member->member_id().value())},
           {"initial-advertise-peer-urls", config::ToStrings(config.initial_advertise_peer_urls)},
           {"listen-peer-urls", config::ToStrings(config.listen_peer_urls)},
           {"advertise-client-urls", config::ToStrings(config.advertise_client_urls)},
           {"listen-client-urls", config::ToStrings(config.listen_client_urls)},
           {"listen-metrics-urls", config::ToStrings(config.listen_metrics_urls)});
  if (parts_->scrapes != nullptr) {
    static const base::MethodTable kNoMethods;
    parts_->scrapes->Start(kNoMethods, parts_->metrics_http.get());
    for (const config::Url& url : config.listen_metrics_urls) {
      LOG_INFO("serving metrics", {"address", url.ToString()});
    }
  }
  node::Member& member = *parts_->member;
  member.Start(std::move(ready));
  parts_->peers.Start({.id = member.member_id(),
                       .cluster_id = member.cluster_id(),
                       .name = config.name,
                       .advertise_urls = config::ToStrings(config.initial_advertise_peer_urls),
                       .server_version = [&member] { return member.ReportedVersion(); }},
                      member, parts_->peer_http.get());
}

void Server::Serve() {
  parts_->rebuild.NoteMembers(*parts_->member, {});
  parts_->rebuild.Finish(*parts_->member, parts_->threads->edge);
  parts_->clients->Start(*parts_->methods, parts_->http.get(), &parts_->calls);
  const bool split = !parts_->config.listen_client_http_urls.empty();
  const auto announce = [](const config::UrlList& urls, std::string_view traffic) {
    for (const config::Url& url : urls) {
      LOG_INFO("serving client traffic insecurely; this is strongly discouraged!",
               {"traffic", traffic}, {"address", url.host});
    }
  };
  announce(parts_->config.listen_client_urls, split ? "grpc" : "grpc+http");
  announce(parts_->config.listen_client_http_urls, "http");
}

void Server::Stop() {
  const config::Config& config = parts_->config;
  LOG_INFO("closing etcd server", {"name", config.name}, {"data-dir", config.data_dir});
  // While clients are still served: what they write meanwhile goes to the next leader.
  std::promise<void> handed_over;
  parts_->member->HandOver([&handed_over] { handed_over.set_value(); });
  handed_over.get_future().wait();
  parts_->clients->Stop(kDrainMax);
  std::promise<void> stopped;
  parts_->member->Stop([&stopped] { stopped.set_value(); });
  stopped.get_future().wait();
  parts_->peers.Stop();
  parts_->hub->Stop();
  if (parts_->scrapes != nullptr) parts_->scrapes->Stop(kDrainMax);
  parts_->threads->Stop();
  const std::string name = config.name;
  const std::string data_dir = config.data_dir;
  parts_.reset();  // closes the engine, which writes out what it holds
  LOG_INFO("closed etcd server", {"name", name}, {"data-dir", data_dir});
}

}  // namespace etcd::server
