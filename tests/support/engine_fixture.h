#pragma once

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/storage/engine/mem_engine.h"
#include "server/storage/engine/rocks_engine.h"
#include "tests/support/faulty_rocks_fs.h"
#include "tests/support/temp_dir.h"

namespace etcd::testing {

enum class EngineKind { kMem, kRocks };

inline std::vector<EngineKind> AllEngines() { return {EngineKind::kMem, EngineKind::kRocks}; }
inline std::string NameOf(EngineKind kind) { return kind == EngineKind::kMem ? "Mem" : "Rocks"; }

// One handle on each kind of engine, with power cut and full disk.
class EngineFixture {
 public:
  explicit EngineFixture(EngineKind kind, engine::RocksOptions options = {})
      : kind_(kind), options_(std::move(options)) {
    Reset();
  }
  ~EngineFixture() { Close(); }
  EngineFixture(const EngineFixture&) = delete;
  EngineFixture& operator=(const EngineFixture&) = delete;

  engine::KvEngine& engine() { return kind_ == EngineKind::kMem ? *mem_ : *rocks_; }
  FaultyRocksFs& fs() { return *fs_; }
  const std::string& path() const { return dir_->path(); }

  // An empty engine.
  void Reset() {
    Close();
    if (kind_ == EngineKind::kMem) {
      mem_ = std::make_unique<engine::MemEngine>();
      return;
    }
    dir_ = std::make_unique<TempDir>();
    fs_ = std::make_shared<FaultyRocksFs>();
    Open();
  }
  // A clean stop and start.
  void Reopen() {
    if (kind_ == EngineKind::kMem) return;
    const absl::Status flushed = rocks_->Flush();
    if (!flushed.ok()) std::cerr << flushed << "\n";
    Close();
    Open();
  }
  // Power cut: what was not durable is lost. The seed matters to the memory engine only.
  void CrashAndReopen(std::uint64_t seed) {
    if (kind_ == EngineKind::kMem) {
      mem_->Crash(seed);
      return;
    }
    fs_->Freeze();
    rocks_.reset();
    fs_->LoseUnsynced();
    fs_->Thaw();
    Open();
  }
  void SetDiskFull(bool full) {
    if (kind_ == EngineKind::kMem) {
      mem_->SetFull(full);
    } else {
      fs_->SetFull(full);
    }
  }
  absl::StatusOr<std::unique_ptr<engine::KvEngine>> TryOpen() {
    engine::RocksOptions options = options_;
    options.file_system = fs_;
    options.watch_interval = std::chrono::milliseconds(10);
    options.flush_on_close = false;  // Reopen does it; a power cut must not
    return engine::OpenRocksEngine(dir_->path(), std::move(options));
  }
  void Close() { rocks_.reset(); }

  template <typename Condition>
  static bool WaitUntil(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

 private:
  void Open() {
    auto opened = TryOpen();
    if (!opened.ok()) {
      std::cerr << opened.status() << "\n";
      std::abort();
    }
    rocks_ = std::move(*opened);
  }

  const EngineKind kind_;
  const engine::RocksOptions options_;
  std::unique_ptr<engine::MemEngine> mem_;
  std::unique_ptr<TempDir> dir_;
  std::shared_ptr<FaultyRocksFs> fs_;
  std::unique_ptr<engine::KvEngine> rocks_;
};

}  // namespace etcd::testing
