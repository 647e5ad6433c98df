#include "tests/simulation/sim_engine.h"

#include <utility>

#include "server/base/status.h"
#include "server/storage/engine/replace.h"
#include "tests/simulation/fault_points.h"

namespace etcd::simulation {
namespace {

// Of the errors that an engine has, the one that makes its caller wait: a dead process does nothing
// any more.
absl::Status Dead() {
  return base::MakeStatus(absl::StatusCode::kResourceExhausted, "the process is dead");
}

}  // namespace

absl::Status SimEngine::Write(const engine::WriteBatch& batch) {
  if (!may_go_on_(kEngineWrite)) return Dead();
  if (const absl::Status status = engine_.Write(batch); !status.ok()) return status;
  ledger_.OnBatch(replica_, batch);
  return may_go_on_(kEngineWritten) ? absl::OkStatus() : Dead();
}

class SimEngine::SimReplacement final : public engine::Replacement {
 public:
  SimReplacement(SimEngine& engine, std::unique_ptr<engine::Replacement> content)
      : engine_(engine), content_(std::move(content)) {}

  absl::Status Write(const engine::WriteBatch& batch) override {
    return engine_.may_go_on_("") ? content_->Write(batch) : Dead();
  }
  absl::Status Commit() override {
    if (!engine_.may_go_on_(kEngineReplacement)) return Dead();
    if (const absl::Status status = content_->Commit(); !status.ok()) return status;
    engine_.ledger_.OnReplacement(engine_.replica_, engine_.engine_);
    return engine_.may_go_on_(kEngineReplaced) ? absl::OkStatus() : Dead();
  }

 private:
  SimEngine& engine_;
  std::unique_ptr<engine::Replacement> content_;
};

absl::StatusOr<std::unique_ptr<engine::Replacement>> SimEngine::StartReplacement() {
  if (!may_go_on_("")) return Dead();
  absl::StatusOr<std::unique_ptr<engine::Replacement>> content = engine_.StartReplacement();
  if (!content.ok()) return content.status();
  return std::make_unique<SimReplacement>(*this, *std::move(content));
}

absl::Status SimEngine::Flush() {
  if (!may_go_on_(kEngineFlush)) return Dead();
  if (const absl::Status status = engine_.Flush(); !status.ok()) return status;
  return may_go_on_(kEngineFlushed) ? absl::OkStatus() : Dead();
}

}  // namespace etcd::simulation
