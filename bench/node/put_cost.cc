// What a put costs below the transport: raft, log, apply and RocksDB on real threads and files.
//   bench_node <directory> [clients] [puts] [value bytes]
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <sys/resource.h>
#include <vector>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/log.h"
#include "server/base/thread_executor.h"
#include "server/node/member.h"
#include "server/storage/engine/rocks_engine.h"

namespace {

using namespace etcd;  // NOLINT(google-build-using-namespace): a program of one file

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// InternalRaftRequest {4 put {1 key, 2 value}, 100 header {1 ID}}.
std::string EncodePut(RequestId id, int i, const std::string& value) {
  std::string put;
  base::AppendBytesField(put, 1, "key/" + std::to_string(i % 100'000));
  base::AppendBytesField(put, 2, value);
  std::string header;
  base::AppendVarintField(header, 1, id.value());
  std::string out;
  base::AppendMessageField(out, 4, put);
  base::AppendMessageField(out, 100, header);
  return out;
}

// Keeps `clients` proposals in flight until `puts` are answered.
class Load {
 public:
  Load(node::Member& member, int puts, std::string value)
      : member_(member), puts_(puts), value_(std::move(value)) {}

  void Run(int clients) {
    for (int i = 0; i < clients; ++i) Next();
    std::unique_lock lock(mu_);
    done_.wait(lock, [&] { return answered_ == puts_; });
  }
  int failed() const { return failed_; }

 private:
  void Next() {
    int i = 0;
    {
      const std::lock_guard lock(mu_);
      if (started_ == puts_) return;
      i = started_++;
    }
    const RequestId id = member_.NextRequestId();
    member_.Propose(id, EncodePut(id, i, value_), {}, [this](const apply::Result& result) {
      {
        const std::lock_guard lock(mu_);
        if (!result.status.ok()) ++failed_;
        if (++answered_ == puts_) done_.notify_all();
      }
      Next();
    });
  }

  node::Member& member_;
  const int puts_;
  const std::string value_;
  std::mutex mu_;
  std::condition_variable done_;
  int started_ = 0;
  int answered_ = 0;
  int failed_ = 0;
};

void Measure(node::Member& member, int clients, int puts, std::size_t value_bytes) {
  Load load(member, puts, std::string(value_bytes, 'v'));
  const auto start = std::chrono::steady_clock::now();
  const double cpu = CpuSeconds();
  load.Run(clients);
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::cout << clients << " clients: " << static_cast<double>(puts) / wall << " puts/s, "
            << wall / puts * 1e6 * clients << " us latency (mean), "
            << (CpuSeconds() - cpu) / puts * 1e6 << " us CPU per put, " << load.failed()
            << " failed\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: bench_node <directory> [clients] [puts] [value bytes]\n";
    return 2;
  }
  const std::string dir = argv[1];
  const int clients = argc > 2 ? std::atoi(argv[2]) : 64;
  const int puts = argc > 3 ? std::atoi(argv[3]) : 100'000;
  const auto value_bytes = static_cast<std::size_t>(argc > 4 ? std::atoi(argv[4]) : 256);
  std::filesystem::create_directories(dir + "/member");

  base::SystemClock clock;
  base::SetLogLevel(base::LogLevel::kWarn);
  std::vector<std::unique_ptr<base::ThreadExecutor>> executors;
  for (const char* name : {"raft", "apply", "snapshot", "compaction", "lease"}) {
    executors.push_back(std::make_unique<base::ThreadExecutor>(name, clock));
  }
  auto engine = engine::OpenRocksEngine(dir + "/member/rocksdb", {});
  base::SeededRandom random(1);
  ports::NoPeers peers;
  node::MemberOptions options;
  options.initial_cluster = {{"default", {"http://localhost:2380"}}};
  options.wal_dir = dir + "/member/wal";
  options.snap_dir = dir + "/member/snap";
  auto member = node::OpenMember(options, {.file_system = base::PosixFileSystem(),
                                           .engine = **engine,
                                           .random = random,
                                           .raft = *executors[0],
                                           .apply = *executors[1],
                                           .snapshot = *executors[2],
                                           .compaction = *executors[3],
                                           .lease = *executors[4],
                                           .peers = peers});
  CHECK(member.ok()) << member.status();
  std::mutex mu;
  std::condition_variable changed;
  bool flag = false;
  const auto set = [&] {
    const std::lock_guard lock(mu);
    flag = true;
    changed.notify_all();
  };
  const auto wait = [&] {
    std::unique_lock lock(mu);
    changed.wait(lock, [&] { return flag; });
    flag = false;
  };
  (*member)->Start(set);
  wait();
  Measure(**member, 1, puts / 20, value_bytes);
  Measure(**member, clients, puts, value_bytes);
  (*member)->Stop(set);
  wait();
  for (auto& executor : executors) executor->Stop();
  return 0;
}
