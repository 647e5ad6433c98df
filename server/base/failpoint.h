#pragma once

// Named places where a test can make the process die, wait, or take another way: etcd's failpoints
// (gofail), driven by the same endpoint. They exist in builds with ETCD_FAILPOINTS=ON only;
// elsewhere the macros are empty and nothing of this is linked.
//
//   FAILPOINT("raftBeforeSave");                       // panic, sleep, print
//   if (FAILPOINT_RETURNS("raftDropHeartbeat")) return;  // also return(...)
#ifdef ETCD_FAILPOINTS

#include <algorithm>
#include <cstddef>

#include "server/base/failpoint_terms.h"

namespace etcd::base {

// One place in the code, registered before main. Thread-safe.
class Failpoint {
 public:
  explicit Failpoint(const char* name);
  // Does what is set for it; true when that is to return a value.
  bool Hit();

 private:
  const char* name_;
};

template <std::size_t kSize>
struct FailpointName {
  // Implicit: a string literal is to be the template's argument.
  constexpr FailpointName(const char (&text)[kSize]) { std::copy_n(text, kSize, value); }  // NOLINT
  char value[kSize] = {};
};

template <FailpointName kName>
struct FailpointAt {
  static inline Failpoint point{kName.value};
};

// Serves gofail's endpoint on $GOFAIL_HTTP (host:port) and sets $GOFAIL_FAILPOINTS
// ("name=terms;name=terms"). Once, before anything else runs.
void StartFailpoints();

}  // namespace etcd::base

#define FAILPOINT(name) static_cast<void>(::etcd::base::FailpointAt<name>::point.Hit())
#define FAILPOINT_RETURNS(name) (::etcd::base::FailpointAt<name>::point.Hit())

#else

namespace etcd::base {
inline void StartFailpoints() {}
}  // namespace etcd::base

#define FAILPOINT(name) static_cast<void>(0)
#define FAILPOINT_RETURNS(name) false

#endif
