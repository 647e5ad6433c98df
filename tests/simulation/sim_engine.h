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
  // `may_go_on` is asked before and after each change, by its fault point; once false, the process
  // is dead.
  SimEngine(engine::MemEngine& engine, Ledger& ledger, Ledger::Replica& replica,
            std::function<bool(std::string_view)> may_go_on)
      : engine_(engine), ledger_(ledger), replica_(replica), may_go_on_(std::move(may_go_on)) {}

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
  std::function<bool(std::string_view)> may_go_on_;
};

}  // namespace etcd::simulation
