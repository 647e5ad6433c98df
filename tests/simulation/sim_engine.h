#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "server/storage/engine/mem_engine.h"
#include "server/storage/engine/replace.h"
#include "tests/simulation/ledger.h"

namespace etcd::simulation {

// The member's way to its engine: tells the ledger, and is where the process may die between two
// writes. The engine behind it outlives the process, like a disk.
class SimEngine final : public engine::KvEngine {
 public:
  // Asked before and after each change, by its fault point ("": none). What it says before, unless
  // it is OK, is what the change comes to. `may_fail`: the caller can take any error; a compaction
  // ends the whole process.
  using OnChange = std::function<absl::Status(std::string_view point, bool may_fail)>;
  SimEngine(engine::MemEngine& engine, Ledger& ledger, Ledger::Replica& replica, OnChange on_change)
      : engine_(engine), ledger_(ledger), replica_(replica), on_change_(std::move(on_change)) {}

  absl::Status Write(const engine::WriteBatch& batch) override;
  absl::Status Flush() override;
  absl::StatusOr<std::unique_ptr<engine::Replacement>> StartReplacement() override;
  absl::StatusOr<std::optional<std::string>> Get(engine::Family family,
                                                 std::string_view key) const override {
    return engine_.Get(family, key);
  }
  absl::Status MultiGet(
      engine::Family family, std::span<const std::string_view> keys,
      absl::FunctionRef<absl::Status(std::size_t, std::optional<std::string_view>)> each)
      const override {
    return engine_.MultiGet(family, keys, each);
  }
  std::unique_ptr<engine::Iterator> Scan(engine::Family family, std::string_view lower,
                                         std::string_view upper) const override {
    return engine_.Scan(family, lower, upper);
  }
  std::unique_ptr<engine::View> PinView() const override { return engine_.PinView(); }
  engine::EngineSize Size() const override { return engine_.Size(); }
  bool AcceptsWrites() const override { return engine_.AcceptsWrites(); }

 private:
  class SimReplacement;

  engine::MemEngine& engine_;
  Ledger& ledger_;
  Ledger::Replica& replica_;
  const OnChange on_change_;
};

}  // namespace etcd::simulation
