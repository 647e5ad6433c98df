#include "tests/integration/cluster/endpoint.h"

#include <algorithm>
#include <utility>

namespace etcd::cluster {
namespace {

constexpr auto kReconnectInterval = std::chrono::milliseconds(20);
// An attempt that takes longer met a host that does not even refuse. It holds everything up.
constexpr auto kRefused = std::chrono::milliseconds(100);
constexpr auto kMuteInterval = std::chrono::seconds(3);
constexpr auto kSilence = std::chrono::milliseconds(500);

}  // namespace

Endpoint::Endpoint(bench::Loop& loop, std::string host, std::uint16_t port)
    : loop_(loop), host_(std::move(host)), port_(port), name_(host_ + ":" + std::to_string(port)) {}

void Endpoint::Tick(SteadyClock::time_point now) {
  if (broken_) Close();
  if (connection_ == nullptr && now >= next_attempt_) {
    next_attempt_ = now + kReconnectInterval;
    connection_ = bench::Connection::TryConnect(loop_, host_, port_);
    if (connection_ != nullptr) {
      connection_->OnBroken([this] { broken_ = true; });
    } else if (SteadyClock::now() - now > kRefused) {
      next_attempt_ = SteadyClock::now() + kMuteInterval;
    }
  }
  if (connection_ != nullptr) connection_->Flush();
}

void Endpoint::Close() {
  connection_.reset();
  broken_ = false;
  is_leaving_ = false;
  auto calls = std::exchange(calls_, {});
  const auto stream_done = std::exchange(stream_done_, nullptr);
  for (auto& [id, call] : calls) call.second({.status = -1, .text = "the connection broke"}, {});
  if (stream_done) stream_done();
}

bool Endpoint::IsSilent(SteadyClock::time_point now) const {
  if (calls_.empty()) return false;
  const auto waiting_since = std::max(calls_.begin()->second.first, last_answer_);
  return now - waiting_since > kSilence;
}

void Endpoint::Call(std::string_view path, std::string_view message, Done done) {
  const std::uint64_t id = next_call_++;
  calls_.emplace(id, std::pair(SteadyClock::now(), std::move(done)));
  connection_->Call(path, message,
                    [this, id](const bench::Connection::Trailer& trailer, std::string_view answer) {
                      last_answer_ = SteadyClock::now();
                      is_leaving_ = is_leaving_ || trailer.refused;
                      auto node = calls_.extract(id);
                      node.mapped().second(trailer, answer);
                    });
}

std::string Endpoint::CallAndWait(std::string_view path, std::string_view message,
                                  std::chrono::milliseconds limit) {
  struct State {
    bool ended = false;
    std::string answer;
  };
  const auto state = std::make_shared<State>();
  Call(path, message, [state](const bench::Connection::Trailer& trailer, std::string_view answer) {
    state->ended = true;
    if (trailer.status == 0) state->answer = answer;
  });
  connection_->Flush();
  loop_.RunUntil([this, &state] { return state->ended || broken_; }, limit);
  return state->answer;
}

std::int32_t Endpoint::OpenStream(std::string_view path, bench::Connection::OnMessage on_message,
                                  std::function<void()> done) {
  stream_done_ = std::move(done);
  return connection_->OpenStream(
      path, std::move(on_message), [this](const bench::Connection::Trailer&, std::string_view) {
        if (const auto ended = std::exchange(stream_done_, nullptr); ended) ended();
      });
}

}  // namespace etcd::cluster
