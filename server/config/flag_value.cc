#include "server/config/flag_value.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/config/go_values.h"

namespace etcd::config {
namespace {

using std::chrono::nanoseconds;

absl::Status Invalid(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

// "*" or a list of URLs, neither empty.
absl::Status CheckCors(std::string_view text) {
  if (text == "*") return absl::OkStatus();
  return ParseUrlList(text, false).status();
}

absl::Status CheckChoice(const FlagRow& row, std::string_view text) {
  if (row.choices.empty()) return absl::OkStatus();
  const std::vector<std::string> choices = SplitComma(row.choices);
  if (std::ranges::find(choices, text) != choices.end()) return absl::OkStatus();
  if (row.name == "v2-deprecation") return Invalid(fmt::format("invalid value \"{}\"", text));
  return Invalid("invalid value");
}

struct Setter {
  const FlagRow& row;
  std::string_view text;
  Config& config;

  absl::Status operator()(bool Config::*field) const {
    const std::optional<bool> value = ParseGoBool(text);
    if (!value.has_value()) return Invalid("parse error");
    config.*field = *value;
    return absl::OkStatus();
  }
  absl::Status operator()(std::string Config::*field) const {
    if (row.name == "cors") RETURN_IF_ERROR(CheckCors(text));
    RETURN_IF_ERROR(CheckChoice(row, text));
    config.*field = std::string(text);
    return absl::OkStatus();
  }
  absl::Status operator()(std::int64_t Config::*field) const {
    ASSIGN_OR_RETURN(config.*field, ParseGoInt(text, 64));
    return absl::OkStatus();
  }
  absl::Status operator()(std::uint64_t Config::*field) const {
    ASSIGN_OR_RETURN(config.*field, ParseGoUint(text, 64));
    return absl::OkStatus();
  }
  absl::Status operator()(std::uint32_t Config::*field) const {
    ASSIGN_OR_RETURN(const std::uint64_t value, ParseGoUint(text, 32));
    config.*field = static_cast<std::uint32_t>(value);
    return absl::OkStatus();
  }
  absl::Status operator()(nanoseconds Config::*field) const {
    const absl::StatusOr<nanoseconds> value = ParseGoDuration(text);
    if (!value.ok()) return Invalid("parse error");
    config.*field = *value;
    return absl::OkStatus();
  }
  absl::Status operator()(UrlList Config::*field) const {
    // Listeners that need not exist may be cleared; the others need at least one URL.
    const bool optional = (Config().*field).empty();
    ASSIGN_OR_RETURN(config.*field, ParseUrlList(text, optional));
    return absl::OkStatus();
  }
  absl::Status operator()(std::vector<std::string> Config::*field) const {
    config.*field = SplitComma(text);
    return absl::OkStatus();
  }
  absl::Status operator()(FeatureGates Config::*field) const {
    if (row.gate == Gate::kCount) return (config.*field).Parse(text);
    const std::optional<bool> value = ParseGoBool(text);
    if (!value.has_value()) return Invalid("parse error");
    (config.*field).Set(row.gate, *value);
    return absl::OkStatus();
  }
};

struct Printer {
  const FlagRow& row;
  const Config& config;

  std::string operator()(bool Config::*field) const { return config.*field ? "true" : "false"; }
  std::string operator()(std::string Config::*field) const { return config.*field; }
  std::string operator()(nanoseconds Config::*field) const {
    return base::FormatGoDuration(config.*field);
  }
  std::string operator()(UrlList Config::*field) const { return ToText(config.*field); }
  std::string operator()(std::vector<std::string> Config::*field) const {
    return fmt::format("{}", fmt::join(config.*field, ","));
  }
  std::string operator()(FeatureGates Config::*field) const {
    if (row.gate == Gate::kCount) return (config.*field).ToText();
    return (config.*field).enabled(row.gate) ? "true" : "false";
  }
  template <typename Int>
  requires(std::is_integral_v<Int> && !std::is_same_v<Int, bool>) std::string operator()(
      Int Config::*field) const {
    return fmt::format("{}", config.*field);
  }
};

absl::Status OutOfBounds(const FlagRow& row, std::string_view value, std::string_view min,
                         std::string_view max) {
  return Invalid(
      fmt::format("--{} must be between {} and {} (set to {})", row.name, min, max, value));
}

struct BoundsCheck {
  const FlagRow& row;
  const Config& config;

  absl::Status operator()(std::int64_t Config::*field) const {
    const std::int64_t value = config.*field;
    if (value >= row.bounds.min &&
        (value < 0 || static_cast<std::uint64_t>(value) <= row.bounds.max)) {
      return absl::OkStatus();
    }
    return OutOfBounds(row, fmt::format("{}", value), fmt::format("{}", row.bounds.min),
                       fmt::format("{}", row.bounds.max));
  }
  absl::Status operator()(std::uint64_t Config::*field) const {
    const std::uint64_t value = config.*field;
    const auto min = static_cast<std::uint64_t>(std::max<std::int64_t>(row.bounds.min, 0));
    if (value >= min && value <= row.bounds.max) return absl::OkStatus();
    return OutOfBounds(row, fmt::format("{}", value), fmt::format("{}", min),
                       fmt::format("{}", row.bounds.max));
  }
  absl::Status operator()(nanoseconds Config::*field) const {
    const std::int64_t value = (config.*field).count();
    if (value >= row.bounds.min &&
        (value < 0 || static_cast<std::uint64_t>(value) <= row.bounds.max)) {
      return absl::OkStatus();
    }
    const auto text = [](std::int64_t n) { return base::FormatGoDuration(nanoseconds(n)); };
    return OutOfBounds(row, text(value), text(row.bounds.min),
                       text(static_cast<std::int64_t>(row.bounds.max)));
  }
  template <typename Other>
  absl::Status operator()(Other Config::*) const {
    return absl::OkStatus();
  }
};

}  // namespace

bool IsBoolFlag(const FlagRow& row) {
  return std::holds_alternative<bool Config::*>(row.member) || row.support == Support::kIgnored ||
         row.gate != Gate::kCount;
}

absl::Status SetFlag(const FlagRow& row, std::string_view text, Config& config) {
  return std::visit(Setter{row, text, config}, row.member);
}

std::string FlagText(const FlagRow& row, const Config& config) {
  return std::visit(Printer{row, config}, row.member);
}

absl::Status CheckFlag(const FlagRow& row, const Config& config) {
  if (row.support == Support::kMissing && FlagText(row, config) != FlagText(row, Config())) {
    return Invalid(
        fmt::format("--{} is set, but this version does not have that feature yet; "
                    "remove the flag or wait for a later version",
                    row.name));
  }
  return std::visit(BoundsCheck{row, config}, row.member);
}

std::string_view GoTypeOf(const FlagRow& row) {
  if (!row.go_type.empty()) return row.go_type;
  struct Visitor {
    std::string_view operator()(bool Config::*) const { return "bool"; }
    std::string_view operator()(std::int64_t Config::*) const { return "int"; }
    std::string_view operator()(std::uint64_t Config::*) const { return "uint"; }
    std::string_view operator()(std::uint32_t Config::*) const { return "uint32"; }
    std::string_view operator()(nanoseconds Config::*) const { return "time.Duration"; }
    std::string_view operator()(std::string Config::*) const { return "string"; }
    std::string_view operator()(UrlList Config::*) const { return "string"; }
    std::string_view operator()(std::vector<std::string> Config::*) const { return "[]string"; }
    std::string_view operator()(FeatureGates Config::*) const { return "string"; }
  };
  return std::visit(Visitor{}, row.member);
}

}  // namespace etcd::config
