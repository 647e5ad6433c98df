#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "tests/unit/transport/test_server.h"

namespace etcd::client {

// A server on our own transport whose answers a test chooses; it counts its calls.
class ScriptedServer {
 public:
  // On a port of the kernel's choice, or on one that was another's before.
  explicit ScriptedServer(std::uint16_t port = 0) { server_.options.endpoints[0].port = port; }

  // The whole answer to a request's bytes; on a loop thread.
  using Answer = std::function<absl::StatusOr<std::string>(std::string_view request)>;

  void On(const std::string& path, Answer answer) {
    auto& calls = calls_[path];
    server_.Unary(
        path, [this, &calls, answer = std::move(answer)](
                  base::CallContextPtr context, std::string_view request, base::UnaryDone done) {
          ++calls;
          api_version = context->metadata.Find("client-api-version").value_or("");
          absl::StatusOr<std::string> text = answer(request);
          if (!text.ok()) return done(text.status());
          done(base::Body(base::Rope(*std::move(text))));
        });
  }
  // An error, or success with an empty message.
  void Always(const std::string& path, absl::Status status) {
    On(path, [status](std::string_view) -> absl::StatusOr<std::string> {
      if (!status.ok()) return status;
      return std::string();
    });
  }
  // Takes the call and never answers.
  void Hang(const std::string& path) {
    auto& calls = calls_[path];
    server_.Unary(path,
                  [this, &calls](base::CallContextPtr, std::string_view, base::UnaryDone done) {
                    const std::lock_guard lock(mutex_);
                    kept_.push_back(std::make_unique<base::UnaryDone>(std::move(done)));
                    ++calls;
                  });
  }
  // Sends the messages, then the status.
  void Stream(const std::string& path, std::vector<std::string> messages, absl::Status status) {
    auto& calls = calls_[path];
    server_.Stream(path, [&calls, messages = std::move(messages), status](
                             base::CallContextPtr, base::StreamSinkPtr sink) {
      ++calls;
      for (const std::string& message : messages) sink->Send(base::Rope(message));
      sink->Finish(status);
      return std::make_unique<Deaf>();
    });
  }
  void Start() { server_.Start(); }

  std::uint16_t port() const { return server_.port; }
  std::string endpoint() const { return "http://" + server_.address(); }
  std::string api_version;  // of the last unary call; written before its answer
  int calls(const std::string& path) const { return calls_.at(path); }

 private:
  class Deaf final : public base::StreamHandler {
   public:
    void OnMessage(std::string_view) override {}
    void OnHalfClose() override {}
    void OnClose() override {}
  };

  std::map<std::string, std::atomic<int>> calls_;  // by path; filled before Start
  std::mutex mutex_;
  std::vector<std::unique_ptr<base::UnaryDone>> kept_;  // guarded by mutex_
  transport::TestServer server_;
};

inline constexpr char kRangePath[] = "/etcdserverpb.KV/Range";
inline constexpr char kPutPath[] = "/etcdserverpb.KV/Put";
inline constexpr char kTxnPath[] = "/etcdserverpb.KV/Txn";
inline constexpr char kDeletePath[] = "/etcdserverpb.KV/DeleteRange";
inline constexpr char kStatusPath[] = "/etcdserverpb.Maintenance/Status";
inline constexpr char kAlarmPath[] = "/etcdserverpb.Maintenance/Alarm";
inline constexpr char kSnapshotPath[] = "/etcdserverpb.Maintenance/Snapshot";

}  // namespace etcd::client
