#include "operator/kube/client.h"

#include <algorithm>
#include <condition_variable>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

constexpr std::size_t kAnswerBytesMax = 16 << 20;
constexpr std::chrono::milliseconds kFirstWait{200};
constexpr int kLockedTries = 5;
constexpr std::chrono::milliseconds kLockedWait{10};

HttpRequest Request(std::string_view method, std::string target) {
  HttpRequest request;
  request.method = method;
  request.target = std::move(target);
  request.answer_bytes_max = kAnswerBytesMax;
  return request;
}

HttpRequest RequestWithBody(std::string_view method, std::string target, const Json& body,
                            std::string_view content_type = "application/json") {
  HttpRequest request = Request(method, std::move(target));
  request.body = DumpJson(body);
  request.content_type = content_type;
  return request;
}

ObjectKey KeyOf(const Json& body) {
  return {std::string(TextAt(body, {"metadata", "namespace"})),
          std::string(TextAt(body, {"metadata", "name"}))};
}

// Whether the same request may be sent again after this outcome.
bool MayRepeat(const absl::Status& status, bool idempotent) {
  switch (ApiErrcOf(status).value_or(ApiErrc::kOther)) {
    case ApiErrc::kTooManyRequests:
    case ApiErrc::kNotSent:
      return true;
    case ApiErrc::kUnavailable:
    case ApiErrc::kServerError:
    case ApiErrc::kNoAnswer:
      return idempotent;
    default:
      return false;
  }
}

std::string_view ContentTypeOf(PatchType type) {
  switch (type) {
    case PatchType::kApply:
      return "application/apply-patch+yaml";  // of which JSON is a part
    case PatchType::kMerge:
      return "application/merge-patch+json";
    case PatchType::kJson:
      break;
  }
  return "application/json-patch+json";
}

}  // namespace

Sleep RealSleep(std::stop_token stop) {
  return [stop = std::move(stop)](std::chrono::nanoseconds wait) {
    std::mutex mu;
    std::condition_variable_any wake;
    std::unique_lock lock(mu);
    wake.wait_for(lock, stop, wait, [] { return false; });
    return !stop.stop_requested();
  };
}

Client::Client(HttpTransport& transport, CredentialSource& credentials, const base::Clock& clock,
               Sleep sleep, std::uint64_t seed, ClientOptions options)
    : transport_(transport),
      credentials_(credentials),
      clock_(clock),
      sleep_(std::move(sleep)),
      options_(std::move(options)),
      bucket_(options_.requests_per_second, options_.burst),
      random_(seed) {}

bool Client::Admit(bool is_rate_limited) {
  if (!is_rate_limited) return true;
  std::chrono::nanoseconds wait{0};
  {
    const std::lock_guard lock(mu_);
    wait = bucket_.Reserve(clock_.Now());
  }
  return wait.count() == 0 || sleep_(wait);
}

std::chrono::nanoseconds Client::Jitter(std::chrono::nanoseconds base) {
  const std::lock_guard lock(mu_);
  const auto tenth = static_cast<std::uint64_t>(base.count() / 10);
  return base - base / 10 +
         std::chrono::nanoseconds(static_cast<std::int64_t>(random_.Below(2 * tenth + 1)));
}

absl::Status Client::Once(const Resource& resource, HttpRequest& request, std::string& body,
                          const CallOptions& call) {
  ASSIGN_OR_RETURN(request.credential, credentials_.Current(clock_));
  const auto begin = clock_.Now();
  absl::StatusOr<HttpAnswer> answer =
      transport_.Send(request, call.stop.stop_possible() ? call.stop : options_.stop);
  if (options_.observer != nullptr) {
    options_.observer->OnRequest(request.method, resource, answer.ok() ? answer->code : 0,
                                 clock_.Now() - begin);
  }
  RETURN_IF_ERROR(answer.status());
  RETURN_IF_ERROR(StatusOfAnswer(answer->code, answer->body, answer->retry_after));
  body = std::move(answer->body);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Client::Call(const Resource& resource, HttpRequest request,
                                         bool idempotent, const CallOptions& call) {
  const auto deadline = clock_.Now() + call.timeout;
  bool credential_refused = false;
  for (int repetition = 0;;) {
    if (!Admit(call.is_rate_limited)) return ApiError(ApiErrc::kStopped, "stopped");
    request.timeout = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_.Now());
    if (request.timeout.count() <= 0) {
      return ApiError(ApiErrc::kNotSent, "no time left after waiting for the rate limit");
    }
    std::string body;
    const absl::Status status = Once(resource, request, body, call);
    if (status.ok()) return body;
    if (Is(status, ApiErrc::kUnauthorized) && !credential_refused) {
      credential_refused = true;
      credentials_.Refuse(request.credential);
      continue;
    }
    if (repetition >= call.retries || !MayRepeat(status, idempotent)) return status;
    const std::optional<std::chrono::seconds> asked = RetryAfterOf(status);
    const auto wait = asked.has_value() ? std::chrono::nanoseconds(*asked)
                                        : Jitter(kFirstWait * (1 << std::min(repetition, 10)));
    // The caller comes back later rather than holding its thread beyond the deadline.
    if (clock_.Now() + wait >= deadline || !sleep_(wait)) return status;
    ++repetition;
  }
}

absl::StatusOr<Object> Client::CallForObject(const Resource& resource, HttpRequest request,
                                             bool idempotent, const CallOptions& call) {
  ASSIGN_OR_RETURN(const std::string body, Call(resource, std::move(request), idempotent, call));
  ASSIGN_OR_RETURN(Json json, ParseJson(body));
  return Object::Make(std::move(json));
}

absl::StatusOr<Object> Client::Get(const Resource& resource, const ObjectKey& key,
                                   const CallOptions& call) {
  return CallForObject(resource, Request("GET", PathOf(resource, key)), true, call);
}

absl::StatusOr<Object> Client::Create(const Resource& resource, const Json& body,
                                      const CallOptions& call) {
  const ObjectKey key = KeyOf(body);
  const std::string target =
      PathOf(resource, {key.ns, ""}) + QueryOf({{"fieldManager", options_.field_manager}});
  for (int repetition = 0;; ++repetition) {
    absl::StatusOr<Object> created =
        CallForObject(resource, RequestWithBody("POST", target, body), false, call);
    const bool ask = !created.ok() && IsOutcomeUnknown(created.status()) && !key.name.empty() &&
                     repetition < call.retries && !Is(created.status(), ApiErrc::kStopped);
    if (!ask) return created;
    const absl::StatusOr<Object> found = Get(resource, key, call);
    if (found.ok()) return ApiError(ApiErrc::kAlreadyExists, "it exists after a lost answer");
    if (!Is(found.status(), ApiErrc::kNotFound)) return created.status();
    if (!sleep_(Jitter(kFirstWait))) return created.status();
  }
}

absl::StatusOr<Object> Client::CreateOwned(const Resource& resource, const Json& body) {
  const std::string owner(ControllerUidOf(body));
  CHECK(!owner.empty()) << "a body without a controlling owner";
  absl::StatusOr<Object> created = Create(resource, body);
  if (created.ok() || !Is(created.status(), ApiErrc::kAlreadyExists)) return created;
  const ObjectKey key = KeyOf(body);
  ASSIGN_OR_RETURN(Object found, Get(resource, key));
  if (found.controller_uid() == owner) return found;
  return ApiError(
      ApiErrc::kForeignOwner,
      fmt::format("{} {}/{} exists and belongs to somebody else", resource.kind, key.ns, key.name));
}

absl::StatusOr<Object> Client::Update(const Resource& resource, const Json& body,
                                      const CallOptions& call) {
  CHECK(!TextAt(body, {"metadata", "resourceVersion"}).empty()) << "an update without a lock";
  const std::string target =
      PathOf(resource, KeyOf(body)) + QueryOf({{"fieldManager", options_.field_manager}});
  return CallForObject(resource, RequestWithBody("PUT", target, body), true, call);
}

absl::StatusOr<Object> Client::Apply(const Resource& resource, const Json& body,
                                     std::string_view sub, std::string_view manager) {
  const std::string who(manager.empty() ? std::string_view(options_.field_manager) : manager);
  const std::string target =
      PathOf(resource, KeyOf(body), sub) + QueryOf({{"fieldManager", who}, {"force", "true"}});
  return CallForObject(
      resource, RequestWithBody("PATCH", target, body, ContentTypeOf(PatchType::kApply)), true, {});
}

absl::StatusOr<Object> Client::Patch(const Resource& resource, const ObjectKey& key, PatchType type,
                                     const Json& patch, std::string_view sub) {
  CHECK(type != PatchType::kApply) << "Apply has more to say";
  const std::string target =
      PathOf(resource, key, sub) + QueryOf({{"fieldManager", options_.field_manager}});
  return CallForObject(resource, RequestWithBody("PATCH", target, patch, ContentTypeOf(type)),
                       type == PatchType::kMerge, {});
}

absl::StatusOr<Object> Client::PatchLocked(const Resource& resource, const ObjectKey& key,
                                           const Change& change, std::string_view sub) {
  for (int tries = 1;; ++tries) {
    ASSIGN_OR_RETURN(Object current, Get(resource, key));
    ASSIGN_OR_RETURN(Json patch, change(current));
    if (patch.is_null()) return current;
    CHECK(patch.is_object()) << "a merge patch of an object is one";
    patch["metadata"]["resourceVersion"] = std::string(current.resource_version());
    absl::StatusOr<Object> changed = Patch(resource, key, PatchType::kMerge, patch, sub);
    if (changed.ok() || !Is(changed.status(), ApiErrc::kConflict)) return changed;
    if (tries >= kLockedTries || !sleep_(Jitter(kLockedWait))) return changed;
  }
}

absl::Status Client::SetScale(const Resource& resource, const ObjectKey& key,
                              std::int64_t replicas) {
  const Json patch = {{"spec", {{"replicas", replicas}}}};
  return Patch(resource, key, PatchType::kMerge, patch, "scale").status();
}

absl::StatusOr<std::int64_t> Client::GetScale(const Resource& resource, const ObjectKey& key) {
  ASSIGN_OR_RETURN(
      const Object scale,
      CallForObject(resource, Request("GET", PathOf(resource, key, "scale")), true, {}));
  return IntAt(scale.json(), {"spec", "replicas"}).value_or(0);
}

absl::Status Client::DeleteOnce(const Resource& resource, const ObjectKey& key,
                                const DeleteOptions& options) {
  Json body = {
      {"kind", "DeleteOptions"}, {"apiVersion", "v1"}, {"propagationPolicy", "Background"}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.resource_version.empty()) {
    body["preconditions"]["resourceVersion"] = options.resource_version;
  }
  if (options.grace_seconds.has_value()) {
    CHECK(*options.grace_seconds > 0) << "a deletion that does not wait for the kubelet";
    body["gracePeriodSeconds"] = *options.grace_seconds;
  }
  return Call(resource, RequestWithBody("DELETE", PathOf(resource, key), body), true, {}).status();
}

absl::Status Client::Delete(const Resource& resource, const ObjectKey& key,
                            const DeleteOptions& options) {
  const absl::Status status = DeleteOnce(resource, key, options);
  if (Is(status, ApiErrc::kNotFound)) return absl::OkStatus();
  if (!Is(status, ApiErrc::kConflict) || options.uid.empty()) return status;
  // Either another incarnation, then that one is gone, or another state of it.
  const absl::StatusOr<Object> found = Get(resource, key);
  const bool is_gone =
      found.ok() ? found->uid() != options.uid : Is(found.status(), ApiErrc::kNotFound);
  return is_gone ? absl::OkStatus() : status;
}

}  // namespace etcd::kube
