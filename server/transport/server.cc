#include "server/transport/server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "server/base/check.h"
#include "server/base/log.h"
#include "server/net/listener.h"
#include "server/net/stream.h"
#include "server/transport/client_loop.h"
#include "server/transport/connection.h"
#include "server/transport/context.h"

namespace etcd::transport {
namespace {

// Descriptors kept for files, peers and the engine.
constexpr std::size_t kReservedDescriptors = 150;

std::size_t DescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 1 << 20;
  return static_cast<std::size_t>(limit.rlim_cur);
}

std::size_t ConnectionsMax(const ServerOptions& options) {
  if (options.connections_max != 0) return options.connections_max;
  const std::size_t limit = DescriptorLimit();
  return limit > 2 * kReservedDescriptors ? limit - kReservedDescriptors : limit / 2;
}

std::string ServiceOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(path.substr(1, slash - 1));
}

// Waits for all loops: each counts down once.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}
  void Done() {
    const std::lock_guard lock(mu_);
    if (--left_ == 0) zero_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mu_);
    zero_.wait(lock, [this] { return left_ == 0; });
  }

 private:
  std::mutex mu_;
  std::condition_variable zero_;
  std::size_t left_;
};

}  // namespace

struct Server::Impl {
  ServerContext context;
  std::size_t connections_max;
  std::vector<std::unique_ptr<ClientLoop>> loops;
  std::vector<std::unique_ptr<net::Listener>> listeners;  // on loop 0
  std::size_t next_loop = 0;                              // loop 0's thread
  enum class Phase : std::uint8_t { kNew, kListening, kRunning, kStopped } phase = Phase::kNew;

  explicit Impl(ServerOptions options)
      : context(std::move(options)), connections_max(ConnectionsMax(context.options)) {}

  void AddMethods(const base::MethodTable& methods, CallObserver* observer);
  void Accepted(const ListenEndpoint& endpoint, int descriptor, std::string peer);
  void OnEveryLoop(const std::function<void(ClientLoop&)>& function);
  void CloseListeners();
};

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  std::size_t count = impl_->context.options.loops;
  if (count == 0) count = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t half_open = impl_->context.options.half_open_max;
  for (std::size_t i = 0; i < count; ++i) {
    impl_->loops.push_back(std::make_unique<ClientLoop>((half_open + count - 1) / count));
  }
}

Server::~Server() { Stop(std::chrono::nanoseconds(0)); }

absl::StatusOr<std::vector<std::uint16_t>> Server::Listen() {
  CHECK(impl_->phase == Impl::Phase::kNew) << "Listen called twice";
  std::vector<std::uint16_t> ports;
  for (const ListenEndpoint& endpoint : impl_->context.options.endpoints) {
    auto listener = net::Listener::Open(
        *impl_->loops[0], {endpoint.host, std::to_string(endpoint.port), endpoint.unix_path},
        {.reuse_port = endpoint.reuse_port});
    if (!listener.ok()) {
      impl_->listeners.clear();
      return listener.status();
    }
    ports.push_back((*listener)->port());
    impl_->listeners.push_back(*std::move(listener));
  }
  impl_->phase = Impl::Phase::kListening;
  return ports;
}

void Server::Impl::AddMethods(const base::MethodTable& methods, CallObserver* observer) {
  for (const auto& entry : methods.entries()) {
    CHECK((entry->unary != nullptr) != (entry->stream != nullptr)) << entry->path;
    MethodObserver* counts = observer != nullptr ? observer->Observe(*entry) : nullptr;
    const bool added = context.methods.emplace(entry->path, Method{entry.get(), counts}).second;
    CHECK(added) << "method registered twice: " << entry->path;
    context.services.insert(ServiceOf(entry->path));
  }
}

void Server::Start(const base::MethodTable& methods, base::HttpHandler* http,
                   CallObserver* observer) {
  CHECK(impl_->phase == Impl::Phase::kListening) << "Start without Listen";
  impl_->phase = Impl::Phase::kRunning;
  impl_->context.http = http;
  impl_->AddMethods(methods, observer);
  for (std::size_t i = 0; i < impl_->loops.size(); ++i)
    impl_->loops[i]->Start("client-" + std::to_string(i));
  impl_->loops[0]->mailbox()->Post([impl = impl_.get()] {
    for (std::size_t i = 0; i < impl->listeners.size(); ++i) {
      const ListenEndpoint& endpoint = impl->context.options.endpoints[i];
      impl->listeners[i]->Start(
          [impl, &endpoint](int descriptor, std::string peer) {
            impl->Accepted(endpoint, descriptor, std::move(peer));
          },
          [impl] { return impl->context.connections.load() < impl->connections_max; });
    }
  });
}

void Server::Impl::Accepted(const ListenEndpoint& endpoint, int descriptor, std::string peer) {
  ClientLoop& loop = *loops[next_loop++ % loops.size()];
  loop.mailbox()->Post([this, &loop, &endpoint, peer = std::move(peer),
                        stream = net::MakePlainStream(descriptor)]() mutable {
    std::make_shared<Connection>(loop, context, endpoint, std::move(stream), std::move(peer))
        ->Start();
  });
}

// Runs `function` on each loop and waits until all have.
void Server::Impl::OnEveryLoop(const std::function<void(ClientLoop&)>& function) {
  Countdown countdown(loops.size());
  for (const auto& loop : loops) {
    loop->mailbox()->Post([&function, &countdown, loop = loop.get()] {
      function(*loop);
      countdown.Done();
    });
  }
  countdown.Wait();
}

void Server::Impl::CloseListeners() {
  for (const auto& listener : listeners) listener->Close();
}

void Server::Stop(std::chrono::nanoseconds drain_max) {
  Impl& impl = *impl_;
  if (impl.phase != Impl::Phase::kRunning) {
    impl.CloseListeners();
    impl.phase = Impl::Phase::kStopped;
    return;
  }
  impl.phase = Impl::Phase::kStopped;
  const auto deadline = std::chrono::steady_clock::now() + drain_max;
  Countdown closed(1);
  impl.loops[0]->mailbox()->Post([&] {
    impl.CloseListeners();
    closed.Done();
  });
  closed.Wait();
  // Connections accepted just before are in the mailboxes ahead of this.
  impl.OnEveryLoop([](ClientLoop& loop) {
    loop.ForEachConnection([](Connection& connection) { connection.Drain(); });
  });
  impl.context.connections.WaitUntilNone(deadline);
  impl.OnEveryLoop([](ClientLoop& loop) {
    loop.ForEachConnection([](Connection& connection) { connection.Close(); });
  });
  for (const auto& loop : impl.loops) loop->Join();
}

std::size_t Server::connections() const { return impl_->context.connections.load(); }

}  // namespace etcd::transport
