#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/config/feature_gates.h"
#include "server/config/go_values.h"
#include "server/config/urls.h"

namespace etcd::config {
namespace {

std::string MessageOf(const absl::Status& status) { return std::string(base::MessageOf(status)); }

TEST(GoValues, UnsignedNumbersHaveGosForms) {
  EXPECT_EQ(*ParseGoUint("0x1F", 64), 31U);
  EXPECT_EQ(*ParseGoUint("0b101", 64), 5U);
  EXPECT_EQ(*ParseGoUint("0o17", 64), 15U);
  EXPECT_EQ(*ParseGoUint("017", 64), 15U);
  EXPECT_EQ(*ParseGoUint("0x_ff_ff", 64), 65535U);
  EXPECT_EQ(*ParseGoUint("18446744073709551615", 64), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(MessageOf(ParseGoUint("18446744073709551616", 64).status()), "value out of range");
  EXPECT_EQ(MessageOf(ParseGoUint("4294967296", 32).status()), "value out of range");
  for (const char* bad : {"", "-1", "+1", "1x", "0x", "08", "1__0", "_1", "1_"}) {
    EXPECT_EQ(MessageOf(ParseGoUint(bad, 64).status()), "parse error") << bad;
  }
}

TEST(GoValues, SignedNumbersReachBothEnds) {
  EXPECT_EQ(*ParseGoInt("-9223372036854775808", 64), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(*ParseGoInt("9223372036854775807", 64), std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(ParseGoInt("9223372036854775808", 64).ok());
  EXPECT_EQ(*ParseGoInt("-0x10", 64), -16);
}

TEST(GoValues, DurationsAddUpTheirUnits) {
  EXPECT_EQ(ParseGoDuration("1h30m")->count(), 5'400'000'000'000);
  EXPECT_EQ(ParseGoDuration("1.5s")->count(), 1'500'000'000);
  EXPECT_EQ(ParseGoDuration("-2ms")->count(), -2'000'000);
  EXPECT_EQ(ParseGoDuration(".5us")->count(), 500);
  EXPECT_EQ(ParseGoDuration("0")->count(), 0);
  EXPECT_EQ(MessageOf(ParseGoDuration("5").status()), "time: missing unit in duration \"5\"");
  EXPECT_EQ(MessageOf(ParseGoDuration("abc").status()), "time: invalid duration \"abc\"");
  EXPECT_EQ(MessageOf(ParseGoDuration("5x").status()),
            "time: unknown unit \"x\" in duration \"5x\"");
  EXPECT_FALSE(ParseGoDuration("99999999999h").ok());
  EXPECT_FALSE(ParseGoDuration("").ok());
}

TEST(Urls, ListsAreTrimmedSortedAndWithoutDuplicates) {
  EXPECT_EQ(ToText(*ParseUrlList(" http://b:2 ,http://a:1,http://b:2", false)),
            "http://a:1,http://b:2");
  EXPECT_TRUE(ParseUrlList("", true)->empty());
  EXPECT_FALSE(ParseUrlList("", false).ok());
}

TEST(Urls, UnixSocketsKeepHostAndPathJoined) {
  EXPECT_EQ(ParseUrl("unix:///tmp/x.sock")->host, "/tmp/x.sock");
  EXPECT_EQ(ParseUrl("unix://etcd.sock")->host, "etcd.sock");
  EXPECT_TRUE(ParseUrl("unixs://a")->is_tls());
}

TEST(Urls, SyntaxErrorsReadAsGos) {
  const auto message = [](std::string_view text) { return MessageOf(ParseUrl(text).status()); };
  EXPECT_EQ(message("localhost:2379"),
            "URL scheme must be http, https, unix, or unixs: localhost:2379");
  EXPECT_EQ(message("127.0.0.1:2379"),
            "parse \"127.0.0.1:2379\": first path segment in URL cannot contain colon");
  EXPECT_EQ(message("http://[::1"), "parse \"http://[::1\": missing ']' in host");
  EXPECT_EQ(message("http://a:b"), "parse \"http://a:b\": invalid port \":b\" after host");
  EXPECT_EQ(message("http://"), "URL address does not have the form \"host:port\": http://");
  EXPECT_TRUE(ParseUrl("http://[::1]:2379").ok());
  EXPECT_TRUE(ParseUrl("HTTP://a:1").ok());
}

TEST(Urls, HostAndPortAreSplitAsGoDoes) {
  EXPECT_EQ(SplitHostPort("[fe80::1]:80")->host, "fe80::1");
  EXPECT_EQ(SplitHostPort(":80")->host, "");
  EXPECT_EQ(MessageOf(SplitHostPort("a").status()), "address a: missing port in address");
  EXPECT_EQ(MessageOf(SplitHostPort("::1:80").status()),
            "address ::1:80: too many colons in address");
}

TEST(FeatureGates, StagesLeaveExplicitGatesAlone) {
  FeatureGates gates;
  ASSERT_TRUE(gates.Parse("AllAlpha=true,LeaseCheckpoint=false").ok());
  EXPECT_TRUE(gates.enabled(Gate::kCompactHashCheck));
  EXPECT_FALSE(gates.enabled(Gate::kLeaseCheckpoint));
  EXPECT_EQ(gates.ToText(), "AllAlpha=true,LeaseCheckpoint=false");
  EXPECT_TRUE(gates.enabled(Gate::kTxnModeWriteWithSharedBuffer));
}

}  // namespace
}  // namespace etcd::config
