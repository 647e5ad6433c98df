#include "server/api/v3/intercept.h"

#include <utility>

#include "server/api/v3/request.h"
#include "server/base/errc.h"
#include "server/base/utf8.h"

namespace etcd::api::v3 {
namespace {

bool WantsLeader(const base::CallContext& context) {
  return context.metadata.Find("hasleader") == "true";
}

bool IsSerializableRange(std::string_view request) {
  RangeArgs args;
  return ParseRange(request, args) && args.serializable;
}

class InterceptedUnary final : public base::UnaryHandler {
 public:
  InterceptedUnary(const Interceptor& interceptor, UnaryFunction function, LearnerRule rule)
      : interceptor_(interceptor), function_(std::move(function)), rule_(rule) {}

  void Start(base::CallContextPtr context, std::string_view request,
             base::UnaryDone done) override {
    absl::Status status = interceptor_.Check(*context, rule_, false, request);
    if (!status.ok()) return done(std::move(status));
    function_(std::move(context), request, std::move(done));
  }

 private:
  const Interceptor& interceptor_;
  const UnaryFunction function_;
  const LearnerRule rule_;
};

// A stream that was refused: its messages go nowhere.
class RefusedStream final : public base::StreamHandler {
 public:
  void OnMessage(std::string_view) override {}
  void OnHalfClose() override {}
  void OnClose() override {}
};

class InterceptedStream final : public base::StreamMethod {
 public:
  InterceptedStream(const Interceptor& interceptor, OpenFunction open, LearnerRule rule)
      : interceptor_(interceptor), open_(std::move(open)), rule_(rule) {}

  std::unique_ptr<base::StreamHandler> Open(base::CallContextPtr context,
                                            base::StreamSinkPtr sink) override {
    absl::Status status = interceptor_.Check(*context, rule_, true, {});
    if (!status.ok()) {
      sink->Finish(std::move(status));
      return std::make_unique<RefusedStream>();
    }
    interceptor_.GuardStream(*context, sink);
    return open_(std::move(context), std::move(sink));
  }

 private:
  const Interceptor& interceptor_;
  const OpenFunction open_;
  const LearnerRule rule_;
};

}  // namespace

// The capability check comes first in etcd, but every cluster version that this server can run
// at ("" or 3.x) has the v3 API, so there is nothing to look at.
absl::Status Interceptor::Check(const base::CallContext& context, LearnerRule rule, bool is_stream,
                                std::string_view request) const {
  const node::Status status = core_.node().status();
  if (status.is_learner && rule != LearnerRule::kServe) {
    const bool served =
        rule == LearnerRule::kServeSerializableRange && IsSerializableRange(request);
    if (!served) return Error(Errc::kNotSupportedForLearner);
  }
  const std::string_view version = context.metadata.Find("client-api-version").value_or("unknown");
  if (!base::IsValidUtf8(version)) return Error(Errc::kInvalidClientApiVersion);
  if (RequestObserver* observer = core_.deps().observer; observer != nullptr) {
    observer->OnRequest(is_stream, version);
  }
  if (!status.leader && WantsLeader(context)) return Error(Errc::kNoLeader);
  return absl::OkStatus();
}

void Interceptor::GuardStream(const base::CallContext& context,
                              const base::StreamSinkPtr& sink) const {
  if (WantsLeader(context)) guard_->Add(sink);
}

void AddUnary(base::MethodTable& table, const Interceptor& interceptor, std::string path,
              UnaryFunction function, LearnerRule rule) {
  table.Add({.path = std::move(path),
             .unary = std::make_unique<InterceptedUnary>(interceptor, std::move(function), rule),
             .stream = nullptr,
             .kind = base::MethodEntry::Kind::kUnary});
}

void AddStream(base::MethodTable& table, const Interceptor& interceptor, std::string path,
               base::MethodEntry::Kind kind, OpenFunction open, LearnerRule rule) {
  table.Add({.path = std::move(path),
             .unary = nullptr,
             .stream = std::make_unique<InterceptedStream>(interceptor, std::move(open), rule),
             .kind = kind});
}

}  // namespace etcd::api::v3
