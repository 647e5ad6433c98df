#include "server/config/feature_gates.h"

#include <optional>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/config/go_values.h"
#include "server/config/urls.h"

namespace etcd::config {
namespace {

// In the order of Gate.
constexpr std::array<GateRow, kGates> kRows = {{
    {"AllAlpha", "ALPHA", false},
    {"AllBeta", "BETA", false},
    {"CompactHashCheck", "ALPHA", false},
    {"InitialCorruptCheck", "ALPHA", false},
    {"LeaseCheckpoint", "ALPHA", false},
    {"LeaseCheckpointPersist", "ALPHA", false},
    {"SetMemberLocalAddr", "ALPHA", false},
    {"StopGRPCServiceOnDefrag", "ALPHA", false},
    {"TxnModeWriteWithSharedBuffer", "BETA", true},
}};

std::optional<std::size_t> Find(std::string_view name) {
  for (std::size_t i = 0; i < kGates; ++i) {
    if (kRows[i].name == name) return i;
  }
  return std::nullopt;
}

absl::Status Invalid(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

}  // namespace

const GateRow& RowOf(Gate gate) { return kRows[static_cast<std::size_t>(gate)]; }

FeatureGates::FeatureGates() {
  for (std::size_t i = 0; i < kGates; ++i) enabled_[i] = kRows[i].enabled;
}

void FeatureGates::Set(Gate gate, bool enabled) {
  const auto i = static_cast<std::size_t>(gate);
  enabled_[i] = enabled;
  set_[i] = true;
  ApplyStages();
}

absl::Status FeatureGates::Parse(std::string_view text) {
  for (const std::string& pair : SplitComma(text)) {
    const std::size_t equals = pair.find('=');
    const std::string_view name = std::string_view(pair).substr(0, equals);
    if (equals == std::string::npos) {
      return Invalid(fmt::format("missing bool value for {}", name));
    }
    const std::string_view value = std::string_view(pair).substr(equals + 1);
    const std::optional<bool> enabled = ParseGoBool(value);
    if (!enabled.has_value()) {
      return Invalid(
          fmt::format("invalid value of {}={}, err: strconv.ParseBool: parsing \"{}\": "
                      "invalid syntax",
                      name, value, value));
    }
    const std::optional<std::size_t> index = Find(name);
    if (!index.has_value()) return Invalid(fmt::format("unrecognized feature gate: {}", name));
    enabled_[*index] = *enabled;
    set_[*index] = true;
    listed_[*index] = true;
  }
  ApplyStages();
  return absl::OkStatus();
}

void FeatureGates::ApplyStages() {
  for (const Gate all : {Gate::kAllAlpha, Gate::kAllBeta}) {
    if (!set_[static_cast<std::size_t>(all)]) continue;
    for (std::size_t i = 0; i < kGates; ++i) {
      if (kRows[i].stage == RowOf(all).stage && !set_[i]) enabled_[i] = enabled(all);
    }
  }
}

std::string FeatureGates::ToText() const {
  std::string text;
  for (std::size_t i = 0; i < kGates; ++i) {
    if (!set_[i]) continue;
    if (!text.empty()) text += ',';
    text += fmt::format("{}={}", kRows[i].name, enabled_[i]);
  }
  return text;
}

}  // namespace etcd::config
