#include "server/storage/engine/rocks_engine.h"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/storage/engine/replace.h"
#include "server/storage/engine/rocks_options.h"
#include "server/storage/engine/space_wait_fs.h"

namespace etcd::engine {
namespace {

using std::chrono::steady_clock;

// How often a thread that waits for a flush looks again.
constexpr std::chrono::milliseconds kStallPoll{1};

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// The only place where RocksDB's errors become ours. Its texts name the file and the reason.
absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = "storage engine: " + status.ToString();
  if (status.IsCorruption()) return base::DataLoss(text);
  if (status.IsNoSpace()) {
    return base::MakeStatus(absl::StatusCode::kResourceExhausted, text);
  }
  return base::MakeStatus(absl::StatusCode::kInternal, text);
}

// What RocksDB's background threads and reads report, and what the watch thread makes of it.
// Outlives the database, which holds it as a listener. Thread-safe.
class Health final : public rocksdb::EventListener {
 public:
  explicit Health(std::function<void(const absl::Status&)> on_fatal)
      : on_fatal_(std::move(on_fatal)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (status->IsNoSpace()) return;  // while closing; before that the operation waits
    Fail(ToStatus(*status));
  }
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { Wake(); }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { Wake(); }

  void Fail(const absl::Status& status) {
    {
      const std::lock_guard lock(mu_);
      if (failed_.load()) return;
      failure_ = status;
      failed_.store(true);
    }
    LOG_ERROR("storage engine failed", {"error", status});
    if (on_fatal_) on_fatal_(status);
  }
  // Why nothing can be written now.
  absl::Status status() {
    if (gate_.anybody_waits()) {
      return base::MakeStatus(absl::StatusCode::kResourceExhausted,
                              "storage engine: no space left on device");
    }
    const std::lock_guard lock(mu_);
    return failure_;
  }
  void SetLowSpace(bool low) { low_space_.store(low); }
  SpaceGate& gate() { return gate_; }
  bool failed() const { return failed_.load(); }
  bool low_space() const { return low_space_.load(); }
  bool AcceptsWrites() const {
    return !low_space_.load() && !failed_.load() && !gate_.anybody_waits();
  }

  void Wake() {
    const std::lock_guard lock(mu_);
    sizes_changed_ = true;
    wake_.notify_one();
  }
  void Stop() {
    const std::lock_guard lock(mu_);
    stopping_ = true;
    wake_.notify_one();
  }
  // False: stop.
  bool Wait(std::chrono::nanoseconds at_most) {
    std::unique_lock lock(mu_);
    wake_.wait_for(lock, at_most, [&] { return stopping_ || sizes_changed_; });
    sizes_changed_ = false;
    return !stopping_;
  }

 private:
  const std::function<void(const absl::Status&)> on_fatal_;
  SpaceGate gate_;
  std::atomic<bool> low_space_{false};  // the reserve is touched
  std::atomic<bool> failed_{false};

  std::mutex mu_;
  std::condition_variable wake_;
  bool sizes_changed_ = false;  // guarded by mu_
  bool stopping_ = false;       // guarded by mu_
  absl::Status failure_;        // guarded by mu_
};

// A read that met damage: it is answered with the reason, and the engine goes on no further. The
// next read might meet damage that no checksum shows.
absl::Status ToReadStatus(const rocksdb::Status& status, Health& health) {
  absl::Status result = ToStatus(status);
  if (status.IsCorruption() || status.IsIOError()) health.Fail(result);
  return result;
}

class RocksIterator final : public Iterator {
 public:
  RocksIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                std::shared_ptr<Health> health, std::string_view lower, std::string_view upper,
                rocksdb::ReadOptions options)
      : health_(std::move(health)),
        lower_(lower),
        upper_(upper),
        lower_slice_(lower_),
        upper_slice_(upper_) {
    options.iterate_lower_bound = &lower_slice_;
    if (!upper.empty()) options.iterate_upper_bound = &upper_slice_;
    it_.reset(db.NewIterator(options, family));
    it_->Seek(lower_slice_);
  }

  bool Valid() const override { return it_->Valid(); }
  void Next() override { it_->Next(); }
  void Seek(std::string_view target) override { it_->Seek(ToSlice(target)); }
  std::string_view key() const override { return ToView(it_->key()); }
  std::string_view value() const override { return ToView(it_->value()); }
  absl::Status status() const override { return ToReadStatus(it_->status(), *health_); }

 private:
  const std::shared_ptr<Health> health_;
  const std::string lower_;
  const std::string upper_;
  const rocksdb::Slice lower_slice_;  // RocksDB keeps the addresses of the bounds
  const rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

class RocksView;

class RocksEngine final : public KvEngine {
 public:
  RocksEngine(std::string path, RocksOptions options)
      : path_(std::move(path)),
        options_(std::move(options)),
        health_(std::make_shared<Health>(options_.on_fatal)) {}
  ~RocksEngine() override;

  absl::Status Open();

  absl::Status Write(const WriteBatch& batch) override;
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 std::string_view key) const override;
  absl::Status MultiGet(
      Family family, std::span<const std::string_view> keys,
      absl::FunctionRef<absl::Status(std::size_t, std::optional<std::string_view>)> each)
      const override;
  std::unique_ptr<Iterator> Scan(Family family, std::string_view lower,
                                 std::string_view upper) const override;
  std::unique_ptr<View> PinView() const override;
  absl::StatusOr<std::unique_ptr<Replacement>> StartReplacement() override;
  absl::Status Flush() override;
  EngineSize Size() const override;
  bool AcceptsWrites() const override { return health_->AcceptsWrites(); }

 private:
  friend class RocksView;
  absl::StatusOr<std::optional<std::string>> GetAt(const rocksdb::Snapshot* at, Family family,
                                                   std::string_view key) const;
  std::unique_ptr<Iterator> ScanAt(const rocksdb::Snapshot* at, Family family,
                                   std::string_view lower, std::string_view upper) const;
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }
  absl::Status AwaitFlushed() const;
  void Abandon();
  void Watch() noexcept;
  void WatchSpace();
  void FlushOld();
  void RefreshSize();
  std::uint64_t Property(const std::string& name) const;

  const std::string path_;
  const RocksOptions options_;
  const std::shared_ptr<Health> health_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // in the order of Family

  // As of the last look; what was written since is added on top.
  std::atomic<std::uint64_t> size_total_{0};
  std::atomic<std::uint64_t> size_in_use_{0};
  std::atomic<std::uint64_t> written_since_{0};
  // Time of the oldest write that no flush covers yet, in steady_clock's count; 0: none.
  std::atomic<std::int64_t> oldest_unflushed_{0};

  std::thread watch_;  // free space, age of unflushed writes, sizes
};

class RocksView final : public View {
 public:
  explicit RocksView(const RocksEngine& engine)
      : engine_(engine), snapshot_(engine.db_->GetSnapshot()) {}
  ~RocksView() override { engine_.db_->ReleaseSnapshot(snapshot_); }

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 std::string_view key) const override {
    return engine_.GetAt(snapshot_, family, key);
  }
  std::unique_ptr<Iterator> Scan(Family family, std::string_view lower,
                                 std::string_view upper) const override {
    return engine_.ScanAt(snapshot_, family, lower, upper);
  }

 private:
  const RocksEngine& engine_;
  const rocksdb::Snapshot* const snapshot_;
};

absl::Status RocksEngine::Open() {
  rocksdb::DBOptions db_options = MakeDbOptions(options_);
  env_ = rocksdb::NewCompositeEnv(std::make_shared<SpaceWaitFileSystem>(
      options_.file_system != nullptr ? options_.file_system : rocksdb::FileSystem::Default(),
      health_->gate()));
  db_options.env = env_.get();
  db_options.listeners.push_back(health_);
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(
      ToStatus(rocksdb::DB::Open(db_options, path_, MakeFamilies(options_), &handles_, &db)));
  db_.reset(db);
  health_->gate().Open();
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
  for (rocksdb::ColumnFamilyHandle* family : handles_) {
    base::IgnoreError(ToStatus(db_->DestroyColumnFamilyHandle(family)), "closing anyway");
  }
  base::IgnoreError(ToStatus(db_->Close()), "nothing is lost that was promised");
}

// The disk is full and a background thread of RocksDB waits for room, so closing would wait too.
// The process is about to end: nothing that was promised is lost when it ends like this, as by a
// kill.
void RocksEngine::Abandon() {
  LOG_WARN("storage engine is left open: no space left on device");
  new std::shared_ptr<Health>(health_);
  env_.release();
  db_.release();
  // The destructors of RocksDB's globals would join that thread.
  on_exit([](int code, void*) { std::_Exit(code); }, nullptr);
}

absl::Status RocksEngine::Write(const WriteBatch& batch) {
  if (health_->failed()) return health_->status();
  // The header, and per operation a tag, a family and two lengths.
  rocksdb::WriteBatch out(12 + batch.bytes() + batch.ops().size() * 12);
  for (const WriteBatch::Op& op : batch.ops()) {
    const rocksdb::Status status = op.is_delete ? out.Delete(handle(op.family), op.key)
                                                : out.Put(handle(op.family), op.key, op.value);
    RETURN_IF_ERROR(ToStatus(status));
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  // Memtables that wait for their flush: wait here and not in RocksDB's queue, because the flush
  // may wait for room on the disk.
  options.no_slowdown = true;
  rocksdb::Status status = db_->Write(options, &out);
  while (status.IsIncomplete()) {
    RETURN_IF_ERROR(health_->status());
    std::this_thread::sleep_for(kStallPoll);
    status = db_->Write(options, &out);
  }
  RETURN_IF_ERROR(ToStatus(status));
  written_since_.fetch_add(batch.bytes(), std::memory_order_relaxed);
  if (oldest_unflushed_.load(std::memory_order_relaxed) == 0) {
    oldest_unflushed_.store(steady_clock::now().time_since_epoch().count());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> RocksEngine::Get(Family family,
                                                            std::string_view key) const {
  return GetAt(nullptr, family, key);
}

absl::StatusOr<std::optional<std::string>> RocksEngine::GetAt(const rocksdb::Snapshot* at,
                                                              Family family,
                                                              std::string_view key) const {
  std::string value;
  rocksdb::ReadOptions options;
  options.snapshot = at;
  const rocksdb::Status status = db_->Get(options, handle(family), ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(ToReadStatus(status, *health_));
  return std::optional<std::string>(std::move(value));
}

absl::Status RocksEngine::MultiGet(
    Family family, std::span<const std::string_view> keys,
    absl::FunctionRef<absl::Status(std::size_t, std::optional<std::string_view>)> each) const {
  const rocksdb::ReadOptions options;
  if (keys.size() == 1) {
    rocksdb::PinnableSlice value;
    const rocksdb::Status status = db_->Get(options, handle(family), ToSlice(keys[0]), &value);
    if (status.IsNotFound()) return each(0, std::nullopt);
    RETURN_IF_ERROR(ToReadStatus(status, *health_));
    return each(0, ToView(value));
  }
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const std::string_view key : keys) slices.push_back(ToSlice(key));
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db_->MultiGet(options, handle(family), keys.size(), slices.data(), values.data(),
                statuses.data());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) {
      RETURN_IF_ERROR(each(i, std::nullopt));
      continue;
    }
    RETURN_IF_ERROR(ToReadStatus(statuses[i], *health_));
    RETURN_IF_ERROR(each(i, ToView(values[i])));
  }
  return absl::OkStatus();
}

std::unique_ptr<Iterator> RocksEngine::Scan(Family family, std::string_view lower,
                                            std::string_view upper) const {
  return ScanAt(nullptr, family, lower, upper);
}

std::unique_ptr<Iterator> RocksEngine::ScanAt(const rocksdb::Snapshot* at, Family family,
                                              std::string_view lower,
                                              std::string_view upper) const {
  rocksdb::ReadOptions options;
  options.snapshot = at;
  // Scans of records pass once over much; they must not push out what point reads use.
  options.fill_cache = family == Family::kMeta;
  return std::make_unique<RocksIterator>(*db_, handle(family), health_, lower, upper, options);
}

std::unique_ptr<View> RocksEngine::PinView() const { return std::make_unique<RocksView>(*this); }

absl::StatusOr<std::unique_ptr<Replacement>> RocksEngine::StartReplacement() {
  return base::MakeStatus(absl::StatusCode::kUnimplemented, "not yet");
}

absl::Status RocksEngine::Flush() {
  // Before the flush: a write that comes during it counts as new.
  oldest_unflushed_.store(0);
  rocksdb::FlushOptions options;
  options.wait = false;  // AwaitFlushed does, and gives up on a full disk
  options.allow_write_stall = true;
  absl::Status status = ToStatus(db_->Flush(options, handles_));
  if (status.ok()) status = AwaitFlushed();
  if (!status.ok()) oldest_unflushed_.store(steady_clock::now().time_since_epoch().count());
  return status;
}

// What was written before is set aside by now: it is enough to see that nothing of that is left.
absl::Status RocksEngine::AwaitFlushed() const {
  while (Property(rocksdb::DB::Properties::kNumImmutableMemTable) != 0) {
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

std::uint64_t RocksEngine::Property(const std::string& name) const {
  std::uint64_t total = 0;
  for (rocksdb::ColumnFamilyHandle* family : handles_) {
    std::uint64_t value = 0;
    if (db_->GetIntProperty(family, name, &value)) total += value;
  }
  return total;
}

void RocksEngine::RefreshSize() {
  const std::uint64_t counted = written_since_.load();
  const std::uint64_t memory = Property(rocksdb::DB::Properties::kCurSizeAllMemTables);
  const std::uint64_t live = Property(rocksdb::DB::Properties::kEstimateLiveDataSize) + memory;
  const std::uint64_t files = Property(rocksdb::DB::Properties::kLiveSstFilesSize) + memory;
  // Overwritten and deleted bytes that compaction has not got to yet are not the user's doing, so
  // beyond a margin they do not count towards the quota.
  const std::uint64_t margin = live / 4 + options_.write_buffer_bytes;
  size_total_.store(std::min(files, live + margin), std::memory_order_relaxed);
  size_in_use_.store(live, std::memory_order_relaxed);
  written_since_.fetch_sub(counted);
}

}  // namespace

absl::StatusOr<std::unique_ptr<KvEngine>> OpenRocksEngine(const std::string& path,
                                                          RocksOptions options) {
  auto engine = std::make_unique<RocksEngine>(path, std::move(options));
  RETURN_IF_ERROR(engine->Open());
  return std::unique_ptr<KvEngine>(std::move(engine));
}

}  // namespace etcd::engine
