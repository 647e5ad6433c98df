#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/failpoint_terms.h"
#include "server/base/mutex.h"
#include "server/base/random.h"

namespace etcd::base {

// All failpoints by name, and gofail's HTTP interface to them. Thread-safe.
class FailpointRegistry {
 public:
  struct Answer {
    int code;
    std::string body;
  };

  void Add(std::string_view name);
  // False: no such failpoint, or not the notation of failpoint_terms.h.
  bool Set(std::string_view name, std::string_view terms);
  bool Clear(std::string_view name);
  // "name=terms;name=terms"; false at the first that Set refuses.
  bool SetAll(std::string_view list);
  FailpointAction Next(const std::string& name);

  // GET / lists "name=terms", GET /name and /name/count tell of one, PUT /name sets it, PUT
  // /failpoints sets a list, DELETE /name clears it.
  Answer Serve(std::string_view method, std::string_view path, std::string_view body);

 private:
  Answer Get(std::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  std::map<std::string, std::optional<FailpointTerms>, std::less<>> points_ ABSL_GUARDED_BY(mutex_);
  SeededRandom random_ ABSL_GUARDED_BY(mutex_){1};
};

}  // namespace etcd::base
