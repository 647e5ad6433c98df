#include "server/base/log.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/ids.h"

namespace etcd::base {
namespace {

TEST(GoDuration, PrintsAsGoDoes) {
  using std::chrono::nanoseconds;
  EXPECT_EQ(FormatGoDuration(nanoseconds(0)), "0s");
  EXPECT_EQ(FormatGoDuration(nanoseconds(15)), "15ns");
  EXPECT_EQ(FormatGoDuration(std::chrono::microseconds(1500)), "1.5ms");
  EXPECT_EQ(FormatGoDuration(std::chrono::milliseconds(1500)), "1.5s");
  EXPECT_EQ(FormatGoDuration(std::chrono::seconds(3600)), "1h0m0s");
  EXPECT_EQ(FormatGoDuration(std::chrono::seconds(-90)), "-1m30s");
}

TEST(LogJson, HasZapsKeysInZapsOrder) {
  const std::vector<LogField> fields = {
      {"term", Term(7)}, {"name", "a\"b\n"}, {"took", std::chrono::milliseconds(5)}, {"ok", true}};
  const std::string line = FormatLogJson({LogLevel::kWarn, std::chrono::system_clock::now(),
                                          std::source_location::current(), "slow", fields});
  EXPECT_EQ(line.find(R"({"level":"warn","ts":")"), 0U);
  EXPECT_NE(line.find(R"("caller":"base/log_test.cc:)"), std::string::npos);
  EXPECT_NE(line.find(R"("msg":"slow","term":7,"name":"a\"b\n","took":"5ms","ok":true})"),
            std::string::npos)
      << line;
}

}  // namespace
}  // namespace etcd::base
