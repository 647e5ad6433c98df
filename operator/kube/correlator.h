#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "operator/kube/json.h"
#include "operator/kube/object.h"
#include "operator/kube/times.h"
#include "server/base/clock.h"

namespace etcd::kube {

// Names an object in an event.
struct Reference {
  std::string api_version, kind, ns, name, uid;
};
Reference ReferenceTo(const Object& object);

struct EventText {
  Reference regarding{};
  std::optional<Reference> related{};
  bool is_warning = false;
  std::string reason{};  // CamelCase, at most 128 bytes
  std::string action{};  // what was tried, CamelCase, at most 128 bytes
  std::string note{};    // a sentence; cut at 1024 bytes
};

// Turns what happens into few writes of events.k8s.io/v1: the same thing again within six minutes
// becomes a series of the event that exists. Pure; bounded (kSeriesMax).
class Correlator {
 public:
  using Time = base::Clock::Monotonic;
  struct Options {
    std::string controller{};  // reportingController
    std::string instance{};    // reportingInstance: the pod's name
  };
  struct Write {
    bool is_patch = false;  // else a creation
    ObjectKey key{};
    std::string body{};  // of a patch: a merge patch
  };

  explicit Correlator(Options options) : options_(std::move(options)) {}

  // Nothing when the series that it belongs to was written not long ago.
  std::optional<Write> OnEvent(Time now, WallTime wall_now, const EventText& text);
  // Series that are over and have counted more than is written. To be called now and then.
  std::vector<Write> OnTick(Time now);

 private:
  using Key = std::tuple<std::string, std::string, std::string, std::string, std::string>;
  struct Series {
    ObjectKey key{};
    std::int64_t count = 1;
    std::int64_t written_count = 1;
    WallTime last_wall{};
    Time last{};
    Time written{};
  };

  std::string Body(const ObjectKey& key, WallTime wall_now, const EventText& text) const;
  static Write PatchOf(Series& series, Time now);

  const Options options_;
  std::map<Key, Series> series_;
};

}  // namespace etcd::kube
