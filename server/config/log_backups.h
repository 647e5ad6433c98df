#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/base/clock.h"
#include "server/config/config.h"

namespace etcd::config {

// The files that a rotated log leaves behind: "x.log" becomes "x-2026-01-02T15-04-05.000.log", the
// names that etcd's rotation gives, and ".gz" follows once it is compressed. Other files in the
// folder are left alone. Thread-safe.
class LogBackups {
 public:
  using Wall = base::Clock::Wall;

  LogBackups(std::string path, const LogRotation& rotation);
  // Finishes what LookAfter was called for.
  ~LogBackups();
  LogBackups(const LogBackups&) = delete;
  LogBackups& operator=(const LogBackups&) = delete;

  // What the log is renamed to.
  std::string NameAt(Wall now) const;

  // Removes backups beyond the count and the age that were asked for and compresses the rest, on a
  // thread of its own, made when first needed: a log of 100 MB takes seconds.
  void LookAfter(Wall now);

 private:
  struct Backup {
    std::string stamp;  // as in the name: sorts by time
    Wall time;
    std::filesystem::path file;
    bool compressed = false;
  };
  void Run();
  void Work(Wall now) const;
  std::vector<Backup> List() const;  // newest first
  std::optional<Backup> Parse(const std::filesystem::path& file) const;

  const std::filesystem::path path_;
  const LogRotation rotation_;
  std::mutex mu_;  // guards the rest
  std::condition_variable wake_;
  std::optional<Wall> asked_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace etcd::config
