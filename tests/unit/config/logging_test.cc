#include "server/config/logging.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/config/log_sampler.h"

namespace etcd::config {
namespace {

class ManualClock final : public base::Clock {
 public:
  Monotonic Now() const override { return now; }
  Wall WallNow() const override { return {}; }
  Monotonic now{std::chrono::hours(1)};
};

class LoggingTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/logging-test-XXXXXX";
    dir_ = mkdtemp(pattern);
    config_.log_outputs = {dir_ + "/x.log"};
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  static void Write(base::LogSink& sink, std::string_view message,
                    const std::vector<base::LogField>& fields = {}, int at_second = 0) {
    sink.Write({base::LogLevel::kWarn, base::Clock::Wall(std::chrono::seconds(at_second)),
                std::source_location::current(), message, fields});
  }
  static std::string Read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  std::size_t Files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(dir_), {}));
  }

  std::string dir_;
  Config config_;
  ManualClock clock_;
};

TEST_F(LoggingTest, AFileGetsJsonLines) {
  auto sink = OpenLogSink(config_, clock_);
  ASSERT_TRUE(sink.ok());
  Write(**sink, "hello", {{"n", 1}});
  const std::string text = Read(dir_ + "/x.log");
  EXPECT_THAT(text, testing::StartsWith("{\"level\":\"warn\",\"ts\":\""));
  EXPECT_THAT(text, testing::EndsWith("\"msg\":\"hello\",\"n\":1}\n"));
}

TEST_F(LoggingTest, ConsoleLinesAreTabSeparatedWithFieldsOnlyWhenThereAreAny) {
  config_.log_format = "console";
  auto sink = OpenLogSink(config_, clock_);
  ASSERT_TRUE(sink.ok());
  Write(**sink, "plain");
  Write(**sink, "full", {{"a", "b"}, {"n", 1}});
  EXPECT_THAT(Read(dir_ + "/x.log"),
              testing::MatchesRegex("[^\t]*\twarn\t[^\t]*logging_test.cc:[0-9]+\tplain\n"
                                    "[^\t]*\twarn\t[^\t]*\tfull\t\\{\"a\": \"b\", \"n\": 1\\}\n"));
}

TEST_F(LoggingTest, DevNullAnywhereSilencesAll) {
  config_.log_outputs = {dir_ + "/x.log", "/dev/null"};
  auto sink = OpenLogSink(config_, clock_);
  ASSERT_TRUE(sink.ok());
  Write(**sink, "hello");
  EXPECT_EQ(Files(), 0U);
}

TEST_F(LoggingTest, AFullFileIsRenamedAndOldBackupsGo) {
  config_.log_rotation = LogRotation{.max_megabytes = 1, .max_backups = 2};
  auto sink = OpenLogSink(config_, clock_);
  ASSERT_TRUE(sink.ok());
  const std::string big(600 * 1024, 'x');
  for (int i = 1; i <= 5; ++i) Write(**sink, big, {}, i);
  EXPECT_EQ(Files(), 3U) << "the file and two backups";
  EXPECT_LT(std::filesystem::file_size(dir_ + "/x.log"), 1024U * 1024);
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/x-1970-01-01T00-00-05.000.log"));
}

TEST_F(LoggingTest, AnUnwritablePathIsAnError) {
  config_.log_outputs = {dir_ + "/no/x.log"};
  EXPECT_FALSE(OpenLogSink(config_, clock_).ok());
}

TEST_F(LoggingTest, TheLevelFilters) {
  config_.log_level = "error";
  EXPECT_EQ(LogLevelOf(config_), base::LogLevel::kError);
  config_.log_level = "panic";
  EXPECT_EQ(LogLevelOf(config_), base::LogLevel::kFatal);
}

TEST(LogSampler, PassesAHundredAndThenEveryHundredthUntilTheSecondIsOver) {
  LogSampler sampler;
  const base::Clock::Monotonic start(std::chrono::hours(1));
  int passed = 0;
  for (int i = 0; i < 350; ++i) passed += sampler.Admit(base::LogLevel::kInfo, "m", start) ? 1 : 0;
  EXPECT_EQ(passed, 102);
  EXPECT_TRUE(sampler.Admit(base::LogLevel::kInfo, "m", start + std::chrono::seconds(1)));
}

}  // namespace
}  // namespace etcd::config
