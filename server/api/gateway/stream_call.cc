#include "server/api/gateway/stream_call.h"

#include <memory>
#include <string>
#include <utility>

#include <google/protobuf/message.h>

#include "server/api/gateway/json_message.h"
#include "server/api/gateway/json_reader.h"
#include "server/api/gateway/metadata.h"
#include "server/api/gateway/status_map.h"
#include "server/base/mutex.h"
#include "server/base/status.h"

namespace etcd::api::gateway {
namespace {

// The answer as HTTP. Thread-safe; headers go out with the first message.
class Sink final : public base::StreamSink {
 public:
  Sink(const google::protobuf::Message& prototype, base::HttpResponderPtr responder)
      : prototype_(prototype), responder_(std::move(responder)) {}

  void Send(base::Rope message) override {
    const std::unique_ptr<google::protobuf::Message> parsed(prototype_.New());
    if (!parsed->ParseFromString(message.Flatten())) {
      return Finish(base::MakeStatus(absl::StatusCode::kInternal, "the response is no message"));
    }
    std::string line = "{\"result\":";
    AppendJson(*parsed, line);
    line += "}\n";
    const base::MutexLock lock(mu_);
    if (ended_) return;
    BeginOnce(200);
    responder_->Write(base::Rope(std::move(line)));
  }

  void Finish(absl::Status status) override {
    const base::MutexLock lock(mu_);
    if (std::exchange(ended_, true)) return;
    // The gateway's headers come with the first message; without one there are none.
    if (!begun_ && status.ok()) return responder_->Reply(200, {}, "");
    BeginOnce(HttpStatusOf(status.code()));
    if (!status.ok()) {
      responder_->Write(base::Rope("{\"error\":" + ErrorJson(status) + "}\n"));
    }
    responder_->End();
  }

  std::size_t PendingBytes() const override { return responder_->PendingBytes(); }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override {
    responder_->NotifyWhenBelow(bytes, std::move(ready));
  }

 private:
  void BeginOnce(int status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(begun_, true)) return;
    responder_->Begin(status, {{"Content-Type", "application/json"},
                               {"Grpc-Metadata-Content-Type", "application/grpc"}});
  }

  const google::protobuf::Message& prototype_;
  const base::HttpResponderPtr responder_;
  base::Mutex mu_;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

// Malformed JSON counts as the end of the body; a value that is no such message ends the call.
void Feed(const Route& route, std::string_view body, base::StreamHandler& handler, Sink& sink) {
  JsonReader reader(body);
  JsonValue json;
  bool any = false;
  while (reader.Next(json) == JsonReader::Outcome::kValue) {
    const std::unique_ptr<google::protobuf::Message> message(route.request->New());
    if (absl::Status status = FillMessage(json, *message); !status.ok()) {
      return sink.Finish(std::move(status));
    }
    handler.OnMessage(message->SerializeAsString());
    any = true;
    // A server-streaming call has one request.
    if (route.method->kind == base::MethodEntry::Kind::kServerStream) break;
  }
  if (!any && route.method->kind == base::MethodEntry::Kind::kServerStream) handler.OnMessage({});
  handler.OnHalfClose();
}

}  // namespace

void StartStream(const Route& route, base::CallContextPtr context, const base::HttpRequest& request,
                 base::HttpResponderPtr responder, base::Executor& timers) {
  auto sink = std::make_shared<Sink>(*route.response, responder);
  std::shared_ptr<base::StreamHandler> handler = route.method->stream->Open(context, sink);
  AtDeadline(*context, timers, [weak = std::weak_ptr<Sink>(sink)] {
    if (const auto open = weak.lock()) open->Finish(Error(Errc::kContextDeadlineExceeded));
  });
  Feed(route, request.body, *handler, *sink);
  // Also after the answer's end; the handler hears of it once.
  responder->OnGone([context, handler] {
    context->canceled = true;
    handler->OnClose();
  });
}

}  // namespace etcd::api::gateway
