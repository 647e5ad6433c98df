#include "server/rafthttp/prober.h"

#include <cstdlib>
#include <ctime>
#include <utility>

#include <nlohmann/json.hpp>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::rafthttp {
namespace {

using std::chrono::nanoseconds;
using std::chrono::system_clock;

constexpr std::chrono::seconds kClockDriftMax(1);
constexpr std::time_t kSecondsMax = 9'000'000'000;  // year 2255

std::string Hex(MemberId id) { return base::FormatHex(id.value()); }

// ".969238469" without trailing zeros; "" for a whole second.
std::string Fraction(std::int64_t nanos) {
  if (nanos == 0) return {};
  std::string digits = std::to_string(1'000'000'000 + nanos).substr(1);
  return "." + digits.substr(0, digits.find_last_not_of('0') + 1);
}

}  // namespace

Prober::Prober(Link& link)
    : link_(link),
      timer_(link.context.loop.timers(), [this] { Probe(); }),
      alive_(std::make_shared<bool>(true)) {}

void Prober::Start() { Probe(); }

void Prober::Probe() {
  const Context& context = link_.context;
  timer_.Arm(context.loop.now() + context.options.probe_interval);
  const config::Url* const url = link_.urls.Pick();
  if (url == nullptr) return;
  HttpClient::Call call;
  call.url = *url;
  call.request.path = "/raft/probing";
  call.timeout = context.options.probe_interval;
  call.reuse = HttpClient::Reuse::kAllowed;
  context.client.Send(std::move(call),
                      [this, alive = alive_, asked = std::chrono::steady_clock::now(),
                       url = *url](const absl::StatusOr<ports::PeerReply>& reply) {
                        if (*alive) OnReply(asked, url, reply);
                      });
}

void Prober::OnReply(net::Loop::Time asked, const config::Url& url,
                     const absl::StatusOr<ports::PeerReply>& reply) {
  const auto theirs =
      reply.ok() && reply->status == 200 ? ParseProbeAnswer(reply->body) : std::nullopt;
  if (!theirs) {
    if (std::exchange(healthy_, false)) {
      LOG_WARN(
          "prober detected unhealthy status", {"round-tripper-name", "ROUND_TRIPPER_RAFT_MESSAGE"},
          {"remote-peer-id", Hex(link_.id)}, {"url", url.ToString()},
          {"error", reply.ok() ? absl::UnavailableError("unexpected answer") : reply.status()});
    }
    return;
  }
  healthy_ = true;
  const nanoseconds took = std::chrono::steady_clock::now() - asked;
  link_.context.observer.OnRoundTrip(link_.id, took);
  const nanoseconds drift = system_clock::now() - took / 2 - *theirs;
  if (std::chrono::abs(drift) > kClockDriftMax && link_.status.IsNewCause("clock")) {
    LOG_WARN("prober found high clock drift", {"remote-peer-id", Hex(link_.id)},
             {"clock-drift", drift}, {"rtt", took});
  }
}

std::string ProbeAnswer(system_clock::time_point now) {
  const auto since_epoch = std::chrono::duration_cast<nanoseconds>(now.time_since_epoch()).count();
  const std::time_t seconds = since_epoch / 1'000'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return R"({"OK":true,"Now":")" + std::string(text, size) + Fraction(since_epoch % 1'000'000'000) +
         "Z\"}\n";
}

std::optional<system_clock::time_point> ParseProbeAnswer(std::string_view body) {
  const auto parsed = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("OK") || !parsed.contains("Now")) return std::nullopt;
  if (parsed["OK"] != true || !parsed["Now"].is_string()) return std::nullopt;
  const std::string text = parsed["Now"].get<std::string>();
  std::tm utc{};
  const char* const rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (rest == nullptr) return std::nullopt;
  const double fraction = *rest == '.' ? std::strtod(rest, nullptr) : 0;
  const std::time_t seconds = ::timegm(&utc);
  // What a 64-bit count of nanoseconds can hold, and nothing that is not a fraction.
  if (seconds < 0 || seconds > kSecondsMax || !(fraction >= 0 && fraction < 1)) return std::nullopt;
  return system_clock::from_time_t(seconds) + std::chrono::duration_cast<system_clock::duration>(
                                                  std::chrono::duration<double>(fraction));
}

}  // namespace etcd::rafthttp
