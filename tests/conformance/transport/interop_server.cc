// interop_server [PORT]: grpc.testing.TestService on our transport, for the published conformance
// clients. Prints "listening on HOST:GRPC_PORT http HOST:HTTP_PORT"; the second port answers plain
// HTTP/2 requests too, which is what h2spec sends.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <signal.h>
#include <string>
#include <testing/interop.pb.h>
#include <utility>

#include "server/base/clock.h"
#include "server/base/status.h"
#include "server/base/thread_executor.h"
#include "server/transport/server.h"

namespace etcd {
namespace {

using base::Body;
using base::CallContextPtr;
using base::Rope;
using base::StreamSinkPtr;
using base::UnaryDone;

constexpr std::string_view kEchoInitial = "x-grpc-test-echo-initial";
constexpr std::string_view kEchoTrailing = "x-grpc-test-echo-trailing-bin";

absl::Status StatusOf(const grpc::testing::EchoStatus& echo) {
  return base::MakeStatus(static_cast<absl::StatusCode>(echo.code()), echo.message());
}

// The metadata that the client asks to have back.
base::ResponseMetadata Echoed(const base::CallContext& context) {
  base::ResponseMetadata metadata;
  if (const auto value = context.metadata.Find(kEchoInitial)) {
    metadata.initial.Add(std::string(kEchoInitial), std::string(*value));
  }
  if (const auto value = context.metadata.Find(kEchoTrailing)) {
    metadata.trailing.Add(std::string(kEchoTrailing), std::string(*value));
  }
  return metadata;
}

class EmptyCall final : public base::UnaryHandler {
 public:
  void Start(CallContextPtr, std::string_view, UnaryDone done) override { done(Body()); }
};

class SimpleCall final : public base::UnaryHandler {
 public:
  void Start(CallContextPtr context, std::string_view bytes, UnaryDone done) override {
    grpc::testing::SimpleRequest request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      done(base::MakeStatus(absl::StatusCode::kInternal, "bad request"));
      return;
    }
    if (request.response_status().code() != 0) {
      done(StatusOf(request.response_status()));
      return;
    }
    grpc::testing::SimpleResponse response;
    response.mutable_payload()->set_body(
        std::string(static_cast<std::size_t>(request.response_size()), '\0'));
    Body body{Rope(response.SerializeAsString())};
    body.metadata = std::make_unique<base::ResponseMetadata>(Echoed(*context));
    done(std::move(body));
  }
};

class StreamingInput final : public base::StreamHandler {
 public:
  explicit StreamingInput(StreamSinkPtr sink) : sink_(std::move(sink)) {}
  void OnMessage(std::string_view bytes) override {
    grpc::testing::StreamingInputCallRequest request;
    if (request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      total_ += request.payload().body().size();
    }
  }
  void OnHalfClose() override {
    grpc::testing::StreamingInputCallResponse response;
    response.set_aggregated_payload_size(static_cast<int>(total_));
    sink_->Send(Rope(response.SerializeAsString()));
    sink_->Finish(absl::OkStatus());
  }
  void OnClose() override {}

 private:
  const StreamSinkPtr sink_;
  std::size_t total_ = 0;
};

// Serves StreamingOutputCall and FullDuplexCall: every request lists the responses it wants. They
// are sent from another thread, as most of our own streams do.
class StreamingOutput final : public base::StreamHandler {
 public:
  StreamingOutput(const CallContextPtr& context, StreamSinkPtr sink, base::Executor& executor)
      : sink_(std::move(sink)), executor_(executor) {
    sink_->SetMetadata(Echoed(*context));
  }
  void OnMessage(std::string_view bytes) override {
    grpc::testing::StreamingOutputCallRequest request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    executor_.Post([sink = sink_, request = std::move(request)] {
      for (const auto& parameters : request.response_parameters()) {
        grpc::testing::StreamingOutputCallResponse response;
        response.mutable_payload()->set_body(
            std::string(static_cast<std::size_t>(parameters.size()), '\0'));
        sink->Send(Rope(response.SerializeAsString()));
      }
      if (request.response_status().code() != 0) sink->Finish(StatusOf(request.response_status()));
    });
  }
  void OnHalfClose() override {
    executor_.Post([sink = sink_] { sink->Finish(absl::OkStatus()); });
  }
  void OnClose() override {}

 private:
  const StreamSinkPtr sink_;
  base::Executor& executor_;
};

class InputMethod final : public base::StreamMethod {
 public:
  std::unique_ptr<base::StreamHandler> Open(CallContextPtr, StreamSinkPtr sink) override {
    return std::make_unique<StreamingInput>(std::move(sink));
  }
};

class OutputMethod final : public base::StreamMethod {
 public:
  explicit OutputMethod(base::Executor& executor) : executor_(executor) {}
  std::unique_ptr<base::StreamHandler> Open(CallContextPtr context, StreamSinkPtr sink) override {
    return std::make_unique<StreamingOutput>(context, std::move(sink), executor_);
  }

 private:
  base::Executor& executor_;
};

// Answers a moment later from another thread, as a handler that reads something does.
class Page final : public base::HttpHandler {
 public:
  explicit Page(base::Executor& executor) : executor_(executor) {}
  void Start(base::HttpRequest, base::HttpResponderPtr responder) override {
    executor_.PostAfter(std::chrono::milliseconds(20), [responder = std::move(responder)] {
      responder->Reply(200, {{"content-type", "text/plain"}}, std::string(256, 'a'));
    });
  }

 private:
  base::Executor& executor_;
};

base::MethodEntry Entry(std::string_view method, std::unique_ptr<base::UnaryHandler> unary,
                        std::unique_ptr<base::StreamMethod> stream) {
  base::MethodEntry entry;
  entry.path = "/grpc.testing.TestService/" + std::string(method);
  entry.unary = std::move(unary);
  entry.stream = std::move(stream);
  return entry;
}

int Run(int port) {
  const base::SystemClock clock;
  base::ThreadExecutor executor("interop", clock);
  base::MethodTable methods;
  methods.Add(Entry("EmptyCall", std::make_unique<EmptyCall>(), nullptr));
  methods.Add(Entry("UnaryCall", std::make_unique<SimpleCall>(), nullptr));
  methods.Add(Entry("StreamingInputCall", nullptr, std::make_unique<InputMethod>()));
  methods.Add(Entry("StreamingOutputCall", nullptr, std::make_unique<OutputMethod>(executor)));
  methods.Add(Entry("FullDuplexCall", nullptr, std::make_unique<OutputMethod>(executor)));
  Page page(executor);

  transport::ServerOptions options;
  options.endpoints.resize(2);
  for (transport::ListenEndpoint& endpoint : options.endpoints) endpoint.host = "127.0.0.1";
  options.endpoints[0].port = static_cast<std::uint16_t>(port);
  options.endpoints[1].http_over_http2 = true;
  options.concurrent_streams_max = 100;  // h2spec skips the case about it when there is none
  transport::Server server(options);
  const auto ports = server.Listen();
  if (!ports.ok()) {
    std::fprintf(stderr, "%s\n", std::string(base::MessageOf(ports.status())).c_str());
    return 1;
  }
  server.Start(methods, &page);
  std::printf("listening on 127.0.0.1:%d http 127.0.0.1:%d\n", int{(*ports)[0]}, int{(*ports)[1]});
  std::fflush(stdout);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  int signal = 0;
  sigwait(&signals, &signal);
  server.Stop(std::chrono::seconds(1));
  executor.Stop();
  return 0;
}

}  // namespace
}  // namespace etcd

int main(int argc, char** argv) {
  // Before any thread starts, so that all inherit it.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return etcd::Run(argc > 1 ? std::atoi(argv[1]) : 0);
}
