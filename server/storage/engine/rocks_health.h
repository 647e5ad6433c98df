#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include <absl/status/status.h>
#include <rocksdb/listener.h>
#include <rocksdb/status.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/storage/engine/space_wait_fs.h"

// Private to the folder: RocksDB's errors.
namespace etcd::engine {

// RocksDB's errors become ours here only. Its texts name the file and the reason.
absl::Status ToStatus(const rocksdb::Status& status);

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
absl::Status ToReadStatus(const rocksdb::Status& status, Health& health);

}  // namespace etcd::engine
