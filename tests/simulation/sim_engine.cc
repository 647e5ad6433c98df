#include "tests/simulation/sim_engine.h"

#include "server/base/status.h"

namespace etcd::simulation {
namespace {

// Of the errors that an engine has, the one that makes its caller wait: a dead process does nothing
// any more.
absl::Status Dead() {
  return base::MakeStatus(absl::StatusCode::kResourceExhausted, "the process is dead");
}

}  // namespace

absl::Status SimEngine::Write(const engine::WriteBatch& batch) {
  if (!may_go_on_()) return Dead();
  if (const absl::Status status = engine_.Write(batch); !status.ok()) return status;
  ledger_.OnBatch(batch);
  return may_go_on_() ? absl::OkStatus() : Dead();
}

absl::Status SimEngine::Flush() {
  if (!may_go_on_()) return Dead();
  if (const absl::Status status = engine_.Flush(); !status.ok()) return status;
  return may_go_on_() ? absl::OkStatus() : Dead();
}

}  // namespace etcd::simulation
