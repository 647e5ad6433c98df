#include "tests/simulation/sim_engine.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/base/status.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/replace.h"
#include "tests/simulation/fault_points.h"

namespace etcd::simulation {
namespace {

// Of applied entries.
bool HasIndex(const engine::WriteBatch& batch) {
  static const std::string key = engine::MetaKey(engine::kBucketMeta, engine::kMetaConsistentIndex);
  return std::ranges::any_of(batch.ops(), [](const engine::WriteBatch::Op& op) {
    return op.family == engine::Family::kMeta && op.key == key;
  });
}

}  // namespace

absl::Status SimEngine::Write(const engine::WriteBatch& batch) {
  RETURN_IF_ERROR(on_change_(kEngineWrite, HasIndex(batch)));
  RETURN_IF_ERROR(engine_.Write(batch));
  ledger_.OnBatch(replica_, batch);
  return on_change_(kEngineWritten, false);
}

class SimEngine::SimReplacement final : public engine::Replacement {
 public:
  SimReplacement(SimEngine& engine, std::unique_ptr<engine::Replacement> content)
      : engine_(engine), content_(std::move(content)) {}

  absl::Status Write(const engine::WriteBatch& batch) override {
    RETURN_IF_ERROR(engine_.on_change_("", false));
    return content_->Write(batch);
  }
  absl::Status Commit() override {
    RETURN_IF_ERROR(engine_.on_change_(kEngineReplacement, true));
    RETURN_IF_ERROR(content_->Commit());
    engine_.ledger_.OnReplacement(engine_.replica_, engine_.engine_);
    return engine_.on_change_(kEngineReplaced, false);
  }

 private:
  SimEngine& engine_;
  std::unique_ptr<engine::Replacement> content_;
};

absl::StatusOr<std::unique_ptr<engine::Replacement>> SimEngine::StartReplacement() {
  RETURN_IF_ERROR(on_change_("", false));
  ASSIGN_OR_RETURN(auto content, engine_.StartReplacement());
  return std::make_unique<SimReplacement>(*this, std::move(content));
}

absl::Status SimEngine::Flush() {
  RETURN_IF_ERROR(on_change_(kEngineFlush, true));
  RETURN_IF_ERROR(engine_.Flush());
  return on_change_(kEngineFlushed, false);
}

}  // namespace etcd::simulation
