#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/main/data_guard.h"
#include "operator/main/flags.h"
#include "operator/main/http_endpoint.h"
#include "server/base/status.h"

namespace etcd::op {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string ErrorOf(const std::vector<std::string>& words) {
  return std::string(base::MessageOf(ParseFlags(words).status()));
}

TEST(Flags, AreThoseThatTheChartPasses) {
  const auto flags =
      ParseFlags({"--operator-image=op:1", "--server-image=etcd:1", "--watch-namespaces=a,b",
                  "--lease-duration=30s", "--lease-renew-deadline=20s", "--lease-retry-period=4s",
                  "--lease-name=x", "--workers=3", "--log-level=warn", "--log-format=json",
                  "--cluster-domain=d.local", "--health-address=:8081", "--metrics-address="});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_THAT(flags->watch_namespaces, ElementsAre("a", "b"));
  EXPECT_EQ(flags->lease_duration, std::chrono::seconds(30));
  EXPECT_EQ(flags->workers, 3);
  EXPECT_EQ(flags->metrics_address, "");
}

TEST(Flags, SayWhatToWrite) {
  EXPECT_THAT(ErrorOf({"--workers=none", "--server-image=a"}), HasSubstr("a number from 1"));
  EXPECT_THAT(ErrorOf({"--log-format=xml", "--server-image=a"}), HasSubstr("json, console"));
  EXPECT_THAT(ErrorOf({"--lease-duration=x"}), HasSubstr("a duration such as 15s"));
  EXPECT_THAT(ErrorOf({"--nothing=1"}), HasSubstr("unknown flag --nothing"));
  EXPECT_THAT(ErrorOf({"word"}), HasSubstr("unexpected word"));
  EXPECT_THAT(ErrorOf({}), HasSubstr("--server-image is needed"));
  EXPECT_THAT(ErrorOf({"--server-image=a"}), HasSubstr("--operator-image is needed"));
  EXPECT_THAT(ErrorOf({"--server-image=a", "--operator-image=o", "--lease-duration=5s"}),
              HasSubstr("must be below --lease-duration"));
}

TEST(Flags, FindTheClusterDomain) {
  EXPECT_EQ(ClusterDomainOf("search ops.svc.k.example svc.k.example k.example\nnameserver 1\n"),
            "k.example");
  EXPECT_EQ(ClusterDomainOf("nameserver 1\n"), "cluster.local");
}

void Connect(int fd, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const void* const generic = &address;
  EXPECT_EQ(connect(fd, static_cast<const sockaddr*>(generic), sizeof address), 0);
}

// What the endpoint answers to these bytes, until it closes.
std::string Exchange(int port, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Connect(fd, port);
  EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(fd);
  return answer;
}

struct Endpoint : ::testing::Test {
  std::unique_ptr<HttpEndpoint> endpoint = *HttpEndpoint::Listen(
      "127.0.0.1:0", [](const std::string& path) { return Page{.body = "at " + path}; });
};

TEST_F(Endpoint, AnswersGet) {
  const std::string answer =
      Exchange(endpoint->port(), "GET /healthz?verbose HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 11\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nat /healthz"));
}

TEST_F(Endpoint, RefusesOtherMethods) {
  EXPECT_THAT(Exchange(endpoint->port(), "POST / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 405"));
}

TEST_F(Endpoint, IsNotHeldUpByRequestsThatAreTooLong) {
  EXPECT_THAT(Exchange(endpoint->port(), "GET /" + std::string(10000, 'x')), IsEmpty());
  EXPECT_THAT(Exchange(endpoint->port(), "GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST(EndpointOfBothFamilies, IsWhatAPortAloneMeans) {
  const auto endpoint = HttpEndpoint::Listen(":0", [](const std::string&) { return Page{}; });
  ASSERT_TRUE(endpoint.ok());
  EXPECT_THAT(Exchange((*endpoint)->port(), "GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;  // a machine without IPv6
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<std::uint16_t>((*endpoint)->port()));
  address.sin6_addr = in6addr_loopback;
  const void* const generic = &address;
  const int result = connect(fd, static_cast<const sockaddr*>(generic), sizeof address);
  EXPECT_TRUE(result == 0 || errno == EADDRNOTAVAIL || errno == ENETUNREACH) << errno;
  close(fd);
}

TEST_F(Endpoint, RestsWhileThereAreNoDescriptors) {
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int next = dup(client);
  close(next);
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  const rlimit none{static_cast<rlim_t>(next), old.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const auto used = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  const auto before = used();
  Connect(client, endpoint->port());
  constexpr std::string_view kRequest = "GET / HTTP/1.0\r\n\r\n";
  EXPECT_EQ(send(client, kRequest.data(), kRequest.size(), 0), std::ssize(kRequest));
  pollfd one{client, POLLIN, 0};
  EXPECT_EQ(poll(&one, 1, 500), 0) << "accepted all the same";
  EXPECT_LT(used() - before, std::chrono::milliseconds(200));
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_EQ(poll(&one, 1, 60'000), 1);
  close(client);
}

TEST_F(Endpoint, SaysWhatIsWrongWithAnAddress) {
  EXPECT_FALSE(HttpEndpoint::Listen("8081", nullptr).ok());
  EXPECT_FALSE(HttpEndpoint::Listen("127.0.0.1:" + std::to_string(endpoint->port()), nullptr).ok());
}

TEST(DataGuard, WantsALog) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("guard-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder / "member" / "wal");
  std::error_code error;
  EXPECT_EQ(FindLog(folder, error), LogState::kMissing);
  std::ofstream(folder / "member" / "wal" / "0.tmp") << "x";
  EXPECT_EQ(FindLog(folder, error), LogState::kMissing);
  std::ofstream(folder / "member" / "wal" / "0000000000000000-0000000000000000.wal") << "x";
  EXPECT_EQ(FindLog(folder, error), LogState::kPresent);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(FindLog(folder, error), LogState::kMissing);
}

// Whoever may not read, or reads a broken disk, must not say that the data are gone.
TEST(DataGuard, TellsAnErrorFromAnEmptyVolume) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("guard-error-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder / "member");
  std::ofstream(folder / "member" / "wal") << "a file";
  std::error_code error;
  EXPECT_EQ(FindLog(folder, error), LogState::kUnreadable);
  EXPECT_EQ(error, std::errc::not_a_directory);
  std::filesystem::remove(folder / "member" / "wal");
  std::filesystem::create_directory_symlink("wal", folder / "member" / "wal");
  EXPECT_EQ(FindLog(folder, error), LogState::kUnreadable);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace etcd::op
