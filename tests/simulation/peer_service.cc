#include "tests/simulation/peer_service.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/ascii.h>

namespace etcd::simulation {
namespace {

// One answer, handed on when it is whole.
class Responder final : public base::HttpResponder {
 public:
  explicit Responder(PeerPort::Reply reply) : reply_(std::move(reply)) {}

  void Begin(int status, std::vector<std::pair<std::string, std::string>> headers) override {
    answer_.status = status;
    for (auto& [name, value] : headers) {
      answer_.headers.emplace_back(absl::AsciiStrToLower(name), std::move(value));
    }
  }
  void Write(base::Rope bytes) override { answer_.body += bytes.Flatten(); }
  void End() override {
    if (reply_) std::exchange(reply_, nullptr)(std::move(answer_));
    if (gone_) std::exchange(gone_, nullptr)();
  }
  void OnGone(std::function<void()> gone) override {
    if (!reply_) return gone();
    gone_ = std::move(gone);
  }
  void Reply(int status, std::vector<std::pair<std::string, std::string>> headers,
             std::string body) override {
    Begin(status, std::move(headers));
    answer_.body = std::move(body);
    End();
  }

 private:
  PeerPort::Reply reply_;  // null once the answer is complete
  std::function<void()> gone_;
  ports::PeerReply answer_;
};

}  // namespace

PeerPort::Serve ServeBy(base::HttpHandler& handler) {
  return [&handler](const ports::PeerRequest& asked, PeerPort::Reply reply) {
    base::HttpRequest request;
    request.method = asked.method;
    request.target = asked.path;
    request.path = asked.path.substr(0, asked.path.find('?'));
    if (request.path.size() < asked.path.size()) {
      request.query = asked.path.substr(request.path.size() + 1);
    }
    for (const auto& [name, value] : asked.headers) {
      request.headers.emplace_back(absl::AsciiStrToLower(name), value);
    }
    request.body = asked.body;
    handler.Start(std::move(request), std::make_shared<Responder>(std::move(reply)));
  };
}

}  // namespace etcd::simulation
