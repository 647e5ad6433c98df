// bench_floor PORT [LOOPS]: a server whose handlers do nothing, on the client transport. What it
// costs is the floor of the benchmarks (reference/performance.md B6.6).
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <signal.h>
#include <string>
#include <utility>

#include "server/base/call.h"
#include "server/transport/server.h"

namespace etcd {
namespace {

class EmptyAnswer final : public base::UnaryHandler {
 public:
  void Start(base::CallContextPtr, std::string_view, base::UnaryDone done) override {
    done(base::Body());
  }
};

class VersionPage final : public base::HttpHandler {
 public:
  void Start(base::HttpRequest, base::HttpResponderPtr responder) override {
    responder->Reply(200, {{"Content-Type", "application/json"}}, "{}");
  }
};

int Run(int argc, char** argv) {
  transport::ServerOptions options;
  transport::ListenEndpoint endpoint;
  endpoint.host = "127.0.0.1";
  if (argc > 1) endpoint.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  if (argc > 2) options.loops = static_cast<std::size_t>(std::atoi(argv[2]));
  options.endpoints.push_back(endpoint);
  base::MethodTable methods;
  for (const char* path : {"/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"}) {
    base::MethodEntry entry;
    entry.path = path;
    entry.unary = std::make_unique<EmptyAnswer>();
    methods.Add(std::move(entry));
  }
  VersionPage http;

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  transport::Server server(options);
  const auto ports = server.Listen();
  if (!ports.ok()) {
    std::fprintf(stderr, "%s\n", std::string(ports.status().message()).c_str());
    return 1;
  }
  server.Start(methods, &http);
  std::printf("listening on 127.0.0.1:%d\n", int{ports->front()});
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server.Stop(std::chrono::seconds(5));
  return 0;
}

}  // namespace
}  // namespace etcd

int main(int argc, char** argv) { return etcd::Run(argc, argv); }
