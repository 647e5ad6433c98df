#include "server/storage/engine/rocks_engine.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include <rocksdb/file_system.h>
#include <rocksdb/write_batch.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/storage/engine/rocks_engine_impl.h"
#include "server/storage/engine/rocks_options.h"
#include "server/storage/engine/space_wait_fs.h"

namespace etcd::engine {
namespace {

using std::chrono::steady_clock;

// How often a thread that waits for a flush looks again.
constexpr std::chrono::milliseconds kStallPoll{1};

}  // namespace

absl::Status RocksEngine::Open() {
  rocksdb::DBOptions db_options = MakeDbOptions(options_);
  env_ = rocksdb::NewCompositeEnv(std::make_shared<SpaceWaitFileSystem>(
      options_.file_system != nullptr ? options_.file_system : rocksdb::FileSystem::Default(),
      health_->gate()));
  db_options.env = env_.get();
  db_options.listeners.push_back(health_);
  if (options_.make_room) health_->gate().Open(options_.make_room);
  ASSIGN_OR_RETURN(OpenedDb opened, OpenDb(db_options, path_, maker_));
  db_ = std::move(opened.db);
  last_generation_.store(opened.families->generation());
  SwapFamilies(std::move(opened.families));
  health_->gate().Open(nullptr);
  WatchSpace();
  RefreshSize();
  watch_ = std::thread([this] { Watch(); });
  pthread_setname_np(watch_.native_handle(), "engine-watch");
  return absl::OkStatus();
}

RocksEngine::~RocksEngine() {
  if (db_ == nullptr) return;
  health_->Stop();
  watch_.join();
  if (options_.flush_on_close) base::IgnoreError(Flush(), "what is lost, the raft log still has");
  if (!health_->gate().Close()) {
    Abandon();
    return;
  }
  SwapFamilies(nullptr);
  base::IgnoreError(ToStatus(db_->Close()), "nothing is lost that was promised");
}

// The disk is full and a background thread of RocksDB waits for room, so closing would wait too.
// The process is about to end: nothing that was promised is lost when it ends like this, as by a
// kill.
void RocksEngine::Abandon() {
  LOG_WARN("storage engine is left open: no space left on device");
  new std::shared_ptr<Health>(health_);
  new FamiliesPtr(families());
  env_.release();
  db_.release();
  // The destructors of RocksDB's globals would join that thread.
  on_exit([](int code, void*) { std::_Exit(code); }, nullptr);
}

absl::Status RocksEngine::Write(const WriteBatch& batch) {
  RETURN_IF_ERROR(WriteTo(*families(), batch));
  written_since_.fetch_add(batch.bytes(), std::memory_order_relaxed);
  if (oldest_unflushed_.load(std::memory_order_relaxed) == 0) {
    oldest_unflushed_.store(steady_clock::now().time_since_epoch().count());
  }
  return absl::OkStatus();
}

absl::Status RocksEngine::WriteTo(const Families& families, const WriteBatch& batch) {
  // The header, and per operation a tag, a family and two lengths.
  rocksdb::WriteBatch out(12 + batch.bytes() + batch.ops().size() * 12);
  for (const WriteBatch::Op& op : batch.ops()) {
    const rocksdb::Status status = op.is_delete ? out.Delete(families[op.family], op.key)
                                                : out.Put(families[op.family], op.key, op.value);
    RETURN_IF_ERROR(ToStatus(status));
  }
  return WriteRaw(out);
}

absl::Status RocksEngine::WriteRaw(rocksdb::WriteBatch& batch) {
  if (health_->failed()) return health_->status();
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  // Memtables that wait for their flush: wait here and not in RocksDB's queue, because the flush
  // may wait for room on the disk.
  options.no_slowdown = true;
  rocksdb::Status status = db_->Write(options, &batch);
  while (status.IsIncomplete()) {
    RETURN_IF_ERROR(health_->status());
    std::this_thread::sleep_for(kStallPoll);
    status = db_->Write(options, &batch);
  }
  return ToStatus(status);
}

absl::Status RocksEngine::Flush() {
  // Before the flush: a write that comes during it counts as new.
  oldest_unflushed_.store(0);
  const FamiliesPtr content = families();
  absl::Status status = FlushHandles(content->all());
  if (!status.ok()) oldest_unflushed_.store(steady_clock::now().time_since_epoch().count());
  return status;
}

// Atomically. Gives up on a full disk, where RocksDB waits.
absl::Status RocksEngine::FlushHandles(
    const std::vector<rocksdb::ColumnFamilyHandle*>& handles) const {
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;
  RETURN_IF_ERROR(ToStatus(db_->Flush(options, handles)));
  // What was written before is set aside by now: it is enough to see that nothing of that is left.
  while (Property(handles, rocksdb::DB::Properties::kNumImmutableMemTable) != 0) {
    RETURN_IF_ERROR(health_->status());
    std::this_thread::sleep_for(kStallPoll);
  }
  return absl::OkStatus();
}

EngineSize RocksEngine::Size() const {
  const std::uint64_t fresh = written_since_.load(std::memory_order_relaxed);
  return {size_total_.load(std::memory_order_relaxed) + fresh,
          size_in_use_.load(std::memory_order_relaxed) + fresh};
}

// ---- Watch thread

void RocksEngine::Watch() noexcept {
  while (health_->Wait(options_.watch_interval)) {
    WatchSpace();
    FlushOld();
    RefreshSize();
  }
}

void RocksEngine::WatchSpace() {
  std::uint64_t free = 0;
  const rocksdb::Status status = db_->GetFileSystem()->GetFreeSpace(path_, {}, &free, nullptr);
  if (!status.ok()) return;  // not every file system can tell; then ENOSPC itself does
  const std::uint64_t reserve = options_.free_bytes_reserve;
  if (free < reserve) {
    if (!health_->low_space()) LOG_WARN("little disk space left", {"free-bytes", free});
    health_->SetLowSpace(true);
  } else if (free >= 2 * reserve) {
    health_->SetLowSpace(false);
  }
}

void RocksEngine::FlushOld() {
  const std::int64_t oldest = oldest_unflushed_.load();
  if (oldest == 0 || !health_->AcceptsWrites()) return;
  const steady_clock::time_point since{steady_clock::duration(oldest)};
  if (steady_clock::now() - since < options_.flush_interval) return;
  base::IgnoreError(Flush(), "the background error handler has it, and the next look tries again");
}

std::uint64_t RocksEngine::Property(const std::vector<rocksdb::ColumnFamilyHandle*>& handles,
                                    const std::string& name) const {
  std::uint64_t total = 0;
  for (rocksdb::ColumnFamilyHandle* family : handles) {
    std::uint64_t value = 0;
    if (db_->GetIntProperty(family, name, &value)) total += value;
  }
  return total;
}

void RocksEngine::RefreshSize() {
  const std::uint64_t counted = written_since_.load();
  const FamiliesPtr content = families();
  const auto handles = content->all();
  const std::uint64_t memory = Property(handles, rocksdb::DB::Properties::kCurSizeAllMemTables);
  const std::uint64_t live =
      Property(handles, rocksdb::DB::Properties::kEstimateLiveDataSize) + memory;
  const std::uint64_t files =
      Property(handles, rocksdb::DB::Properties::kLiveSstFilesSize) + memory;
  // Overwritten and deleted bytes that compaction has not got to yet are not the user's doing, so
  // beyond a margin they do not count towards the quota.
  const std::uint64_t margin = live / 4 + options_.write_buffer_bytes;
  size_total_.store(std::min(files, live + margin), std::memory_order_relaxed);
  size_in_use_.store(live, std::memory_order_relaxed);
  written_since_.fetch_sub(counted);
}

absl::StatusOr<std::unique_ptr<KvEngine>> OpenRocksEngine(const std::string& path,
                                                          RocksOptions options) {
  auto engine = std::make_unique<RocksEngine>(path, std::move(options));
  RETURN_IF_ERROR(engine->Open());
  return std::unique_ptr<KvEngine>(std::move(engine));
}

}  // namespace etcd::engine
