#include "server/config/log_backups.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <zlib.h>

namespace etcd::config {
namespace {

constexpr std::string_view kCompressed = ".gz";
constexpr std::size_t kStampBytes = 23;  // 2026-01-02T15-04-05.000

std::optional<base::Clock::Wall> TimeOf(const std::string& stamp, bool local) {
  std::tm parts{};
  int millis = 0;
  int taken = 0;
  const int fields =
      std::sscanf(stamp.c_str(), "%4d-%2d-%2dT%2d-%2d-%2d.%3d%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &millis, &taken);
  if (fields != 7 || static_cast<std::size_t>(taken) != kStampBytes) return std::nullopt;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  parts.tm_isdst = -1;
  const std::time_t seconds = local ? mktime(&parts) : timegm(&parts);
  return base::Clock::Wall::clock::from_time_t(seconds) + std::chrono::milliseconds(millis);
}

// False: the copy is not whole.
bool CopyCompressed(int from, gzFile to) {
  std::array<char, 64 * 1024> block;
  while (true) {
    const ssize_t bytes = read(from, block.data(), block.size());
    if (bytes < 0) return false;
    if (bytes == 0) return true;
    if (gzwrite(to, block.data(), static_cast<unsigned>(bytes)) != bytes) return false;
  }
}

// The file goes only when its copy is whole; a copy that a crash left is written again.
void Compress(const std::filesystem::path& file) {
  const int from = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return;
  struct stat info {};
  const std::filesystem::path copy = file.string() + std::string(kCompressed);
  const int to =
      fstat(from, &info) != 0
          ? -1
          : open(copy.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, info.st_mode & 0777);
  const gzFile stream = to < 0 ? nullptr : gzdopen(to, "wb");
  bool whole = stream != nullptr && CopyCompressed(from, stream);
  if (stream != nullptr) {
    whole = gzclose(stream) == Z_OK && whole;
  } else if (to >= 0) {
    close(to);
  }
  close(from);
  if (to < 0) return;
  std::error_code ignored;
  std::filesystem::remove(whole ? file : copy, ignored);
}

}  // namespace

LogBackups::LogBackups(std::string path, const LogRotation& rotation)
    : path_(std::move(path)), rotation_(rotation) {}

LogBackups::~LogBackups() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::string LogBackups::NameAt(Wall now) const {
  const std::time_t seconds = Wall::clock::to_time_t(now);
  const auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  rotation_.local_time ? localtime_r(&seconds, &parts) : gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H-%M-%S", &parts);
  return (path_.parent_path() / fmt::format("{}-{}.{:03}{}", path_.stem().string(), text, millis,
                                            path_.extension().string()))
      .string();
}

void LogBackups::LookAfter(Wall now) {
  if (rotation_.max_backups == 0 && rotation_.max_days == 0 && !rotation_.compress) return;
  const std::lock_guard lock(mu_);
  asked_ = now;
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  wake_.notify_one();
}

void LogBackups::Run() {
  std::unique_lock lock(mu_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || asked_.has_value(); });
    if (!asked_.has_value()) return;
    const Wall now = *std::exchange(asked_, std::nullopt);
    lock.unlock();
    Work(now);
    lock.lock();
  }
}

void LogBackups::Work(Wall now) const {
  std::set<std::string> kept;  // a backup and its unfinished copy are one
  for (const Backup& backup : List()) {
    kept.insert(backup.stamp);
    const bool too_many =
        rotation_.max_backups > 0 && kept.size() > static_cast<std::size_t>(rotation_.max_backups);
    const bool too_old =
        rotation_.max_days > 0 && now - backup.time > std::chrono::hours(24 * rotation_.max_days);
    std::error_code ignored;
    if (too_many || too_old) {
      std::filesystem::remove(backup.file, ignored);
    } else if (rotation_.compress && !backup.compressed) {
      Compress(backup.file);
    }
  }
}

std::vector<LogBackups::Backup> LogBackups::List() const {
  std::vector<Backup> backups;
  std::error_code error;
  const auto dir = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    if (auto backup = Parse(entry.path())) backups.push_back(std::move(*backup));
  }
  std::ranges::sort(backups, std::ranges::greater(), &Backup::stamp);
  return backups;
}

std::optional<LogBackups::Backup> LogBackups::Parse(const std::filesystem::path& file) const {
  std::string name = file.filename().string();
  const bool compressed = name.ends_with(kCompressed);
  if (compressed) name.resize(name.size() - kCompressed.size());
  const std::string prefix = path_.stem().string() + "-";
  const std::string suffix = path_.extension().string();
  if (name.size() != prefix.size() + kStampBytes + suffix.size()) return std::nullopt;
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  std::string stamp = name.substr(prefix.size(), kStampBytes);
  const auto time = TimeOf(stamp, rotation_.local_time);
  if (!time.has_value()) return std::nullopt;
  return Backup{std::move(stamp), *time, file, compressed};
}

}  // namespace etcd::config
