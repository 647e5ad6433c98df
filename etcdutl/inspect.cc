#include "etcdutl/inspect.h"

#include "server/base/clock.h"
#include "server/base/status.h"
#include "server/base/thread_executor.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/storage/mvcc/store.h"

namespace etcd::etcdutl {

absl::StatusOr<StoreReport> InspectStore(base::FileSystem& file_system,
                                         const std::string& data_dir) {
  const std::string member = data_dir + "/member";
  if (!file_system.Exists(member + "/rocksdb")) {
    return base::MakeStatus(absl::StatusCode::kFailedPrecondition,
                            data_dir + " holds no member of this etcd");
  }
  ASSIGN_OR_RETURN(const auto lock, file_system.Open(member + "/lock", base::OpenMode::kReadWrite));
  RETURN_IF_ERROR(lock->TryLock());
  ASSIGN_OR_RETURN(const auto engine, engine::OpenRocksEngine(member + "/rocksdb", {}));
  const base::SystemClock clock;
  base::ThreadExecutor compaction("compaction", clock);
  ASSIGN_OR_RETURN(const auto store, mvcc::OpenStore(*engine, compaction, {}));
  StoreReport report;
  report.revision = store->current_revision();
  report.compact_revision = store->compact_revision();
  report.live_keys = store->live_keys();
  const auto hash = store->HashKv(report.revision);
  store->Stop();
  compaction.Stop();
  if (!hash.ok()) return hash.status();
  report.hash = hash->hash;
  return report;
}

}  // namespace etcd::etcdutl
