// What connections and a snapshot cost a process that uses the client: the operator holds a
// connection to every member of its clusters, a backup holds none of the image's bytes.
#include <chrono>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "client/client.h"
#include "tests/support/peer_etcd.h"
#include "tests/support/temp_dir.h"

namespace etcd::client {
namespace {

constexpr std::size_t kMiB = 1 << 20;

// A field of /proc/self/status in bytes: RssAnon, VmHWM.
std::size_t Memory(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::stoul(line.substr(field.size() + 1)) * 1024;
  }
  return 0;
}

// VmHWM counts from here.
void ForgetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

class MemoryTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(etcd_.Start(std::chrono::seconds(60))) << etcd_.Log(); }

  std::unique_ptr<Client> NewClient() {
    Config config;
    config.endpoints = {etcd_.client_url()};
    config.call_timeout = std::chrono::seconds(60);
    auto client = Client::Create(config);
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  testing::TempDir directory_;
  testing::PeerEtcd etcd_{ETCD_BINARY, directory_.path() + "/data"};
};

TEST_F(MemoryTest, FiftyConnectionsTakeLittle) {
  std::vector<std::unique_ptr<Client>> clients;
  clients.push_back(NewClient());
  ASSERT_TRUE(clients[0]->Status().ok());
  const std::size_t with_one = Memory("RssAnon");
  const double cpu = CpuSeconds();
  while (clients.size() < 51) {
    clients.push_back(NewClient());
    ASSERT_TRUE(clients.back()->Status().ok());
  }
  const double connected = CpuSeconds();
  for (int i = 0; i < 20; ++i) {
    for (const auto& client : clients) ASSERT_TRUE(client->Status().ok());
  }
  const std::size_t grown = Memory("RssAnon") - with_one;
  RecordProperty("bytes_per_connection", std::to_string(grown / 50));
  RecordProperty("connect_us", std::to_string((connected - cpu) * 1e6 / 50));
  RecordProperty("call_us", std::to_string((CpuSeconds() - connected) * 1e6 / 51 / 20));
  EXPECT_LT(grown, 50 * 256 * 1024);
}

TEST_F(MemoryTest, ASnapshotIsNotHeld) {
  const auto client = NewClient();
  PutRequest put;
  for (int i = 0; i < 40; ++i) {
    put.key = std::to_string(i);
    put.value = std::string(kMiB, static_cast<char>('a' + i % 26));
    const auto done = client->Put(put);
    ASSERT_TRUE(done.ok()) << done.status();
  }
  put = {};
  const std::size_t before = Memory("VmRSS");
  ForgetPeak();
  const auto summary =
      client->Snapshot([](std::string_view, std::uint64_t) { return absl::OkStatus(); }, {});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_GT(summary->size_bytes, 40 * kMiB);
  const std::size_t peak = Memory("VmHWM");
  const std::size_t extra = peak > before ? peak - before : 0;
  RecordProperty("extra_bytes", std::to_string(extra));
  EXPECT_LT(extra, 16 * kMiB);
}

}  // namespace
}  // namespace etcd::client
