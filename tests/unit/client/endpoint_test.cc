#include "client/internal/endpoint.h"

#include <string>

#include <gtest/gtest.h>

namespace etcd::client::internal {
namespace {

std::string Target(std::string_view endpoint) {
  const auto target = TargetOf(endpoint);
  return target.ok() ? *target : std::string(absl::StatusCodeToString(target.status().code()));
}

TEST(EndpointText, HostsAndAddressesBecomeNamesToResolve) {
  EXPECT_EQ(Target("http://m0.c-peer.n.svc:2379"), "dns:///m0.c-peer.n.svc:2379");
  EXPECT_EQ(Target("m0:2379"), "dns:///m0:2379");
  EXPECT_EQ(Target("http://127.0.0.1:2379"), "dns:///127.0.0.1:2379");
  EXPECT_EQ(Target("http://127.0.0.1:2379/"), "dns:///127.0.0.1:2379");
  EXPECT_EQ(Target("http://[::1]:2379"), "dns:///%5B::1%5D:2379");
}

TEST(EndpointText, SocketsHaveAbsolutePaths) {
  EXPECT_EQ(Target("unix:///run/etcd.sock"), "unix:///run/etcd.sock");
  EXPECT_EQ(Target("unix://etcd.sock"), "INVALID_ARGUMENT");
}

TEST(EndpointText, TlsIsRefusedAndNotIgnored) {
  EXPECT_EQ(Target("https://m0:2379"), "UNIMPLEMENTED");
  EXPECT_EQ(Target("unixs:///run/etcd.sock"), "UNIMPLEMENTED");
}

TEST(EndpointText, WhatIsNoEndpointIsRefused) {
  for (const char* endpoint : {"",
                               "m0",
                               "m0:",
                               ":2379",
                               "m0:0",
                               "m0:65536",
                               "m0:+1",
                               "m0:2379x",
                               "http://",
                               "http://m0",
                               "http://m0:2379/v3",
                               "http://u@m0:2379",
                               "http://m0:2379?a=b",
                               "http://::1:2379",
                               "http://[::1:2379",
                               "http://[]:2379",
                               "ftp://m0:2379",
                               "HTTP://m0:2379",
                               "http://m 0:2379",
                               "http://m0\n:2379",
                               "dns:///m0:2379"}) {
    EXPECT_EQ(Target(endpoint), "INVALID_ARGUMENT") << endpoint;
  }
}

}  // namespace
}  // namespace etcd::client::internal
