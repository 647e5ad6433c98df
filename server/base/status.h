#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/errc.h"

namespace etcd::base {

// Bridges between std::string_view and this Abseil's own string_view.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view MessageOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

inline absl::Status MakeStatus(absl::StatusCode code, std::string_view message) {
  return absl::Status(code, ToAbsl(message));
}

// Storage that holds bytes which cannot be what was written: never retried, never served.
inline absl::Status DataLoss(std::string_view message) {
  return MakeStatus(absl::StatusCode::kDataLoss, message);
}

// Drops a status on purpose; the reason is for the reader.
inline void IgnoreError(const absl::Status&, std::string_view /*reason*/) {}

}  // namespace etcd::base

// Early return of a failed absl::Status.
#define RETURN_IF_ERROR(expr)                                                        \
  do {                                                                               \
    if (absl::Status etcd_status_ = (expr); !etcd_status_.ok()) return etcd_status_; \
  } while (false)

#define ETCD_CONCAT_INNER_(a, b) a##b
#define ETCD_CONCAT_(a, b) ETCD_CONCAT_INNER_(a, b)

// ASSIGN_OR_RETURN(auto file, fs.Open(path)): the value, or early return of the error.
#define ASSIGN_OR_RETURN(decl, expr) \
  ASSIGN_OR_RETURN_IMPL_(ETCD_CONCAT_(etcd_statusor_, __LINE__), decl, expr)
#define ASSIGN_OR_RETURN_IMPL_(tmp, decl, expr) \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return tmp.status();           \
  decl = std::move(tmp).value()
