#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/config/config.h"

// The one table of flags. A row gives the name; the environment variable (ETCD_ and upper case) and
// the key of the configuration file follow from it.
namespace etcd::config {

enum class Group : std::uint8_t {
  kMember,
  kClustering,
  kSecurity,
  kAuth,
  kLogging,
  kMetrics,
  kTracing,
  kCorruption,
  kUnsafe,
  kExperimental,
  kIgnored,
};

enum class Support : std::uint8_t {
  kFull,
  kNoEffect,  // accepted; what it tunes is not part of this server
  kMissing,   // refused unless it has its default value: the feature is not built yet
  kIgnored,   // etcd's own leftovers, accepted with any value
};

using Member = std::variant<bool Config::*, std::string Config::*, std::int64_t Config::*,
                            std::uint64_t Config::*, std::uint32_t Config::*,
                            std::chrono::nanoseconds Config::*, UrlList Config::*,
                            std::vector<std::string> Config::*, FeatureGates Config::*>;

// Bounds of a number, or of a duration in nanoseconds, beyond those of its type. Checked after
// parsing: exit 1 with the flag and the bounds in the message.
struct Bounds {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};

struct FlagRow {
  std::string_view name;
  Member member;
  Group group = Group::kMember;
  std::string_view help = {};
  Support support = Support::kFull;
  Bounds bounds = {};
  std::string_view go_type = {};   // in messages about the file; empty: by the member's type
  std::string_view choices = {};   // "new,existing": other values are refused while parsing
  std::string_view alias_of = {};  // an old name of this flag
  Gate gate = Gate::kCount;        // an old flag that now is a gate
};

std::span<const FlagRow> FlagRows();
// Null when there is no such flag. `name` without dashes.
const FlagRow* FindFlag(std::string_view name);

std::string EnvironmentName(std::string_view flag);

}  // namespace etcd::config
