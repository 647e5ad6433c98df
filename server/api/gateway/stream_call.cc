#include "server/api/gateway/stream_call.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <google/protobuf/message.h>

#include "server/api/gateway/json_message.h"
#include "server/api/gateway/json_reader.h"
#include "server/api/gateway/json_splitter.h"
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
class Body final : public base::HttpBodyReader {
 public:
  Body(const Route& route, base::CallContextPtr context,
       std::shared_ptr<base::StreamHandler> handler, std::shared_ptr<Sink> sink,
       std::size_t bytes_max)
      : route_(route),
        context_(std::move(context)),
        handler_(std::move(handler)),
        sink_(std::move(sink)),
        bytes_max_(bytes_max) {}

  void OnBody(std::string_view bytes) override {
    if (context_->canceled) ended_ = true;
    if (ended_) return;
    splitter_.Add(bytes);
    while (!ended_) {
      const std::optional<std::string> value = splitter_.Next();
      if (!value.has_value()) break;
      OnValue(*value);
    }
    if (!ended_ && splitter_.rest().size() > bytes_max_) {
      ended_ = true;
      sink_->Finish(base::MakeStatus(absl::StatusCode::kResourceExhausted,
                                     "grpc: received message larger than max"));
    }
  }

  void OnBodyEnd() override {
    if (context_->canceled) ended_ = true;
    if (!ended_) OnValue(splitter_.rest());
    HalfClose();
  }

 private:
  bool has_one_request() const {
    return route_.method->kind == base::MethodEntry::Kind::kServerStream;
  }

  void OnValue(std::string_view text) {
    JsonReader reader(text);
    JsonValue json;
    if (reader.Next(json) != JsonReader::Outcome::kValue) return HalfClose();
    const std::unique_ptr<google::protobuf::Message> message(route_.request->New());
    if (absl::Status status = FillMessage(json, *message); !status.ok()) {
      ended_ = true;
      return sink_->Finish(std::move(status));
    }
    any_ = true;
    handler_->OnMessage(message->SerializeAsString());
    if (has_one_request()) HalfClose();
  }

  void HalfClose() {
    if (std::exchange(ended_, true)) return;
    if (!any_ && has_one_request()) handler_->OnMessage({});
    handler_->OnHalfClose();
  }

  const Route& route_;
  const base::CallContextPtr context_;
  const std::shared_ptr<base::StreamHandler> handler_;
  const std::shared_ptr<Sink> sink_;
  const std::size_t bytes_max_;
  JsonSplitter splitter_;
  bool any_ = false;    // message was handed over
  bool ended_ = false;  // nothing of the body counts any more
};

}  // namespace

std::shared_ptr<base::HttpBodyReader> StartStream(const Route& route, base::CallContextPtr context,
                                                  base::HttpResponderPtr responder,
                                                  base::Executor& timers, std::size_t bytes_max) {
  auto sink = std::make_shared<Sink>(*route.response, responder);
  std::shared_ptr<base::StreamHandler> handler = route.method->stream->Open(context, sink);
  AtDeadline(*context, timers, [weak = std::weak_ptr<Sink>(sink)] {
    if (const auto open = weak.lock()) open->Finish(Error(Errc::kContextDeadlineExceeded));
  });
  // Also after the answer's end; the handler hears of it once.
  responder->OnGone([context, handler] {
    context->canceled = true;
    handler->OnClose();
  });
  return std::make_shared<Body>(route, std::move(context), std::move(handler), std::move(sink),
                                bytes_max);
}

}  // namespace etcd::api::gateway
