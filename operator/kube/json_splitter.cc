#include "operator/kube/json_splitter.h"

#include <fmt/format.h>

#include "operator/kube/api_error.h"
#include "operator/kube/json.h"
#include "server/base/status.h"

namespace etcd::kube {

absl::Status JsonSplitter::OnByte(char c) {
  if (in_string_) {
    if (after_backslash_) {
      after_backslash_ = false;
    } else if (c == '\\') {
      after_backslash_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return absl::OkStatus();
  }
  const bool is_space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
  if (depth_ == 0 && c != '{' && !is_space) {
    return ApiError(ApiErrc::kBadAnswer, "something else than a JSON object");
  }
  if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    if (++depth_ > kJsonDepthMax) return ApiError(ApiErrc::kBadAnswer, "JSON nested too deep");
  } else if (c == '}' || c == ']') {
    --depth_;  // depth_ > 0, or the byte was refused above
  }
  return absl::OkStatus();
}

absl::Status JsonSplitter::Keep(std::string_view bytes) {
  if (kept_.size() + bytes.size() > object_bytes_max_) {
    return ApiError(ApiErrc::kTooLarge,
                    fmt::format("a JSON object of more than {} bytes", object_bytes_max_));
  }
  kept_ += bytes;
  return absl::OkStatus();
}

absl::Status JsonSplitter::Feed(std::string_view bytes, const Sink& sink) {
  std::size_t begin = 0;  // of the object that is being read, within `bytes`
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t depth_before = depth_;
    RETURN_IF_ERROR(OnByte(bytes[i]));
    if (depth_before == 0 && depth_ == 1) begin = i;
    if (depth_before != 1 || depth_ != 0) continue;
    const std::string_view tail = bytes.substr(begin, i + 1 - begin);
    if (kept_.empty()) {
      if (tail.size() > object_bytes_max_) RETURN_IF_ERROR(Keep(tail));
      RETURN_IF_ERROR(sink(tail));
    } else {
      RETURN_IF_ERROR(Keep(tail));
      const std::string object = std::move(kept_);
      kept_.clear();
      RETURN_IF_ERROR(sink(object));
    }
    begin = i + 1;
  }
  return depth_ == 0 ? absl::OkStatus() : Keep(bytes.substr(begin));
}

}  // namespace etcd::kube
