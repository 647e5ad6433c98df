#include "server/api/gateway/gateway.h"

#include <atomic>
#include <string>
#include <utility>

#include <google/protobuf/message.h>

#include "server/api/gateway/json_message.h"
#include "server/api/gateway/json_reader.h"
#include "server/api/gateway/metadata.h"
#include "server/api/gateway/routes.h"
#include "server/api/gateway/status_map.h"
#include "server/api/gateway/stream_call.h"
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
  UnaryCall(const Route& route, base::CallContextPtr context, base::HttpResponderPtr responder)
      : route_(route), context_(std::move(context)), responder_(std::move(responder)) {}

  void Start(std::string_view request, base::Executor& timers) {
    auto self = shared_from_this();
    AtDeadline(*context_, timers, [weak = weak_from_this()] {
      const auto call = weak.lock();
      if (call == nullptr) return;  // long answered
      call->context_->canceled = true;
      call->Answer(Error(Errc::kContextDeadlineExceeded));
    });
    responder_->OnGone([weak = weak_from_this()] {
      if (const auto call = weak.lock()) call->context_->canceled = true;
    });
    route_.method->unary->Start(context_, request, [self](absl::StatusOr<base::Body> body) {
      self->Answer(std::move(body));
    });
  }

 private:
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

class Gateway final : public base::HttpHandler {
 public:
  Gateway(const base::MethodTable& methods, base::Executor& executor, Options options)
      : routes_(BuildRoutes(methods)), executor_(executor), options_(options) {}

  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    if (request.path == "/v3") {
      return Redirect(request.method, *responder);
    }
    std::string path = request.path;
    if (path.starts_with("/v3beta/")) path.replace(0, 8, "/v3/");
    const auto route = routes_.find(path);
    if (route == routes_.end()) {
      return ReplyError(*responder, base::MakeStatus(absl::StatusCode::kNotFound, "Not Found"));
    }
    if (request.method != "POST") {
      return ReplyError(*responder,
                        base::MakeStatus(absl::StatusCode::kUnimplemented, "Method Not Allowed"));
    }
    Call(route->second, request, std::move(responder));
  }

 private:
  void Call(const Route& route, const base::HttpRequest& request,
            base::HttpResponderPtr responder) {
    auto context = MakeContext(request, route.method->path, executor_.clock().Now());
    if (!context.ok()) return ReplyError(*responder, context.status());
    // Owned by main, so that nothing is held here.
    (*context)->executor = {std::shared_ptr<void>(), &executor_};
    if (route.method->stream != nullptr) {
      return StartStream(route, *std::move(context), request, std::move(responder), executor_);
    }
    auto bytes = EncodeUnary(request, route, options_.receive_message_bytes_max);
    if (!bytes.ok()) return ReplyError(*responder, bytes.status());
    std::make_shared<UnaryCall>(route, *std::move(context), std::move(responder))
        ->Start(*bytes, executor_);
  }

  const Routes routes_;
  base::Executor& executor_;
  const Options options_;
};

}  // namespace

std::unique_ptr<base::HttpHandler> MakeGateway(const base::MethodTable& methods,
                                               base::Executor& executor, Options options) {
  return std::make_unique<Gateway>(methods, executor, options);
}

}  // namespace etcd::api::gateway
