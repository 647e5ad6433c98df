#pragma once

#include <source_location>
#include <sstream>

#include "server/base/status.h"

// Broken invariants stop the process: a member that goes on with wrong state would spread it.
// CHECK stays on in release builds: CHECK(index > last) << "append at " << index;
namespace etcd::base {

class CheckFailure {
 public:
  CheckFailure(const char* condition, std::source_location where);
  [[noreturn]] ~CheckFailure();  // logs at level fatal, then aborts
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  std::ostream& stream() { return stream_; }

 private:
  std::source_location where_;
  std::ostringstream stream_;
};

struct CheckVoidify {
  void operator&(std::ostream&) const {}
};

// Logs `message` at level fatal and exits with status 1: for failures of the environment (disk,
// configuration), where a core file would tell nothing. Never for broken invariants.
[[noreturn]] void Fatal(std::string_view message, const absl::Status& status,
                        std::source_location where = std::source_location::current());

}  // namespace etcd::base

#define CHECK(condition)               \
  (condition)                          \
      ? static_cast<void>(0)           \
      : ::etcd::base::CheckVoidify() & \
            ::etcd::base::CheckFailure(#condition, std::source_location::current()).stream()

#define CHECK_OK(expr)                                                             \
  do {                                                                             \
    const absl::Status etcd_check_status_ = (expr);                                \
    CHECK(etcd_check_status_.ok()) << ::etcd::base::MessageOf(etcd_check_status_); \
  } while (false)
