#include "server/base/check.h"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "server/base/log.h"

namespace etcd::base {

CheckFailure::CheckFailure(const char* condition, std::source_location where) : where_(where) {
  stream_ << "check failed: " << condition << " ";
}

CheckFailure::~CheckFailure() {
  const std::string message = stream_.str();
  EmitLog(LogLevel::kFatal, message, {}, where_);
  std::abort();
}

void Fatal(std::string_view message, const absl::Status& status, std::source_location where) {
  EmitLog(LogLevel::kFatal, message, {{"error", status}}, where);
  // _Exit: other threads may hold locks that destructors would wait for.
  std::_Exit(1);
}

}  // namespace etcd::base
