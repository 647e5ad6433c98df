#include "server/api/http/health.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "server/api/http/reply.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::api::http {
namespace {

bool IsSerializable(const std::vector<std::pair<std::string, std::string>>& query) {
  for (const auto& [name, value] : query) {
    if (name == "serializable") return value == "true";  // the first one counts
  }
  return false;
}

std::set<std::string, std::less<>> Excluded(
    const std::vector<std::pair<std::string, std::string>>& query) {
  std::set<std::string, std::less<>> out;
  for (const auto& [name, value] : query) {
    if (name == "exclude" && !value.empty()) out.insert(value);
  }
  return out;
}

std::string_view AlarmName(std::int32_t type) {
  switch (static_cast<node::AlarmType>(type)) {
    case node::AlarmType::kNoSpace:
      return "NOSPACE";
    case node::AlarmType::kCorrupt:
      return "CORRUPT";
    default:
      return "UNKNOWN";
  }
}

}  // namespace

struct HealthEndpoints::Run {
  std::string type;  // "livez" or "readyz"
  bool verbose = false;
  std::vector<Check> checks;
  std::vector<absl::Status> results;  // of the first checks
  base::HttpResponderPtr responder;
};

std::string_view HealthEndpoints::NameOf(Check check) {
  switch (check) {
    case Check::kSerializableRead:
      return "serializable_read";
    case Check::kDataCorruption:
      return "data_corruption";
    case Check::kLinearizableRead:
      return "linearizable_read";
    case Check::kNonLearner:
      return "non_learner";
  }
  return "";
}

bool HealthEndpoints::Serve(const base::HttpRequest& request,
                            const base::HttpResponderPtr& responder) const {
  if (request.path == "/health") {
    if (RequireGet(request, *responder)) Health(request, responder);
    return true;
  }
  return ServeChecks("livez", {Check::kSerializableRead}, request, responder) ||
         ServeChecks("readyz",
                     {Check::kDataCorruption, Check::kSerializableRead, Check::kLinearizableRead,
                      Check::kNonLearner},
                     request, responder);
}

void HealthEndpoints::Health(const base::HttpRequest& request,
                             const base::HttpResponderPtr& responder) const {
  const auto query = ParseQuery(request.query);
  const auto excluded = Excluded(query);
  for (const node::AlarmInfo& alarm : deps_.node.Alarms()) {
    if (excluded.contains(AlarmName(alarm.type))) continue;
    LOG_WARN("serving /health false due to an alarm", {"alarm", AlarmName(alarm.type)});
    return ReplyHealth(*responder, "ALARM " + std::string(AlarmName(alarm.type)));
  }
  const auto reply = [this, responder](const absl::Status& status) {
    if (status.ok()) return ReplyHealth(*responder, "");
    LOG_WARN("serving /health false; Range fails", {"error", status});
    ReplyHealth(*responder, "RANGE ERROR:" + std::string(base::MessageOf(status)));
  };
  if (IsSerializable(query)) return reply(ReadLocally());
  if (!deps_.node.status().leader) {
    LOG_WARN("serving /health false; no leader");
    return ReplyHealth(*responder, "RAFT NO LEADER");
  }
  Perform(Check::kLinearizableRead, reply);
}

void HealthEndpoints::ReplyHealth(base::HttpResponder& responder, const std::string& reason) const {
  const bool ok = reason.empty();
  if (deps_.observer != nullptr) deps_.observer->OnHealth(ok);
  const std::string body =
      std::string("{\"health\":\"") + (ok ? "true" : "false") + "\",\"reason\":\"" + reason + "\"}";
  if (ok) {
    return responder.Reply(200, {{"Content-Type", std::string(kPlainText)}}, body);
  }
  LOG_WARN("/health error", {"output", body}, {"status-code", 503});
  ReplyError(responder, 503, body);
}

bool HealthEndpoints::ServeChecks(std::string_view type, std::vector<Check> checks,
                                  const base::HttpRequest& request,
                                  const base::HttpResponderPtr& responder) const {
  const std::string root = "/" + std::string(type);
  std::string_view rest = request.path;
  if (!rest.starts_with(root)) return false;
  rest.remove_prefix(root.size());
  std::set<std::string, std::less<>> excluded = Excluded(ParseQuery(request.query));
  if (!rest.empty()) {
    std::erase_if(checks, [&](Check check) { return rest != "/" + std::string(NameOf(check)); });
    if (checks.empty()) return false;
    excluded.clear();
  }
  if (!RequireGet(request, *responder)) return true;

  auto run = std::make_shared<Run>();
  run->type = type;
  run->responder = responder;
  for (const auto& [name, value] : ParseQuery(request.query)) run->verbose |= name == "verbose";
  for (const Check check : checks) {
    if (excluded.erase(std::string(NameOf(check))) == 0) run->checks.push_back(check);
  }
  if (!excluded.empty()) {
    LOG_WARN("some health checks cannot be excluded",
             {"missing-health-checks", std::vector<std::string>(excluded.begin(), excluded.end())});
  }
  StartRun(std::move(run));
  return true;
}

void HealthEndpoints::StartRun(std::shared_ptr<Run> run) const { Continue(run, 0); }

void HealthEndpoints::Continue(const std::shared_ptr<Run>& run, std::size_t next) const {
  if (next == run->checks.size()) return FinishRun(*run);
  Perform(run->checks[next], [this, run, next](absl::Status status) {
    if (deps_.observer != nullptr) {
      deps_.observer->OnCheck(run->type, NameOf(run->checks[next]), status.ok());
    }
    run->results.push_back(std::move(status));
    Continue(run, next + 1);
  });
}

void HealthEndpoints::FinishRun(const Run& run) const {
  std::string lines;
  bool ok = true;
  for (std::size_t i = 0; i < run.checks.size(); ++i) {
    const std::string name(NameOf(run.checks[i]));
    if (run.results[i].ok()) {
      lines += "[+]" + name + " ok\n";
    } else {
      ok = false;
      lines += "[-]" + name + " failed: " + std::string(base::MessageOf(run.results[i])) + "\n";
    }
  }
  if (!ok) {
    LOG_WARN("Health check error", {"path", "/" + run.type}, {"reason", lines},
             {"status-code", 503});
    return ReplyError(*run.responder, 503, lines);
  }
  run.responder->Reply(
      200, {{"Content-Type", std::string(kPlainText)}, {"X-Content-Type-Options", "nosniff"}},
      (run.verbose ? lines : "") + "ok\n");
}

void HealthEndpoints::Perform(Check check, absl::AnyInvocable<void(absl::Status)> done) const {
  switch (check) {
    case Check::kSerializableRead:
      return done(ReadLocally());
    case Check::kDataCorruption:
      return done(deps_.node.HasAlarm(node::AlarmType::kCorrupt)
                      ? base::MakeStatus(absl::StatusCode::kDataLoss, "alarm activated: CORRUPT")
                      : absl::OkStatus());
    case Check::kLinearizableRead:
      // The answer comes on the raft thread, which has better things to do than read.
      return deps_.node.ReadIndex([this, done = std::move(done)](absl::Status status) mutable {
        deps_.background.Post([this, done = std::move(done), status = std::move(status)]() mutable {
          done(status.ok() ? ReadLocally() : std::move(status));
        });
      });
    case Check::kNonLearner:
      return done(
          deps_.node.status().is_learner
              ? base::MakeStatus(absl::StatusCode::kFailedPrecondition, "not supported for learner")
              : absl::OkStatus());
  }
}

absl::Status HealthEndpoints::ReadLocally() const {
  return deps_.store
      .Range({.range = {std::string_view("\0", 1), std::string_view("\0", 1)}, .limit = 1})
      .status();
}

}  // namespace etcd::api::http
