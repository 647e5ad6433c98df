#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/call.h"
#include "server/base/check.h"
#include "server/base/http_call.h"
#include "server/transport/server.h"

// A real server on a loopback port whose handlers are lambdas.
namespace etcd::transport {

class LambdaUnary final : public base::UnaryHandler {
 public:
  using Function = std::function<void(base::CallContextPtr, std::string_view, base::UnaryDone)>;
  explicit LambdaUnary(Function function) : function_(std::move(function)) {}
  void Start(base::CallContextPtr context, std::string_view request,
             base::UnaryDone done) override {
    function_(std::move(context), request, std::move(done));
  }

 private:
  Function function_;
};

class LambdaStream final : public base::StreamMethod {
 public:
  using Function = std::function<std::unique_ptr<base::StreamHandler>(base::CallContextPtr,
                                                                      base::StreamSinkPtr)>;
  explicit LambdaStream(Function function) : function_(std::move(function)) {}
  std::unique_ptr<base::StreamHandler> Open(base::CallContextPtr context,
                                            base::StreamSinkPtr sink) override {
    return function_(std::move(context), std::move(sink));
  }

 private:
  Function function_;
};

class LambdaHttp final : public base::HttpHandler {
 public:
  using Function = std::function<void(base::HttpRequest, base::HttpResponderPtr)>;
  explicit LambdaHttp(Function function) : function_(std::move(function)) {}
  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    function_(std::move(request), std::move(responder));
  }

 private:
  Function function_;
};

class TestServer {
 public:
  TestServer() {
    options.loops = 1;
    options.endpoints.push_back({});
    options.endpoints[0].host = "127.0.0.1";
  }

  void Unary(std::string path, LambdaUnary::Function function) {
    base::MethodEntry entry;
    entry.path = std::move(path);
    entry.unary = std::make_unique<LambdaUnary>(std::move(function));
    methods.Add(std::move(entry));
  }
  void Stream(std::string path, LambdaStream::Function function) {
    base::MethodEntry entry;
    entry.path = std::move(path);
    entry.stream = std::make_unique<LambdaStream>(std::move(function));
    entry.kind = base::MethodEntry::Kind::kBidi;
    methods.Add(std::move(entry));
  }
  void Http(LambdaHttp::Function function) {
    http = std::make_unique<LambdaHttp>(std::move(function));
  }

  void Start() {
    server = std::make_unique<Server>(options);
    const auto ports = server->Listen();
    CHECK_OK(ports.status());
    port = ports->front();
    server->Start(methods, http.get(), observer);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port); }

  ServerOptions options;
  base::MethodTable methods;
  std::unique_ptr<base::HttpHandler> http;
  CallObserver* observer = nullptr;
  std::unique_ptr<Server> server;  // destroyed first: it refers to the others
  std::uint16_t port = 0;
};

}  // namespace etcd::transport
