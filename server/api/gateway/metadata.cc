#include "server/api/gateway/metadata.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>

#include "server/api/gateway/base64.h"
#include "server/base/status.h"

namespace etcd::api::gateway {
namespace {

using std::chrono::nanoseconds;

constexpr std::string_view kMetadataPrefix = "grpc-metadata-";
constexpr std::string_view kGatewayPrefix = "grpcgateway-";

// Headers of HTTP itself: passed on under a prefix.
constexpr std::array<std::string_view, 25> kPermanentHeaders = {"accept",
                                                                "accept-charset",
                                                                "accept-language",
                                                                "accept-ranges",
                                                                "authorization",
                                                                "cache-control",
                                                                "content-type",
                                                                "cookie",
                                                                "date",
                                                                "expect",
                                                                "from",
                                                                "host",
                                                                "if-match",
                                                                "if-modified-since",
                                                                "if-none-match",
                                                                "if-schedule-tag-match",
                                                                "max-forwards",
                                                                "if-unmodified-since",
                                                                "origin",
                                                                "pragma",
                                                                "referer",
                                                                "user-agent",
                                                                "via",
                                                                "warning",
                                                                "x-forwarded-for"};

std::optional<nanoseconds> UnitOf(char unit) {
  switch (unit) {
    case 'H':
      return std::chrono::hours(1);
    case 'M':
      return std::chrono::minutes(1);
    case 'S':
      return std::chrono::seconds(1);
    case 'm':
      return std::chrono::milliseconds(1);
    case 'u':
      return std::chrono::microseconds(1);
    case 'n':
      return nanoseconds(1);
    default:
      return std::nullopt;
  }
}

// "100m": digits and a unit.
std::optional<nanoseconds> ParseTimeout(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const std::optional<nanoseconds> unit = UnitOf(text.back());
  std::int64_t count = 0;
  const char* end = text.data() + text.size() - 1;
  const auto parsed = std::from_chars(text.data(), end, count);
  if (!unit || parsed.ec != std::errc() || parsed.ptr != end || count < 0) return std::nullopt;
  // Beyond a century it is no limit, and must not overflow.
  constexpr nanoseconds kMax = std::chrono::hours(24 * 36'500);
  return count > kMax / *unit ? kMax : count * *unit;
}

void AddMetadata(const std::string& name, const std::string& value, base::Metadata& metadata) {
  if (name.starts_with(kMetadataPrefix)) {
    std::string key = name.substr(kMetadataPrefix.size());
    std::string decoded = value;
    if (key.ends_with("-bin") && !DecodeBase64(value, decoded)) decoded = value;
    metadata.Add(std::move(key), std::move(decoded));
    return;
  }
  if (name == "authorization") metadata.Add(name, value);
  if (std::find(kPermanentHeaders.begin(), kPermanentHeaders.end(), name) !=
      kPermanentHeaders.end()) {
    metadata.Add(std::string(kGatewayPrefix) + name, value);
  }
}

}  // namespace

absl::StatusOr<base::CallContextPtr> MakeContext(const base::HttpRequest& request,
                                                 std::string_view method_path,
                                                 base::Clock::Monotonic now) {
  auto context = std::make_shared<base::CallContext>();
  context->path = method_path;
  context->peer = request.peer;
  for (const auto& [name, value] : request.headers) AddMetadata(name, value, context->metadata);
  const std::string_view timeout = request.Header("grpc-timeout");
  if (timeout.empty()) return context;
  const std::optional<nanoseconds> duration = ParseTimeout(timeout);
  if (!duration.has_value()) {
    return base::MakeStatus(absl::StatusCode::kInvalidArgument,
                            "invalid grpc-timeout: " + std::string(timeout));
  }
  context->deadline = now + std::chrono::duration_cast<base::Clock::Monotonic::duration>(*duration);
  return context;
}

void AtDeadline(const base::CallContext& context, base::Executor& timers, base::Task expire) {
  if (!context.deadline.has_value()) return;
  const nanoseconds delay = *context.deadline - timers.clock().Now();
  if (delay < std::chrono::hours(24)) timers.PostAfter(delay, std::move(expire));
}

}  // namespace etcd::api::gateway
