#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include <rocksdb/write_batch.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/storage/engine/rocks_engine_impl.h"

namespace etcd::engine {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kSpacePoll{10};
// Flushed as it grows: three full write buffers of RocksDB's own would be 96 MB beside what the
// member holds for its clients.
constexpr std::size_t kUnflushedBytesMax = 4 << 20;
// Rest for each unit of time in which a flush kept the disk busy: logs that share it, those of
// other members too, must find it free most of the time.
constexpr int kRestPerFlush = 3;
constexpr std::chrono::milliseconds kRestMax{200};

}  // namespace

// A generation of families of its own, until one durable record makes it the one that counts.
class RocksReplacement final : public Replacement {
 public:
  RocksReplacement(RocksEngine& engine, std::shared_ptr<const Families> content)
      : engine_(engine), content_(std::move(content)) {}
  ~RocksReplacement() override {
    if (!committed_) DropContent(*content_);
    engine_.replacing_.store(false);
  }

  absl::Status Write(const WriteBatch& batch) override {
    // As the engine itself: below the reserve nothing more is taken.
    if (!engine_.AcceptsWrites()) {
      RETURN_IF_ERROR(engine_.health_->status());
      return base::MakeStatus(absl::StatusCode::kResourceExhausted,
                              "storage engine: little disk space left");
    }
    RETURN_IF_ERROR(engine_.WriteTo(*content_, batch));
    unflushed_bytes_ += batch.bytes();
    if (unflushed_bytes_ < kUnflushedBytesMax) return absl::OkStatus();
    unflushed_bytes_ = 0;
    const auto began = steady_clock::now();
    RETURN_IF_ERROR(engine_.FlushHandles(content_->all()));
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(
        (steady_clock::now() - began) * kRestPerFlush, kRestMax));
    return absl::OkStatus();
  }
  absl::Status Commit() override;

 private:
  absl::Status Point();
  static void DropContent(const Families& families) {
    const absl::Status status = families.Drop();
    if (!status.ok()) LOG_WARN("failed to drop what was replaced", {"error", status});
  }

  RocksEngine& engine_;
  const std::shared_ptr<const Families> content_;
  std::size_t unflushed_bytes_ = 0;
  bool committed_ = false;
};

absl::Status RocksReplacement::Commit() {
  RETURN_IF_ERROR(engine_.FlushHandles(content_->all()));
  committed_ = true;
  const std::shared_ptr<const Families> old = engine_.families();
  engine_.SwapFamilies(content_);
  RETURN_IF_ERROR(Point());
  DropContent(*old);
  engine_.oldest_unflushed_.store(0);
  engine_.health_->Wake();  // sizes
  return absl::OkStatus();
}

// The step that counts. The default family is cleared of what generation 0 had there.
absl::Status RocksReplacement::Point() {
  rocksdb::ColumnFamilyHandle* const root = engine_.db_->DefaultColumnFamily();
  rocksdb::WriteBatch batch;
  RETURN_IF_ERROR(ToStatus(batch.DeleteRange(root, "", kGenerationKey)));
  RETURN_IF_ERROR(
      ToStatus(batch.Put(root, kGenerationKey, std::to_string(content_->generation()))));
  // The new content is in place and cannot be taken back, so a full disk is waited for.
  const auto until_room = [](auto action) {
    absl::Status status = action();
    while (status.code() == absl::StatusCode::kResourceExhausted) {
      std::this_thread::sleep_for(kSpacePoll);
      status = action();
    }
    return status;
  };
  RETURN_IF_ERROR(until_room([&] { return engine_.WriteRaw(batch); }));
  return until_room([&] { return engine_.FlushHandles({root}); });
}

absl::StatusOr<std::unique_ptr<Replacement>> RocksEngine::StartReplacement() {
  if (replacing_.exchange(true)) {
    return base::MakeStatus(absl::StatusCode::kFailedPrecondition,
                            "the content of the engine is being replaced already");
  }
  auto content = maker_.Create(*db_, last_generation_.fetch_add(1) + 1);
  if (!content.ok()) {
    replacing_.store(false);
    return content.status();
  }
  return std::unique_ptr<Replacement>(
      std::make_unique<RocksReplacement>(*this, std::move(*content)));
}

}  // namespace etcd::engine
