#include "tests/support/sim_peer_client.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "server/api/http/peer_handler.h"
#include "server/base/status.h"

namespace etcd::testing {
namespace {

constexpr std::string_view kUrlStart = "http://10.0.0.";
constexpr std::chrono::microseconds kDelay(200);

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

class Responder final : public base::HttpResponder {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  using Done = absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)>;

  explicit Responder(Done done) : done_(std::move(done)) {}

  void Begin(int status, Headers headers) override {
    reply_.status = status;
    for (auto& [name, value] : headers) reply_.headers.emplace_back(Lower(name), value);
  }
  void Write(base::Rope bytes) override { reply_.body += bytes.Flatten(); }
  void End() override { done_(std::move(reply_)); }
  void OnGone(std::function<void()>) override {}
  void Reply(int status, Headers headers, std::string body) override {
    Begin(status, std::move(headers));
    reply_.body = std::move(body);
    End();
  }

 private:
  Done done_;
  ports::PeerReply reply_;
};

}  // namespace

void SimPeerClient::Ask(std::string url, ports::PeerRequest request, std::chrono::nanoseconds,
                        absl::AnyInvocable<void(absl::StatusOr<ports::PeerReply>)> done) {
  if (request.path == "/members/hashkv") ++hashes_asked;
  ++pending;
  auto answer = [this, done = std::move(done)](absl::StatusOr<ports::PeerReply> reply) mutable {
    --pending;
    done(std::move(reply));
  };
  executor_.PostAfter(kDelay, [this, url = std::move(url), request = std::move(request),
                               done = std::move(answer)]() mutable {
    const std::size_t machine =
        url.starts_with(kUrlStart) ? std::stoul(url.substr(kUrlStart.size())) - 1 : cluster_.size();
    if (machine >= cluster_.size() || silent.contains(machine) || !cluster_[machine].is_running()) {
      return done(base::MakeStatus(absl::StatusCode::kUnavailable, "connection refused"));
    }
    SimMember& member = cluster_[machine];
    handlers_.push_back(api::http::MakePeerHandler({.node = *member,
                                                    .store = member->store(),
                                                    .lessor = member->lessor(),
                                                    .background = executor_,
                                                    .bulk = executor_,
                                                    .member = &*member,
                                                    .server_version = "3.6.16"}));
    base::HttpRequest asked_for;
    asked_for.method = request.method;
    asked_for.target = asked_for.path = request.path;
    for (auto& [name, value] : request.headers) {
      asked_for.headers.emplace_back(Lower(name), std::move(value));
    }
    asked_for.body = std::move(request.body);
    handlers_.back()->Start(std::move(asked_for), std::make_shared<Responder>(std::move(done)));
  });
}

}  // namespace etcd::testing
