#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/base/mutex.h"
#include "server/storage/engine/kv_engine.h"
#include "server/storage/mvcc/hash_cache.h"
#include "server/storage/mvcc/key_index.h"
#include "server/storage/mvcc/read_pins.h"
#include "server/storage/mvcc/record_hasher.h"
#include "server/storage/mvcc/store.h"

namespace etcd::mvcc {

struct CompactionJob {
  Revision revision;
  Revision previous;     // compact revision before it
  bool resumed = false;  // interrupted by a restart: its hash would miss deleted records
};

// Who wants to know when everything up to `revision` is deleted.
struct CompactionWaiter {
  Revision revision;
  absl::AnyInvocable<void()> done;
};

// Deletes physically what marked compactions made unreachable, one job after the other, in bounded
// steps on its executor. Safe to stop or crash anywhere: of each key the oldest revisions go first
// and a tombstone goes after all that it hides, so that whatever prefix of the deletions survives,
// a restart finds the same newest revisions and drops the rest again.
//
// Steps of a job: hash all records up to its revision (for the corruption check; only when nothing
// was deleted yet), then walk the index, drop, delete in the engine, then write
// finishedCompactRev. Nothing is dropped above the oldest reader's revision; the job waits for it.
class Compactor {
 public:
  Compactor(engine::KvEngine& engine, base::Executor& executor, const StoreOptions& options,
            KeyIndex& index, const ReadPins& pins, HashCache& hashes);
  ~Compactor() { Stop(); }

  // Thread-safe. Jobs queue up until Start.
  void Enqueue(const CompactionJob& job);
  // Records without a KeyValue; deleted by the first job that covers them. Before Start.
  void SetOrphans(std::vector<RevisionPair> orphans) { orphans_ = std::move(orphans); }
  void Start();
  // Returns when no step runs any more; callbacks not called yet are dropped.
  void Stop();
  // The same, but they are kept for TakeWaiters: another compactor goes on.
  void Retire();
  std::vector<CompactionWaiter> TakeWaiters();
  // Calls `done` on the executor once everything up to `revision` is deleted.
  void WhenFinished(Revision revision, absl::AnyInvocable<void()> done);
  void SetFinished(Revision revision);

 private:
  enum class Phase { kIdle, kHash, kDrop };
  // Outlives the compactor in posted steps.
  struct Control {
    base::Mutex mu;  // held during a step
    bool stopped ABSL_GUARDED_BY(mu) = false;
  };

  void PostStep(std::chrono::nanoseconds delay);
  void Step();
  bool TakeJob();
  void StepHash();
  void StepDrop();
  void BeginPass(Revision at);
  bool DeleteSome();
  void FinishJob();
  absl::Status HashSome(bool& end);

  engine::KvEngine& engine_;
  base::Executor& executor_;
  const StoreOptions options_;
  KeyIndex& index_;
  const ReadPins& pins_;
  HashCache& hashes_;
  const std::shared_ptr<Control> control_;

  base::Mutex mu_;
  std::deque<CompactionJob> jobs_ ABSL_GUARDED_BY(mu_);
  std::vector<CompactionWaiter> waiters_ ABSL_GUARDED_BY(mu_);
  Revision finished_ ABSL_GUARDED_BY(mu_){-1};
  bool running_ ABSL_GUARDED_BY(mu_) = false;  // started, and a step is posted or runs
  bool started_ ABSL_GUARDED_BY(mu_) = false;

  // Executor only.
  CompactionJob job_;
  Phase phase_ = Phase::kIdle;
  std::optional<RecordHasher> hasher_;
  std::string position_;           // of the phase: engine key to hash next, index key to walk next
  bool walked_ = false;            // the pass has seen the whole index
  Revision pass_at_;               // what this pass compacts at; at most the job's revision
  std::vector<RevEntry> dropped_;  // out of the index, not yet out of the engine
  std::size_t deleted_ = 0;        // of dropped_
  std::uint64_t records_deleted_ = 0;  // by the job
  base::Clock::Monotonic started_at_;
  std::vector<RevisionPair> orphans_;
};

}  // namespace etcd::mvcc
