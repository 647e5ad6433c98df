#include "client/internal/status_map.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>

#include "server/base/status.h"

namespace etcd::client {
namespace {

// Status payloads. Their value is one character.
constexpr char kOutcomeUrl[] = "etcd/client/outcome";  // Outcome as '0' or '1'
constexpr char kNeverSentUrl[] = "etcd/client/never-sent";

void SetOutcome(absl::Status& status, Outcome outcome) {
  status.SetPayload(kOutcomeUrl, absl::Cord(outcome == Outcome::kUnknown ? "1" : "0"));
}

}  // namespace

Outcome OutcomeOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kOutcomeUrl);
  return payload.has_value() && *payload == "1" ? Outcome::kUnknown : Outcome::kNotApplied;
}

bool WasNeverSent(const absl::Status& status) {
  return status.GetPayload(kNeverSentUrl).has_value();
}

namespace internal {
namespace {

using TextMap = absl::flat_hash_map<std::string, Errc>;

TextMap MakeTextMap() {
  TextMap map;
  for (std::size_t i = 1; i < static_cast<std::size_t>(Errc::kCount); ++i) {
    const Errc errc = static_cast<Errc>(i);
    map.emplace(std::string(RowOf(errc).message), errc);
  }
  // The admin check of 3.5 and before answers with the words of its inner layer.
  map.emplace("auth: permission denied", Errc::kPermissionDenied);
  map.emplace("auth: user name is empty", Errc::kUserEmpty);
  // The end of a request's own context, by 3.7, by 3.6 and before, and by the table of Go's client.
  map.emplace("etcdserver: request canceled", Errc::kContextCanceled);
  map.emplace("etcdserver: request cancelled", Errc::kContextCanceled);
  map.emplace("etcdserver: context deadline exceeded", Errc::kContextDeadlineExceeded);
  return map;
}

// Answers that a server gives when it does not know itself what becomes of the request. All other
// rows are refusals, given before the request is proposed or when it is applied without effect.
bool LeavesItOpen(Errc errc) {
  switch (errc) {
    case Errc::kTimeout:
    case Errc::kTimeoutDueToLeaderFail:
    case Errc::kTimeoutDueToConnectionLost:
    case Errc::kTimeoutWaitAppliedIndex:
    case Errc::kTimeoutLeaderTransfer:
    case Errc::kNoLeader:  // may come from a promotion that was forwarded
    case Errc::kLeaderChanged:
    case Errc::kStopped:
    case Errc::kContextCanceled:
    case Errc::kContextDeadlineExceeded:
      return true;
    default:
      return false;
  }
}

// The receiving half of a server refuses by this text (Go's gRPC) before any handler runs.
constexpr std::string_view kTooLargeForServer = "grpc: received message larger than max";

// Codes of statuses without a row that only come from a refusal.
bool IsRefusal(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::INVALID_ARGUMENT:
    case grpc::NOT_FOUND:
    case grpc::ALREADY_EXISTS:
    case grpc::PERMISSION_DENIED:
    case grpc::FAILED_PRECONDITION:
    case grpc::OUT_OF_RANGE:
    case grpc::UNIMPLEMENTED:
    case grpc::UNAUTHENTICATED:
      return true;
    case grpc::RESOURCE_EXHAUSTED:
      return std::string_view(status.error_message()).starts_with(kTooLargeForServer);
    default:
      return false;
  }
}

}  // namespace

std::optional<Errc> ErrcOfText(std::string_view text) {
  static const TextMap& map = *new TextMap(MakeTextMap());
  const auto found = map.find(base::ToAbsl(text));
  if (found == map.end()) return std::nullopt;
  return found->second;
}

absl::Status FromGrpc(const grpc::Status& status, const Attempted& attempted) {
  if (status.ok()) return absl::OkStatus();
  const std::optional<Errc> errc =
      attempted.was_never_sent ? std::nullopt : ErrcOfText(status.error_message());
  absl::Status result = errc.has_value()
                            ? Error(*errc)
                            : absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                                           absl::StrCat(base::ToAbsl(attempted.endpoint), ": ",
                                                        status.error_message()));
  if (attempted.was_never_sent) return NeverSent(std::move(result));
  const bool is_open = errc.has_value() ? LeavesItOpen(*errc) : !IsRefusal(status);
  SetOutcome(result, attempted.is_change && is_open ? Outcome::kUnknown : Outcome::kNotApplied);
  return result;
}

absl::Status NeverSent(absl::Status status) {
  status.SetPayload(kNeverSentUrl, absl::Cord("1"));
  SetOutcome(status, Outcome::kNotApplied);
  return status;
}

}  // namespace internal
}  // namespace etcd::client
