#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "bench/load/requests.h"
#include "bench/load/workload.h"

namespace etcd::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

volatile std::sig_atomic_t g_stop = 0;  // set by SIGTERM

bool ServerListens(const Options& options) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  inet_pton(AF_INET, options.host.c_str(), &address.sin_addr);
  const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

// Open loop: sending never waits for answers, so a stall of the server meets every call that is due
// during it.
class BackgroundRun {
 public:
  explicit BackgroundRun(const Options& options)
      : options_(options),
        random_(options.seed),
        value_(static_cast<std::size_t>(options.value_bytes), 'v'),
        start_(SteadyClock::now()) {
    puts_.rate = options.rate;
    gets_.rate = options.gets_rate;
    puts_.last_answer = gets_.last_answer = start_;
  }

  Outcome Run() {
    std::signal(SIGTERM, [](int) { g_stop = 1; });
    const auto end = start_ + std::chrono::duration_cast<SteadyClock::duration>(
                                  std::chrono::duration<double>(options_.seconds));
    SteadyClock::time_point now = start_;
    while (g_stop == 0 && now < end) {
      KeepConnected();
      SendDue(puts_, now);
      SendDue(gets_, now);
      if (connection_) connection_->Flush();
      loop_.RunUntil(now + std::chrono::milliseconds(1));
      now = SteadyClock::now();
    }
    // What is still open after the end counts as failed and as a stall up to here.
    loop_.RunUntil([this] { return in_flight_ == 0; }, std::chrono::seconds(5));
    for (Kind* kind : {&puts_, &gets_}) {
      if (in_flight_ > 0) Gap(*kind, SteadyClock::now());
    }
    return Finish();
  }

 private:
  struct Kind {
    double rate = 0;  // calls per second
    std::int64_t due = 0;
    SteadyClock::time_point last_answer;
    SteadyClock::duration stall{0};  // longest time without a successful answer
    std::vector<std::uint32_t> latencies_us;
  };

  void KeepConnected() {
    if (broken_) {
      connection_.reset();
      broken_ = false;
      failed_ += in_flight_;
      in_flight_ = 0;
    }
    if (connection_ || !ServerListens(options_)) return;
    connection_ = std::make_unique<Connection>(loop_, options_.host, options_.port);
    connection_->OnBroken([this] { broken_ = true; });
  }

  void SendDue(Kind& kind, SteadyClock::time_point now) {
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    for (; static_cast<double>(kind.due) < elapsed * kind.rate; ++kind.due) {
      if (!connection_ || broken_) {
        ++failed_;
        continue;
      }
      const std::string key = KeyOf(
          static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(options_.key_space)),
          options_.key_bytes);
      ++in_flight_;
      const bool is_put = &kind == &puts_;
      connection_->Call(is_put ? kPut : kRange,
                        is_put ? PutRequest(key, value_) : RangeRequest(key, {}),
                        [this, &kind, begin = SteadyClock::now()](
                            const Connection::Trailer& trailer, std::string_view) {
                          Answered(kind, begin, trailer.status);
                        });
    }
  }

  void Answered(Kind& kind, SteadyClock::time_point begin, int status) {
    --in_flight_;
    if (status != 0) {
      ++failed_;
      return;
    }
    const SteadyClock::time_point now = SteadyClock::now();
    Gap(kind, now);
    kind.last_answer = now;
    ++outcome_.operations;
    outcome_.AddLatency(now - begin);
    kind.latencies_us.push_back(outcome_.latencies_us.back());
  }

  static void Gap(Kind& kind, SteadyClock::time_point now) {
    kind.stall = std::max(kind.stall, now - kind.last_answer);
  }

  Outcome Finish() {
    outcome_.elapsed = SteadyClock::now() - start_;
    outcome_.extra.emplace_back("failed", static_cast<double>(failed_));
    for (auto [name, kind] : {std::pair("put", &puts_), std::pair("get", &gets_)}) {
      auto& sorted = kind->latencies_us;
      std::sort(sorted.begin(), sorted.end());
      const double p99 = sorted.empty() ? 0 : sorted[(sorted.size() - 1) * 99 / 100] / 1000.0;
      const double worst = sorted.empty() ? 0 : sorted.back() / 1000.0;
      const std::string prefix = name;
      outcome_.extra.emplace_back(prefix + "_p99_ms", p99);
      outcome_.extra.emplace_back(prefix + "_worst_ms", worst);
      outcome_.extra.emplace_back(prefix + "_stall_ms",
                                  std::chrono::duration<double, std::milli>(kind->stall).count());
    }
    return std::move(outcome_);
  }

  const Options& options_;
  std::mt19937_64 random_;
  std::string value_;
  const SteadyClock::time_point start_;
  Loop loop_;
  std::unique_ptr<Connection> connection_;
  bool broken_ = false;
  std::int64_t in_flight_ = 0;
  std::int64_t failed_ = 0;  // refused, unanswered, or due while there was no server
  Kind puts_;
  Kind gets_;
  Outcome outcome_;
};

}  // namespace

Outcome RunBackground(const Options& options) { return BackgroundRun(options).Run(); }

}  // namespace etcd::bench
