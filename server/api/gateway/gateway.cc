#include "server/api/gateway/gateway.h"

#include <atomic>
#include <string>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <google/protobuf/message.h>

#include "server/api/gateway/json_message.h"
#include "server/api/gateway/json_reader.h"
#include "server/api/gateway/json_splitter.h"
#include "server/api/gateway/metadata.h"
#include "server/api/gateway/routes.h"
#include "server/api/gateway/status_map.h"
#include "server/api/gateway/stream_call.h"
#include "server/api/gateway/websocket.h"
#include "server/base/status.h"

namespace etcd::api::gateway {
namespace {

constexpr std::size_t kSourceChunkBytes = 256 * 1024;

std::vector<std::pair<std::string, std::string>> JsonHeaders() {
  return {{"Content-Type", "application/json"}};
}

void ReplyError(base::HttpResponder& responder, const absl::Status& status) {
  responder.Reply(HttpStatusOf(status.code()), JsonHeaders(), ErrorJson(status));
}

absl::StatusOr<std::string> Flatten(base::Body body) {
  std::string bytes = body.head.Flatten();
  if (body.source == nullptr) return bytes;
  bytes.reserve(body.size());
  while (true) {
    ASSIGN_OR_RETURN(const base::Rope chunk, body.source->Next(kSourceChunkBytes));
    if (chunk.empty()) return bytes;
    bytes += chunk.Flatten();
  }
}

// The first JSON value of the body as an encoded message; what follows it is not looked at.
absl::StatusOr<std::string> EncodeUnary(const base::HttpRequest& request, const Route& route,
                                        std::size_t bytes_max) {
  const std::unique_ptr<google::protobuf::Message> message(route.request->New());
  JsonReader reader(request.body);
  JsonValue json;
  switch (reader.Next(json)) {
    case JsonReader::Outcome::kEnd:
      break;  // an empty message
    case JsonReader::Outcome::kMalformed:
      return base::MakeStatus(absl::StatusCode::kInvalidArgument, "unexpected EOF");
    case JsonReader::Outcome::kValue:
      RETURN_IF_ERROR(FillMessage(json, *message));
  }
  std::string bytes = message->SerializeAsString();
  if (bytes.size() > bytes_max) {
    return base::MakeStatus(absl::StatusCode::kResourceExhausted,
                            "grpc: received message larger than max (" +
                                std::to_string(bytes.size()) + " vs. " + std::to_string(bytes_max) +
                                ")");
  }
  return bytes;
}

// One unary call: answered by the handler or by its deadline, whichever is first.
class UnaryCall : public std::enable_shared_from_this<UnaryCall> {
 public:
  // `options` and `timers` outlive the call.
  UnaryCall(const Route& route, base::CallContextPtr context, base::HttpResponderPtr responder,
            const Options& options, base::Executor& timers)
      : route_(route),
        context_(std::move(context)),
        responder_(std::move(responder)),
        options_(options),
        timers_(timers) {}

  void Start(std::string request) {
    auto self = shared_from_this();
    start_ = timers_.clock().Now();
    request_ = std::move(request);
    AtDeadline(*context_, timers_, [weak = weak_from_this()] {
      const auto call = weak.lock();
      if (call == nullptr) return;  // long answered
      call->context_->canceled = true;
      call->Answer(Error(Errc::kContextDeadlineExceeded));
    });
    responder_->OnGone([weak = weak_from_this()] {
      if (const auto call = weak.lock()) call->context_->canceled = true;
    });
    route_.method->unary->Start(context_, request_, [self](absl::StatusOr<base::Body> body) {
      self->Report(body);
      self->Answer(std::move(body));
    });
  }

 private:
  void Report(const absl::StatusOr<base::Body>& body) const {
    if (!options_.answered) return;
    options_.answered({*context_, request_, body, timers_.clock().Now() - start_});
  }

  void Answer(absl::StatusOr<base::Body> body) {
    if (answered_.exchange(true)) return;
    absl::StatusOr<std::string> json = body.ok() ? ToJson(*std::move(body)) : body.status();
    if (!json.ok()) return ReplyError(*responder_, json.status());
    auto headers = JsonHeaders();
    headers.emplace_back("Grpc-Metadata-Content-Type", "application/grpc");
    responder_->Reply(200, std::move(headers), *std::move(json));
  }

  absl::StatusOr<std::string> ToJson(base::Body body) const {
    ASSIGN_OR_RETURN(const std::string bytes, Flatten(std::move(body)));
    const std::unique_ptr<google::protobuf::Message> message(route_.response->New());
    if (!message->ParseFromString(bytes)) {
      return base::MakeStatus(absl::StatusCode::kInternal, "the response is no message");
    }
    std::string json;
    AppendJson(*message, json);
    return json;
  }

  const Route& route_;
  const base::CallContextPtr context_;
  const base::HttpResponderPtr responder_;
  const Options& options_;
  base::Executor& timers_;
  base::Clock::Monotonic start_;
  std::string request_;
  std::atomic<bool> answered_{false};
};

// As Go's mux, which shows a page to those who read.
void Redirect(std::string_view method, base::HttpResponder& responder) {
  std::vector<std::pair<std::string, std::string>> headers = {{"Location", "/v3/"}};
  const bool is_get = method == "GET";
  if (is_get || method == "HEAD") headers.emplace_back("Content-Type", "text/html; charset=utf-8");
  responder.Reply(307, std::move(headers),
                  is_get ? "<a href=\"/v3/\">Temporary Redirect</a>.\n\n" : "");
}

// The body of a unary call that comes in pieces: its first value is the request.
class UnaryBody final : public base::HttpBodyReader {
 public:
  using Begin = absl::AnyInvocable<void(std::string body)>;
  UnaryBody(base::HttpResponderPtr responder, std::size_t bytes_max, Begin begin)
      : responder_(std::move(responder)), bytes_max_(bytes_max), begin_(std::move(begin)) {}

  void OnBody(std::string_view bytes) override {
    if (begun_) return;
    splitter_.Add(bytes);
    if (auto value = splitter_.Next()) return Start(*std::move(value));
    if (splitter_.rest().size() <= bytes_max_) return;
    begun_ = true;
    ReplyError(*responder_, base::MakeStatus(absl::StatusCode::kResourceExhausted,
                                             "grpc: received message larger than max"));
  }
  void OnBodyEnd() override {
    if (!begun_) Start(splitter_.rest());
  }

 private:
  void Start(std::string body) {
    begun_ = true;
    begin_(std::move(body));
  }

  const base::HttpResponderPtr responder_;
  const std::size_t bytes_max_;
  Begin begin_;
  JsonSplitter splitter_;
  bool begun_ = false;
};

class Gateway final : public base::HttpHandler {
 public:
  Gateway(const base::MethodTable& methods, base::Executor& executor, Options options)
      : routes_(BuildRoutes(methods)), executor_(executor), options_(std::move(options)) {}

  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    if (request.path == "/v3") return Redirect(request.method, *responder);
    const Route* const route = FindRoute(request, *responder);
    if (route == nullptr) return;
    if (route->method->stream == nullptr) return StartUnary(*route, request, std::move(responder));
    const std::string body = std::move(request.body);
    if (const auto reader = OpenStream(*route, request, std::move(responder))) {
      reader->OnBody(body);
      reader->OnBodyEnd();
    }
  }

  bool Streams(const base::HttpRequest& request) const override {
    if (AsksForWebSocket(request)) return request.path != "/v3";
    const auto route = routes_.find(PathOf(request));
    return request.method == "POST" && route != routes_.end() &&
           route->second.method->stream != nullptr;
  }

  std::shared_ptr<base::HttpBodyReader> StartStreaming(base::HttpRequest request,
                                                       base::HttpResponderPtr responder) override {
    if (!AsksForWebSocket(request)) return OpenBody(std::move(request), std::move(responder));
    return StartWebSocket(std::move(request), std::move(responder), JsonBytesMax(),
                          [this](base::HttpRequest posted, base::HttpResponderPtr answer) {
                            return OpenBody(std::move(posted), std::move(answer));
                          });
  }

 private:
  // Of one message: base64 and names make it longer.
  std::size_t JsonBytesMax() const { return 2 * options_.receive_message_bytes_max; }

  static std::string PathOf(const base::HttpRequest& request) {
    std::string path = request.path;
    if (path.starts_with("/v3beta/")) path.replace(0, 8, "/v3/");
    return path;
  }

  // Null: answered with an error.
  const Route* FindRoute(const base::HttpRequest& request, base::HttpResponder& responder) const {
    const auto route = routes_.find(PathOf(request));
    if (route == routes_.end()) {
      ReplyError(responder, base::MakeStatus(absl::StatusCode::kNotFound, "Not Found"));
      return nullptr;
    }
    if (request.method == "POST") return &route->second;
    ReplyError(responder, base::MakeStatus(absl::StatusCode::kUnimplemented, "Method Not Allowed"));
    return nullptr;
  }

  // Of a request whose body is to come. Null: answered with an error.
  std::shared_ptr<base::HttpBodyReader> OpenBody(base::HttpRequest request,
                                                 base::HttpResponderPtr responder) {
    const Route* const route = FindRoute(request, *responder);
    if (route == nullptr) return nullptr;
    if (route->method->stream != nullptr) return OpenStream(*route, request, std::move(responder));
    return std::make_shared<UnaryBody>(
        responder, JsonBytesMax(),
        [this, route, responder, request = std::move(request)](std::string body) mutable {
          request.body = std::move(body);
          StartUnary(*route, request, responder);
        });
  }

  // The call that the headers describe; null: answered with an error.
  base::CallContextPtr ContextOf(const base::HttpRequest& request, const Route& route,
                                 base::HttpResponder& responder) const {
    auto context = MakeContext(request, route.method->path, executor_.clock().Now());
    if (!context.ok()) {
      ReplyError(responder, context.status());
      return nullptr;
    }
    // Owned by main, so that nothing is held here.
    (*context)->executor = {std::shared_ptr<void>(), &executor_};
    return *std::move(context);
  }

  std::shared_ptr<base::HttpBodyReader> OpenStream(const Route& route,
                                                   const base::HttpRequest& request,
                                                   base::HttpResponderPtr responder) {
    auto context = ContextOf(request, route, *responder);
    if (context == nullptr) return nullptr;
    return StartStream(route, std::move(context), std::move(responder), executor_, JsonBytesMax());
  }

  void StartUnary(const Route& route, const base::HttpRequest& request,
                  base::HttpResponderPtr responder) {
    auto context = ContextOf(request, route, *responder);
    if (context == nullptr) return;
    auto bytes = EncodeUnary(request, route, options_.receive_message_bytes_max);
    if (!bytes.ok()) return ReplyError(*responder, bytes.status());
    std::make_shared<UnaryCall>(route, std::move(context), std::move(responder), options_,
                                executor_)
        ->Start(*std::move(bytes));
  }

  const Routes routes_;
  base::Executor& executor_;
  const Options options_;
};

}  // namespace

std::unique_ptr<base::HttpHandler> MakeGateway(const base::MethodTable& methods,
                                               base::Executor& executor, Options options) {
  return std::make_unique<Gateway>(methods, executor, std::move(options));
}

}  // namespace etcd::api::gateway
