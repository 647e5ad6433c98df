#include "server/config/logging.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "server/base/check.h"
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
  static std::string Gunzip(const std::string& path) {
    const gzFile file = gzopen(path.c_str(), "rb");
    if (file == nullptr) return "no " + path;
    std::string text(2 << 20, '\0');
    const int bytes = gzread(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    text.resize(bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
    return text;
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
  sink->reset();  // what is left to do is done
  EXPECT_EQ(Files(), 3U) << "the file and two backups";
  EXPECT_LT(std::filesystem::file_size(dir_ + "/x.log"), 1024U * 1024);
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/x-1970-01-01T00-00-05.000.log"));
}

TEST_F(LoggingTest, BackupsAreCompressedWhenAskedFor) {
  config_.log_rotation = LogRotation{.max_megabytes = 1, .compress = true};
  const std::string big(600 * 1024, 'x');
  auto sink = OpenLogSink(config_, clock_);
  ASSERT_TRUE(sink.ok());
  for (int i = 1; i <= 3; ++i) Write(**sink, big, {}, i);
  sink->reset();
  EXPECT_EQ(Files(), 3U) << "the file and two backups";
  for (const auto name :
       {"/x-1970-01-01T00-00-02.000.log.gz", "/x-1970-01-01T00-00-03.000.log.gz"}) {
    const std::string line = Gunzip(dir_ + name);
    EXPECT_THAT(line, testing::StartsWith("{\"level\":\"warn\"")) << name;
    EXPECT_THAT(line, testing::EndsWith(big + "\"}\n")) << name;
  }
}

// The process ended between the whole copy and the removal, or in the middle of the copy.
TEST_F(LoggingTest, ACompressionThatWasCutIsFinishedAtTheNextStart) {
  config_.log_rotation = LogRotation{.max_megabytes = 1, .max_backups = 1, .compress = true};
  const std::string name = dir_ + "/x-2026-01-02T03-04-05.678.log";
  std::ofstream(name) << "old";
  std::ofstream(name + ".gz") << "half";
  std::ofstream(dir_ + "/x-2026-01-01T03-04-05.678.log.gz") << "older";
  std::ofstream(dir_ + "/x-other.log") << "not ours";
  auto sink = OpenLogSink(config_, clock_);
  ASSERT_TRUE(sink.ok());
  Write(**sink, "hello");
  sink->reset();
  EXPECT_EQ(Gunzip(name + ".gz"), "old");
  EXPECT_EQ(Read(dir_ + "/x-other.log"), "not ours");
  EXPECT_EQ(Files(), 3U) << "the file, one backup, a stranger";
}

TEST_F(LoggingTest, OldBackupsGo) {
  config_.log_rotation = LogRotation{.max_megabytes = 1, .max_days = 1};
  std::ofstream(dir_ + "/x-1970-01-01T00-00-00.000.log") << "old";
  std::ofstream(dir_ + "/x-1970-01-01T00-00-02.000.log.gz") << "young";
  auto sink = OpenLogSink(config_, clock_);
  ASSERT_TRUE(sink.ok());
  Write(**sink, "hello", {}, 24 * 3600 + 1);
  sink->reset();
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/x-1970-01-01T00-00-00.000.log"));
  EXPECT_EQ(Files(), 2U);
}

// The receiving end of systemd's journal.
class JournalSocket {
 public:
  explicit JournalSocket(const std::string& path) : fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    CHECK(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) << path;
  }
  ~JournalSocket() { close(fd_); }
  JournalSocket(const JournalSocket&) = delete;
  JournalSocket& operator=(const JournalSocket&) = delete;

  // The next entry; out of the file that came with it, if there is one.
  std::string Next() const {
    std::string bytes(1 << 16, '\0');
    iovec piece{bytes.data(), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(fd_, &message, MSG_DONTWAIT);
    if (size < 0) return "nothing came";
    bytes.resize(static_cast<std::size_t>(size));
    const cmsghdr* const head = CMSG_FIRSTHDR(&message);
    if (head == nullptr) return bytes;
    int file = -1;
    std::memcpy(&file, CMSG_DATA(head), sizeof file);
    struct stat info {};
    EXPECT_EQ(fstat(file, &info), 0);
    std::string content(static_cast<std::size_t>(info.st_size), '\0');
    EXPECT_EQ(pread(file, content.data(), content.size(), 0), info.st_size);
    EXPECT_LT(pwrite(file, "x", 1, 0), 0) << "sealed";
    close(file);
    return content;
  }

 private:
  const int fd_;
};

TEST_F(LoggingTest, TheJournalGetsEachLineWithItsFields) {
  const std::string path = dir_ + "/journal";
  const JournalSocket journal(path);
  config_.log_outputs = {"systemd/journal"};
  auto sink = OpenLogSink(config_, clock_, path);
  ASSERT_TRUE(sink.ok()) << sink.status();
  Write(**sink, "hello");
  EXPECT_THAT(journal.Next(),
              testing::MatchesRegex("PRIORITY=4\nPACKAGE=config\nSYSLOG_IDENTIFIER=config_test\n"
                                    "MESSAGE=\\{\"level\":\"warn\".*\"msg\":\"hello\"\\}\n"));
  // A message of the console form may hold a newline.
  config_.log_format = "console";
  auto console = OpenLogSink(config_, clock_, path);
  ASSERT_TRUE(console.ok());
  Write(**console, "a\nb");
  const std::string entry = journal.Next();
  const std::size_t at = entry.find("MESSAGE\n");
  ASSERT_NE(at, std::string::npos) << entry;
  const std::string rest = entry.substr(at + 8);
  ASSERT_GT(rest.size(), 9U);
  EXPECT_EQ(static_cast<std::size_t>(static_cast<unsigned char>(rest[0])), rest.size() - 9);
  EXPECT_THAT(rest, testing::EndsWith("\ta\nb\n"));
}

TEST_F(LoggingTest, ALineTooLongForADatagramTravelsAsAFile) {
  const std::string path = dir_ + "/journal";
  const JournalSocket journal(path);
  config_.log_outputs = {"systemd/journal"};
  auto sink = OpenLogSink(config_, clock_, path);
  ASSERT_TRUE(sink.ok());
  const std::string big(8 << 20, 'x');
  Write(**sink, big);
  const std::string entry = journal.Next();
  EXPECT_THAT(entry, testing::StartsWith("PRIORITY=4\n"));
  EXPECT_THAT(entry, testing::EndsWith(big + "\"}\n"));
}

TEST_F(LoggingTest, WithoutAJournalTheStartFails) {
  config_.log_outputs = {"systemd/journal"};
  const auto sink = OpenLogSink(config_, clock_, dir_ + "/journal");
  EXPECT_EQ(sink.status().message(), "can't find journal (dial unixgram " + dir_ +
                                         "/journal: connect: no such file or directory)");
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
