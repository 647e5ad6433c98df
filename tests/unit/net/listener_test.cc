#include "server/net/listener.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/net/running_loop.h"

namespace etcd::net {
namespace {

using ::testing::StartsWith;

// A listener whose loop closes what it accepts and remembers from whom it was.
class Listening : public RunningLoop {
 protected:
  void Open(const Endpoint& endpoint) {
    auto opened = Listener::Open(loop, endpoint);
    ASSERT_TRUE(opened.ok());
    listener = *std::move(opened);
    loop.mailbox()->Post([this] {
      listener->Start(
          [this](int descriptor, std::string peer) {
            ::close(descriptor);
            const std::lock_guard lock(mu);
            peers.push_back(std::move(peer));
          },
          [this] {
            const std::lock_guard lock(mu);
            ++asked;
            return room;
          });
    });
  }
  ~Listening() override {
    OnLoop([&] { listener = nullptr; });
  }
  // The text of the client's own address; it is closed at once.
  static std::string Connect(const Endpoint& endpoint) {
    const auto begun = BeginConnect(*LiteralAddress(endpoint));
    EXPECT_TRUE(begun.ok());
    if (!begun.ok()) return {};
    Address own;
    own.size = sizeof own.bytes;
    ::getsockname(*begun, reinterpret_cast<sockaddr*>(&own.bytes), &own.size);
    ::close(*begun);
    return ToText(own);
  }
  bool Await(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end) {
      {
        const std::lock_guard lock(mu);
        if (condition()) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // poll interval, not a wait
    }
    return false;
  }

  std::unique_ptr<Listener> listener;
  std::mutex mu;
  std::vector<std::string> peers;  // guarded by mu
  bool room = true;                // guarded by mu
  int asked = 0;                   // guarded by mu
};

TEST_F(Listening, TellsWhoConnected) {
  Open({"127.0.0.1", "0", {}});
  const std::string own = Connect({"127.0.0.1", std::to_string(listener->port()), {}});
  EXPECT_THAT(own, StartsWith("127.0.0.1:"));
  EXPECT_TRUE(Await([&] { return peers == std::vector{own}; }));
}

TEST_F(Listening, OnEveryInterfaceShowsIpv4AddressesAsSuch) {
  Open({"", "0", {}});
  const std::string own = Connect({"127.0.0.1", std::to_string(listener->port()), {}});
  EXPECT_TRUE(Await([&] { return peers == std::vector{own}; }));
}

// Who finds no room waits in the kernel, and gets in later.
TEST_F(Listening, WaitsForRoom) {
  room = false;
  Open({"127.0.0.1", "0", {}});
  Connect({"127.0.0.1", std::to_string(listener->port()), {}});
  ASSERT_TRUE(Await([&] { return asked >= 2; }));  // it tries again by itself
  {
    const std::lock_guard lock(mu);
    EXPECT_TRUE(peers.empty());
    room = true;
  }
  EXPECT_TRUE(Await([&] { return peers.size() == 1; }));
}

TEST_F(Listening, RemovesTheFileOfAUnixSocket) {
  const std::string path = ::testing::TempDir() + "/net_" + std::to_string(::getpid()) + "_listen";
  Open({{}, {}, path});
  EXPECT_EQ(listener->port(), 0);
  Connect({{}, {}, path});
  EXPECT_TRUE(Await([&] { return peers == std::vector<std::string>{"@"}; }));
  OnLoop([&] { listener->Close(); });
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace etcd::net
