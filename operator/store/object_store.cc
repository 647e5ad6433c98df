#include "operator/store/object_store.h"

#include <absl/strings/cord.h>
#include <fmt/format.h>

#include "server/base/status.h"

namespace etcd::store {
namespace {
constexpr char kReasonPayload[] = "backup-reason";
}

absl::StatusOr<std::string> ObjectStore::GetText(const std::string& key, std::size_t bytes_max) {
  std::string text;
  RETURN_IF_ERROR(Get(key, [&](std::string_view bytes) {
    if (text.size() + bytes.size() > bytes_max) {
      return Failure(absl::StatusCode::kDataLoss, "BadObject",
                     fmt::format("{} is larger than {} bytes", UriOf(key), bytes_max));
    }
    text += bytes;
    return absl::OkStatus();
  }));
  return text;
}

absl::Status WithReason(absl::Status status, std::string_view reason) {
  if (!status.ok() && !status.GetPayload(kReasonPayload)) {
    status.SetPayload(kReasonPayload, absl::Cord(base::ToAbsl(reason)));
  }
  return status;
}

absl::Status Failure(absl::StatusCode code, std::string_view reason, std::string_view message) {
  return WithReason(base::MakeStatus(code, message), reason);
}

std::string ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonPayload);
  return payload ? std::string(*payload) : "Failed";
}

}  // namespace etcd::store
