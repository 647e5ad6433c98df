#include "server/net/address.h"

#include <arpa/inet.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::net {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Closes what Bind and BeginConnect gave.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  const int number_;
};

Endpoint Tcp(std::string host, std::string port) { return {std::move(host), std::move(port), {}}; }

std::string UnixPath(const std::string& name) {
  return ::testing::TempDir() + "/net_" + std::to_string(::getpid()) + "_" + name;
}

absl::Status AwaitConnect(int descriptor) {
  pollfd entry{descriptor, POLLOUT, 0};
  EXPECT_EQ(::poll(&entry, 1, 20'000), 1);
  return ConnectResult(descriptor);
}

TEST(Literals, NeedNoResolver) {
  const auto v4 = LiteralAddress(Tcp("127.0.0.1", "2380"));
  ASSERT_TRUE(v4);
  EXPECT_EQ(ToText(*v4), "127.0.0.1:2380");
  const auto v6 = LiteralAddress(Tcp("::1", "2380"));
  ASSERT_TRUE(v6);
  EXPECT_EQ(ToText(*v6), "[::1]:2380");
  const auto mapped = LiteralAddress(Tcp("::ffff:10.0.0.7", "1"));
  ASSERT_TRUE(mapped);
  EXPECT_EQ(ToText(*mapped), "10.0.0.7:1");
  const auto local = LiteralAddress({{}, {}, "/tmp/x"});
  ASSERT_TRUE(local);
  EXPECT_EQ(ToText(*local), "@");
  EXPECT_FALSE(LiteralAddress(Tcp("localhost", "2380")));
}

TEST(Names, AreResolved) {
  const auto found = Resolve(Tcp("localhost", "2380"));
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(ToText(found->front()), HasSubstr("1:2380"));
  const auto none = Resolve(Tcp("no-such-host.invalid", "1"));
  EXPECT_EQ(none.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(base::MessageOf(none.status())),
              StartsWith("lookup no-such-host.invalid: "));
}

TEST(Binding, ToPort0LetsTheKernelChooseAndClientsConnect) {
  const auto bound = Bind(Tcp("127.0.0.1", "0"));
  ASSERT_TRUE(bound.ok());
  const Descriptor listening(bound->descriptor);
  ASSERT_NE(bound->port, 0);
  const auto begun = BeginConnect(*LiteralAddress(Tcp("127.0.0.1", std::to_string(bound->port))));
  ASSERT_TRUE(begun.ok());
  const Descriptor client(*begun);
  EXPECT_TRUE(AwaitConnect(*begun).ok());
}

TEST(Binding, APortInUseIsReported) {
  const auto first = Bind(Tcp("127.0.0.1", "0"));
  ASSERT_TRUE(first.ok());
  const Descriptor listening(first->descriptor);
  const std::string port = std::to_string(first->port);
  const auto second = Bind(Tcp("127.0.0.1", port));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(base::MessageOf(second.status())),
            "listen tcp 127.0.0.1:" + port + ": bind: address already in use");
  const auto everywhere = Bind(Tcp("", port));
  EXPECT_EQ(std::string(base::MessageOf(everywhere.status())),
            "listen tcp :" + port + ": bind: address already in use");
}

TEST(Binding, TakesTheIpv4AddressOfAName) {
  const auto bound = Bind(Tcp("localhost", "0"));
  ASSERT_TRUE(bound.ok());
  const Descriptor listening(bound->descriptor);
  const auto begun = BeginConnect(*LiteralAddress(Tcp("127.0.0.1", std::to_string(bound->port))));
  ASSERT_TRUE(begun.ok());
  const Descriptor client(*begun);
  EXPECT_TRUE(AwaitConnect(*begun).ok());
}

TEST(Binding, ReusePortSharesAPort) {
  const auto first = Bind(Tcp("127.0.0.1", "0"), {.reuse_port = true});
  ASSERT_TRUE(first.ok());
  const Descriptor one(first->descriptor);
  const auto second = Bind(Tcp("127.0.0.1", std::to_string(first->port)), {.reuse_port = true});
  ASSERT_TRUE(second.ok());
  const Descriptor two(second->descriptor);
  EXPECT_EQ(second->port, first->port);
}

TEST(Binding, WithoutAHostTakesEveryInterface) {
  const auto bound = Bind(Tcp("", "0"));
  ASSERT_TRUE(bound.ok());
  const Descriptor listening(bound->descriptor);
  const auto begun = BeginConnect(*LiteralAddress(Tcp("127.0.0.1", std::to_string(bound->port))));
  ASSERT_TRUE(begun.ok());
  const Descriptor client(*begun);
  EXPECT_TRUE(AwaitConnect(*begun).ok());
}

TEST(Binding, ToAUnixSocketReplacesAStaleOneAndNothingElse) {
  const std::string path = UnixPath("stale");
  {
    const auto first = Bind({{}, {}, path});
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(first->port, 0);
    const Descriptor left_behind(first->descriptor);
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  const auto second = Bind({{}, {}, path});
  ASSERT_TRUE(second.ok());
  const Descriptor listening(second->descriptor);
  ::unlink(path.c_str());

  std::ofstream(path) << "a file of somebody";
  const auto third = Bind({{}, {}, path});
  EXPECT_EQ(third.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
  ::unlink(path.c_str());
  EXPECT_EQ(Bind({{}, {}, std::string(200, 'x')}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Connecting, ARefusalIsFoundOut) {
  std::string port;
  {
    const auto bound = Bind(Tcp("127.0.0.1", "0"));
    ASSERT_TRUE(bound.ok());
    const Descriptor closed(bound->descriptor);
    port = std::to_string(bound->port);
  }
  const auto begun = BeginConnect(*LiteralAddress(Tcp("127.0.0.1", port)));
  ASSERT_TRUE(begun.ok());
  const Descriptor client(*begun);
  const absl::Status refused = AwaitConnect(*begun);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::MessageOf(refused), "connect: connection refused");
}

}  // namespace
}  // namespace etcd::net
