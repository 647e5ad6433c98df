#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "server/api/http/http_handler.h"
#include "server/base/http_call.h"

namespace etcd::api::http {

// /health, /livez and /readyz (server-surface.md 5.2, 5.3). Thread-safe; never blocks.
class HealthEndpoints {
 public:
  explicit HealthEndpoints(const Deps& deps) : deps_(deps) {}

  // True when the path is one of them; then the request has been (or will be) answered.
  bool Serve(const base::HttpRequest& request, const base::HttpResponderPtr& responder) const;

 private:
  enum class Check : std::uint8_t {
    kSerializableRead,
    kDataCorruption,
    kLinearizableRead,
    kNonLearner
  };
  struct Run;  // one livez or readyz request under way

  static std::string_view NameOf(Check check);

  void Health(const base::HttpRequest& request, const base::HttpResponderPtr& responder) const;
  void ReplyHealth(base::HttpResponder& responder, const std::string& reason) const;
  bool ServeChecks(std::string_view type, std::vector<Check> checks,
                   const base::HttpRequest& request, const base::HttpResponderPtr& responder) const;
  void StartRun(std::shared_ptr<Run> run) const;
  void Continue(const std::shared_ptr<Run>& run, std::size_t next) const;
  void FinishRun(const Run& run) const;
  // Answers at once but for the linearizable read, which waits for a read index.
  void Perform(Check check, absl::AnyInvocable<void(absl::Status)> done) const;
  absl::Status ReadLocally() const;

  const Deps& deps_;
};

}  // namespace etcd::api::http
