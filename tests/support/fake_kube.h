#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "operator/kube/http.h"
#include "tests/support/fake_kube_objects.h"

namespace etcd::testing {

// A Kubernetes API server in memory, with faults on demand. It is an HttpTransport, so that a
// client uses it without sockets; LoopbackHttp serves it on a port. Thread-safe.
class FakeKube final : public kube::HttpTransport {
 public:
  using Json = nlohmann::json;

  absl::StatusOr<kube::HttpAnswer> Send(const kube::HttpRequest& request,
                                        std::stop_token stop) override;
  absl::StatusOr<kube::HttpAnswer> Stream(const kube::HttpRequest& request,
                                          const kube::ByteSink& sink,
                                          std::stop_token stop) override;

  enum class Effect {
    kAnswer,       // with `code`; not executed
    kLoseRequest,  // the connection breaks; not executed
    kLoseAnswer,   // executed, then the connection breaks
    kNone,         // only `before`
  };
  // What happens to the next requests of this method ("" any, "WATCH" a watch) whose target holds
  // `target_part`.
  struct Fault {
    std::string method{};
    std::string target_part{};
    int times = 1;
    Effect effect = Effect::kAnswer;
    int code = 0;
    int retry_after_s = 0;
    std::string body{};              // empty: a metav1.Status
    std::function<void()> before{};  // runs without any lock; not for watches
  };
  void Inject(Fault fault);
  void ClearFaults();

  // As other clients would do it.
  Json Put(const std::string& target, Json object);  // creates or replaces
  void Remove(const std::string& target);
  Json Read(const std::string& target);  // null when there is none

  void CutWatches();     // connections break
  void EndWatches();     // the server ends them as announced
  void SendBookmarks();  // to all watches that run
  void Compact();        // watches and pages from before are refused

  // "GET /api/v1/...", in order.
  std::vector<std::string> requests();
  int running_watches();

 private:
  struct Watcher;
  std::optional<Fault> TakeFault(const std::string& method, const std::string& target);
  kube::HttpAnswer Execute(const kube::HttpRequest& request);
  absl::StatusOr<kube::HttpAnswer> Follow(std::unique_lock<std::mutex>& lock, Watcher watcher,
                                          const kube::ByteSink& sink, const std::stop_token& stop);
  static absl::StatusOr<kube::HttpAnswer> StreamFault(const Fault& fault,
                                                      const kube::ByteSink& sink);
  std::vector<std::string> NewEvents(Watcher& watcher);
  static kube::HttpAnswer AnswerOf(const Fault& fault);

  std::mutex mu_;
  std::condition_variable_any changed_;
  FakeKubeObjects objects_;
  std::deque<Fault> faults_;
  std::vector<std::string> requests_;
  int running_watches_ = 0;
  std::uint64_t cuts_ = 0, ends_ = 0, bookmarks_ = 0;  // how often each was asked for
};

}  // namespace etcd::testing
