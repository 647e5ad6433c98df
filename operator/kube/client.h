#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "operator/kube/api_error.h"
#include "operator/kube/credentials.h"
#include "operator/kube/http.h"
#include "operator/kube/object.h"
#include "operator/kube/resource.h"
#include "operator/kube/token_bucket.h"
#include "server/base/random.h"

namespace etcd::kube {

// Waits; false when it was woken because everything stops. Tests let virtual time pass instead.
using Sleep = std::function<bool(std::chrono::nanoseconds)>;
Sleep RealSleep(std::stop_token stop);

// Told of every request that was answered or given up. Called on the caller's thread.
class ClientObserver {
 public:
  virtual ~ClientObserver() = default;
  // `code` is 0 when there was no answer.
  virtual void OnRequest(std::string_view method, const Resource& resource, int code,
                         std::chrono::nanoseconds took) = 0;
};

struct ClientOptions {
  double requests_per_second = 50;
  double burst = 100;
  std::string field_manager{};  // of server-side apply and of creations
  std::stop_token stop{};       // ends all requests that are running, with kStopped
  ClientObserver* observer = nullptr;
};

struct CallOptions {
  // Of the call with all its repetitions and waits.
  std::chrono::milliseconds timeout{30'000};
  // Repetitions after an outcome that allows it: 429 always, others when the request is idempotent.
  int retries = 3;
  // The lease of the leader must not wait behind the work of the workers.
  bool is_rate_limited = true;
  std::stop_token stop{};  // in place of the client's when somebody can request it
};

struct ListOptions {
  std::string ns{};              // empty: all namespaces
  std::string label_selector{};  // "a=b,c"
  std::string field_selector{};
  std::int64_t page_size = 500;
  Object::Trim trim = nullptr;
};

struct ObjectList {
  std::string resource_version;
  std::vector<Object> items;
};

struct WatchOptions {
  std::string ns{};
  std::string label_selector{};
  std::string field_selector{};
  std::string resource_version{};
  std::chrono::seconds timeout{300};  // after which the server ends the watch
  Object::Trim trim = nullptr;
};

enum class WatchEventType : std::uint8_t { kAdded, kModified, kDeleted, kBookmark };
struct WatchEvent {
  WatchEventType type;
  std::string resource_version{};
  Object object{};  // none for a bookmark
};
// An error ends the watch.
using WatchSink = std::function<absl::Status(WatchEvent event)>;

struct DeleteOptions {
  std::string uid{};                            // only that incarnation; strongly advised
  std::string resource_version{};               // only that state
  std::optional<std::int64_t> grace_seconds{};  // never 0: the kubelet must confirm the end
};

enum class PatchType : std::uint8_t { kApply, kMerge, kJson };

struct ServerVersion {
  int major = 0;
  int minor = 0;  // of "34+": 34
  auto operator<=>(const ServerVersion&) const = default;
};

// Calls of the Kubernetes API. Blocking, thread-safe; errors are of ApiErrc. Obeys Retry-After and
// a limit of its own, reads refused credentials again, repeats what may be repeated (operator-spec
// 6.8). Everything passed in outlives it.
class Client {
 public:
  Client(HttpTransport& transport, CredentialSource& credentials, const base::Clock& clock,
         Sleep sleep, std::uint64_t seed, ClientOptions options);

  absl::StatusOr<Object> Get(const Resource& resource, const ObjectKey& key,
                             const CallOptions& call = {});
  // All pages, of one consistent state. When the state of the first page is gone before the last
  // page, everything is read again in one answer.
  absl::StatusOr<ObjectList> List(const Resource& resource, const ListOptions& options,
                                  const CallOptions& call = {});
  // Not repeated when the outcome is unknown, unless the object turns out not to be there; when it
  // is there: kAlreadyExists, which may be our own doing.
  absl::StatusOr<Object> Create(const Resource& resource, const Json& body,
                                const CallOptions& call = {});
  // Create, or the object that exists when its controller is the one that `body` names; another's:
  // kForeignOwner.
  absl::StatusOr<Object> CreateOwned(const Resource& resource, const Json& body);
  // PUT; the body's resourceVersion must be the object's, otherwise kConflict.
  absl::StatusOr<Object> Update(const Resource& resource, const Json& body,
                                const CallOptions& call = {});
  // Server-side apply, forced: `body` has all fields that `manager` (empty: the client's) owns; one
  // that it left out is given up. With metadata.resourceVersion in it: kConflict unless it is that.
  absl::StatusOr<Object> Apply(const Resource& resource, const Json& body,
                               std::string_view sub = {}, std::string_view manager = {});
  absl::StatusOr<Object> Patch(const Resource& resource, const ObjectKey& key, PatchType type,
                               const Json& patch, std::string_view sub = {});
  // Of the scale subresource.
  absl::Status SetScale(const Resource& resource, const ObjectKey& key, std::int64_t replicas);
  absl::StatusOr<std::int64_t> GetScale(const Resource& resource, const ObjectKey& key);
  // OK also when there is no such object, or only one with another uid.
  absl::Status Delete(const Resource& resource, const ObjectKey& key, const DeleteOptions& options);

  // Changes what `change` says, judged by the state that it is given; on kConflict again from a
  // fresh state, five times. `change` gives a JSON merge patch, null for nothing to do.
  using Change = std::function<absl::StatusOr<Json>(const Object& current)>;
  absl::StatusOr<Object> PatchLocked(const Resource& resource, const ObjectKey& key,
                                     const Change& change, std::string_view sub = {});

  // Runs until the server ends the watch (OK), an error comes, or `stop`.
  absl::Status Watch(const Resource& resource, const WatchOptions& options, const WatchSink& sink,
                     std::stop_token stop);

  absl::StatusOr<ServerVersion> Version();
  // Whether the API server serves this kind now.
  absl::StatusOr<bool> Serves(const Resource& resource);

 private:
  absl::StatusOr<std::string> Call(const Resource& resource, HttpRequest request, bool idempotent,
                                   const CallOptions& call);
  absl::StatusOr<Object> CallForObject(const Resource& resource, HttpRequest request,
                                       bool idempotent, const CallOptions& call);
  absl::Status Once(const Resource& resource, HttpRequest& request, std::string& body,
                    const CallOptions& call);
  absl::StatusOr<ObjectList> ListAll(const Resource& resource, const ListOptions& options,
                                     std::int64_t page_size, const CallOptions& call);
  absl::Status DeleteOnce(const Resource& resource, const ObjectKey& key,
                          const DeleteOptions& options);
  bool Admit(bool is_rate_limited);
  std::chrono::nanoseconds Jitter(std::chrono::nanoseconds base);

  HttpTransport& transport_;
  CredentialSource& credentials_;
  const base::Clock& clock_;
  const Sleep sleep_;
  const ClientOptions options_;
  std::mutex mu_;
  TokenBucket bucket_;         // guarded by mu_
  base::SeededRandom random_;  // guarded by mu_
};

}  // namespace etcd::kube
