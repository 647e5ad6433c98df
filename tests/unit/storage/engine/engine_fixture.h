#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/storage/engine/mem_engine.h"

// One handle on each kind of engine, with crash and full disk.
namespace etcd::engine {

enum class EngineKind { kMem };

inline std::vector<EngineKind> AllEngines() { return {EngineKind::kMem}; }
inline std::string NameOf(EngineKind) { return "Mem"; }

class EngineFixture {
 public:
  explicit EngineFixture(EngineKind kind) : kind_(kind) { Reset(); }

  KvEngine& engine() { return *mem_; }
  void Reset() { mem_ = std::make_unique<MemEngine>(); }
  // Power cut: what was not durable is lost.
  void CrashAndReopen(std::uint64_t seed) { mem_->Crash(seed); }
  void SetDiskFull(bool full) { mem_->SetFull(full); }

  template <typename Condition>
  bool WaitUntil(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

 private:
  const EngineKind kind_;
  std::unique_ptr<MemEngine> mem_;
};

}  // namespace etcd::engine
