#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/status.h>

// --feature-gates (server-surface.md 2.9).
namespace etcd::config {

enum class Gate : std::uint8_t {
  kAllAlpha,
  kAllBeta,
  kCompactHashCheck,
  kInitialCorruptCheck,
  kLeaseCheckpoint,
  kLeaseCheckpointPersist,
  kSetMemberLocalAddr,
  kStopGrpcServiceOnDefrag,
  kTxnModeWriteWithSharedBuffer,
  kCount,
};
inline constexpr std::size_t kGates = static_cast<std::size_t>(Gate::kCount);

struct GateRow {
  std::string_view name;
  std::string_view stage;  // "ALPHA" or "BETA"
  bool enabled;            // by default
};
const GateRow& RowOf(Gate gate);

class FeatureGates {
 public:
  FeatureGates();

  bool enabled(Gate gate) const { return enabled_[static_cast<std::size_t>(gate)]; }
  // Named in a list that Parse read.
  bool is_listed(Gate gate) const { return listed_[static_cast<std::size_t>(gate)]; }
  // Set explicitly: AllAlpha and AllBeta then leave it alone.
  void Set(Gate gate, bool enabled);

  // "A=true,B=false". The reason of an error is etcd's.
  absl::Status Parse(std::string_view text);
  // The gates that were set, as Parse reads them; "" when none.
  std::string ToText() const;

 private:
  void ApplyStages();

  std::bitset<kGates> enabled_;
  std::bitset<kGates> set_;
  std::bitset<kGates> listed_;
};

}  // namespace etcd::config
