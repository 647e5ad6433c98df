// Costs of the store on the disk engine: ns per operation, wall and CPU. Not a test.
//   mvcc_bench [keys=1000000] [directory]

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include "server/base/check.h"
#include "server/base/random.h"
#include "server/base/thread_executor.h"
#include "server/storage/engine/rocks_engine.h"
#include "server/storage/mvcc/key_index.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/store.h"

namespace etcd {
namespace {

using std::chrono::steady_clock;

constexpr mvcc::KeyRange kAll{std::string_view("\0", 1), std::string_view("\0", 1)};

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}
double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}
double AnonymousMegabytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  double kilobytes = 0;
  while (status >> word) {
    if (word == "RssAnon:") status >> kilobytes;
  }
  return kilobytes / 1024;
}

// Runs `body` and prints its cost divided by `operations`.
void Measure(const char* name, std::size_t operations, const std::function<void()>& body) {
  const double cpu = CpuSeconds();
  const auto start = steady_clock::now();
  body();
  const std::chrono::duration<double> wall = steady_clock::now() - start;
  const double each = 1e6 / static_cast<double>(operations);
  std::printf("%-34s %10.3f us wall %10.3f us cpu  (x %zu)  anon %.0f MB\n", name,
              wall.count() * each, (CpuSeconds() - cpu) * each, operations, AnonymousMegabytes());
  std::fflush(stdout);
}

// 48 bytes, in the style of a Kubernetes key.
std::string KeyOf(std::uint64_t n) {
  char text[64];
  std::snprintf(text, sizeof text, "/registry/pods/ns-%03llu/pod-%022llu",
                static_cast<unsigned long long>(n % 997), static_cast<unsigned long long>(n));
  return std::string(text).substr(0, 48);
}

class Bench {
 public:
  Bench(std::size_t keys, std::string directory)
      : keys_(keys), directory_(std::move(directory)), compaction_("compaction", clock_) {}

  void Run() {
    std::printf("empty: anon %.1f MB\n", AnonymousMegabytes());
    Open();
    std::printf("idle: anon %.1f MB\n", AnonymousMegabytes());
    Measure("put of new keys, batches of 100", keys_, [&] { Put(keys_, 100, true); });
    Reads();
    Measure("flush", 1, [&] { CHECK_OK(engine_->Flush()); });
    Measure("put over keys, batches of 100", keys_ / 2, [&] { Put(keys_ / 2, 100, false); });
    Measure("put over keys, batches of 10", keys_ / 10, [&] { Put(keys_ / 10, 10, false); });
    Measure("put over keys, batches of 1", keys_ / 10, [&] { Put(keys_ / 10, 1, false); });
    Reads();
    Measure("compaction of all of these", keys_ * 7 / 10, [&] { Compact(); });
    std::printf("index alone: see load; size %.0f MB, in use %.0f MB\n",
                static_cast<double>(engine_->Size().total) / 1e6,
                static_cast<double>(engine_->Size().in_use) / 1e6);
    Close();
    Measure("open of the engine", 1, [&] { OpenEngine(); });
    Measure("load of the index", 1, [&] { OpenStore(); });
    Reads();
    Close();
  }

 private:
  void OpenEngine() {
    auto opened = engine::OpenRocksEngine(directory_, {});
    CHECK_OK(opened.status());
    engine_ = std::move(*opened);
  }
  void OpenStore() {
    auto store = mvcc::OpenStore(*engine_, compaction_, {.compaction_sleep_interval = {}});
    CHECK_OK(store.status());
    store_ = std::move(*store);
    store_->StartCompaction();
  }
  void Open() {
    OpenEngine();
    OpenStore();
  }
  void Close() {
    store_->Stop();
    store_.reset();
    engine_.reset();
  }

  void Put(std::size_t count, std::size_t batch_size, bool fresh) {
    const std::string value(256, 'v');
    for (std::size_t done = 0; done < count;) {
      engine::WriteBatch batch;
      store_->BeginBatch(batch);
      for (std::size_t i = 0; i < batch_size; ++i, ++done) {
        const std::uint64_t n = fresh ? (done * 2654435761U) % keys_ : random_.Below(keys_);
        store_->BeginTxn()->Put(KeyOf(n), value, {});
      }
      store_->SealBatch();
      CHECK_OK(engine_->Write(batch));
      store_->Publish();
    }
  }

  void Reads() {
    constexpr std::size_t kGets = 100'000;
    std::size_t bytes = 0;
    const auto take = [&bytes](std::size_t, std::string_view stored) { bytes += stored.size(); };
    for (const char* name : {"point get (cold cache)", "point get"}) {
      Measure(name, kGets, [&] {
        base::SeededRandom same(3);
        for (std::size_t i = 0; i < kGets; ++i) {
          const std::string key = KeyOf(same.Below(std::min<std::size_t>(keys_, 100'000)));
          const auto result = store_->Range({.range = {key, ""}});
          CHECK_OK(store_->Fetch(result->refs, take));
        }
      });
    }
    Measure("point lookup in the index only", kGets, [&] {
      for (std::size_t i = 0; i < kGets; ++i) {
        CHECK(store_->Range({.range = {KeyOf(random_.Below(keys_)), ""}}).ok());
      }
    });
    Measure("count of all", 1000, [&] {
      for (int i = 0; i < 1000; ++i) {
        CHECK(store_->Range({.range = kAll, .count_only = true})->count > 0);
      }
    });
    Measure("page of 500, with values", 200, [&] {
      for (int i = 0; i < 200; ++i) {
        const std::string from = KeyOf(random_.Below(keys_));
        const auto page = store_->Range({.range = {from, std::string_view("\0", 1)}, .limit = 500});
        CHECK_OK(store_->Fetch(page->refs, take));
      }
    });
    Measure("page of 500, index only", 200, [&] {
      for (int i = 0; i < 200; ++i) {
        const std::string from = KeyOf(random_.Below(keys_));
        CHECK(store_->Range({.range = {from, std::string_view("\0", 1)}, .limit = 500}).ok());
      }
    });
  }

  void Compact() {
    engine::WriteBatch batch;
    store_->BeginBatch(batch);
    CHECK_OK(store_->Compact(store_->current_revision()));
    store_->SealBatch();
    CHECK_OK(engine_->Write(batch));
    store_->Publish();
    std::atomic<bool> finished{false};
    store_->WhenCompacted(store_->compact_revision(), [&] { finished = true; });
    while (!finished) usleep(1000);
  }

  const std::size_t keys_;
  const std::string directory_;
  const base::SystemClock clock_;
  base::ThreadExecutor compaction_;
  base::SeededRandom random_{1};
  std::unique_ptr<engine::KvEngine> engine_;
  std::unique_ptr<mvcc::Store> store_;
};

}  // namespace
}  // namespace etcd

int main(int argc, char** argv) {
  const std::size_t keys = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000'000;
  const std::string directory = argc > 2 ? argv[2] : "/tmp/mvcc_bench." + std::to_string(getpid());
  etcd::Bench(keys, directory).Run();
  if (argc <= 2) std::filesystem::remove_all(directory);
  return 0;
}
