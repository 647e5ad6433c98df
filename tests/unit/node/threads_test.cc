// The same member on real threads and real files.
#include <atomic>
#include <condition_variable>
#include <etcdserverpb/raft_internal.pb.h>
#include <filesystem>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "server/base/thread_executor.h"
#include "server/node/member.h"
#include "server/storage/engine/mem_engine.h"
#include "tests/support/sim_member.h"

namespace etcd::node {
namespace {

// Counts down to zero, then lets Wait return.
class Latch {
 public:
  explicit Latch(int count) : count_(count) {}
  void Hit() {
    const std::lock_guard lock(mu_);
    if (--count_ == 0) done_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mu_);
    done_.wait(lock, [&] { return count_ <= 0; });
  }

 private:
  std::mutex mu_;
  std::condition_variable done_;
  int count_;
};

class ThreadedMember : public ::testing::Test {
 protected:
  ThreadedMember() {
    std::string path = std::filesystem::temp_directory_path() / "etcd-node-XXXXXX";
    dir_ = mkdtemp(path.data());
    Boot();
  }
  ~ThreadedMember() override {
    Shutdown();
    std::filesystem::remove_all(dir_);
  }

  void Boot() {
    MemberOptions options = testing::SimMember::DefaultOptions();
    options.wal_dir = dir_ + "/wal";
    options.snap_dir = dir_ + "/snap";
    options.snapshot_count = 500;
    options.catchup_entries = 100;
    for (auto& executor : executors_) {
      executor = std::make_unique<base::ThreadExecutor>("test", clock_);
    }
    auto opened = OpenMember(options, {.file_system = base::PosixFileSystem(),
                                       .engine = engine_,
                                       .random = random_,
                                       .raft = *executors_[0],
                                       .apply = *executors_[1],
                                       .snapshot = *executors_[2],
                                       .compaction = *executors_[3],
                                       .lease = *executors_[4],
                                       .peers = peers_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    member_ = *std::move(opened);
    Latch ready(1);
    member_->Start([&] { ready.Hit(); });
    ready.Wait();
  }
  void StopMember() {
    Latch stopped(1);
    member_->Stop([&] { stopped.Hit(); });
    stopped.Wait();
  }
  void Shutdown() {
    StopMember();
    Destroy();
  }
  void Destroy() {
    for (auto& executor : executors_) executor->Stop();
    member_.reset();
  }
  void Put(int client, int i, ProposeDone done) {
    const RequestId id = member_->NextRequestId();
    etcdserverpb::InternalRaftRequest request;
    request.mutable_header()->set_id(id.value());
    request.mutable_put()->set_key(std::to_string(client) + "/" + std::to_string(i % 50));
    request.mutable_put()->set_value(std::string(100, 'v'));
    member_->Propose(id, request.SerializeAsString(), {}, std::move(done));
  }

  base::SystemClock clock_;
  std::string dir_;
  engine::MemEngine engine_;
  base::SeededRandom random_{1};
  ports::NoPeers peers_;
  std::array<std::unique_ptr<base::ThreadExecutor>, 5> executors_;
  std::unique_ptr<Member> member_;
};

TEST_F(ThreadedMember, AnswersEveryProposalOfManyThreadsOnce) {
  constexpr int kClients = 8;
  constexpr int kPuts = 300;
  Latch all(kClients * kPuts);
  std::atomic<int> failed{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0; i < kPuts; ++i) {
        Latch one(i % 7 == 0 ? 1 : 0);  // closed loop now and then, else pipelined
        Put(c, i, [&, waits = i % 7 == 0](apply::Result result) {
          if (!result.status.ok()) ++failed;
          if (waits) one.Hit();
          all.Hit();
        });
        one.Wait();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  all.Wait();
  EXPECT_EQ(failed.load(), 0);
  EXPECT_EQ(member_->store().current_revision(), Revision(1 + kClients * kPuts));
  const Revision revision = member_->store().current_revision();
  Shutdown();
  Boot();
  EXPECT_EQ(member_->store().current_revision(), revision);
}

TEST_F(ThreadedMember, AReadAfterAnAnswerSeesTheWrite) {
  for (int i = 0; i < 200; ++i) {
    Latch one(1);
    Revision written;
    Put(0, i, [&](apply::Result result) {
      written = result.revision;
      one.Hit();
    });
    one.Wait();
    Latch read(1);
    member_->ReadIndex([&](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      read.Hit();
    });
    read.Wait();
    EXPECT_GE(member_->store().current_revision(), written);
  }
}

TEST_F(ThreadedMember, StopAnswersWhatIsInFlight) {
  constexpr int kPuts = 500;
  Latch all(kPuts);
  std::thread client([&] {
    for (int i = 0; i < kPuts; ++i) {
      Put(1, i, [&](const apply::Result&) { all.Hit(); });
    }
  });
  StopMember();
  client.join();
  all.Wait();
  Destroy();
  Boot();
}

}  // namespace
}  // namespace etcd::node
