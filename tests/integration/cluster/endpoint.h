#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "bench/load/http2_client.h"

namespace etcd::cluster {

using SteadyClock = std::chrono::steady_clock;

// One member as a client sees it: a connection that is made again whenever it breaks. Each call
// ends exactly once; without an answer with status -1.
class Endpoint {
 public:
  using Done = bench::Connection::UnaryDone;

  Endpoint(bench::Loop& loop, std::string host, std::uint16_t port);

  // Ends the calls that a broken connection left, and connects; to be called often.
  void Tick(SteadyClock::time_point now);
  // Breaks the connection and ends all calls.
  void Close();
  // And takes new calls.
  bool is_connected() const { return connection_ != nullptr && !broken_ && !is_leaving_; }
  // Calls have waited for half a second, and nothing was answered meanwhile.
  bool IsSilent(SteadyClock::time_point now) const;
  void Call(std::string_view path, std::string_view message, Done done);
  // The answer of a call that may take `limit`; "" without one.
  std::string CallAndWait(std::string_view path, std::string_view message,
                          std::chrono::milliseconds limit);

  // A stream lives until the connection or the server ends it: `done`, at most once.
  std::int32_t OpenStream(std::string_view path, bench::Connection::OnMessage on_message,
                          std::function<void()> done);
  void Send(std::int32_t stream, std::string_view message) { connection_->Send(stream, message); }

  const std::string& name() const { return name_; }

 private:
  bench::Loop& loop_;
  const std::string host_;
  const std::uint16_t port_;
  const std::string name_;
  std::unique_ptr<bench::Connection> connection_;
  bool broken_ = false;
  bool is_leaving_ = false;  // the server has said that it goes away
  SteadyClock::time_point next_attempt_;
  std::uint64_t next_call_ = 0;
  std::map<std::uint64_t, std::pair<SteadyClock::time_point, Done>> calls_;
  SteadyClock::time_point last_answer_;
  std::function<void()> stream_done_;
};

}  // namespace etcd::cluster
