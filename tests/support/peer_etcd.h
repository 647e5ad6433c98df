#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace etcd::testing {

// The real etcds that this machine has: Debian's 3.4, and the 3.6 and 3.7 that bench/peers built.
std::vector<std::string> PeerEtcdBinaries();

// One process of a real etcd over a data directory, on loopback ports that the kernel chose.
// Stopped by the destructor. Not thread-safe.
class PeerEtcd {
 public:
  PeerEtcd(std::string binary, std::string data_dir);
  ~PeerEtcd();
  PeerEtcd(const PeerEtcd&) = delete;
  PeerEtcd& operator=(const PeerEtcd&) = delete;

  void AddFlag(std::string flag) { flags_.push_back(std::move(flag)); }
  // Ports stay the same when the object is started again.
  const std::string& peer_url() const { return peer_url_; }
  std::string client_url() const;

  // True when the member serves clients; false when it exited or did not come up in time.
  bool Start(std::chrono::seconds deadline = std::chrono::seconds(30));
  // The halves of Start, for members that serve only together.
  void Launch();
  bool AwaitReady(std::chrono::seconds deadline = std::chrono::seconds(30));
  // SIGTERM and wait. The exit status, -1 when it was not running.
  int Stop();
  // SIGKILL and wait.
  void Kill();
  // SIGSTOP, SIGCONT, ...
  void Signal(int signal) const;

  // Through the JSON gateway. False on any error.
  bool Put(std::string_view key, std::string_view value);
  std::optional<std::string> Get(std::string_view key);
  // Everything that the process wrote.
  std::string Log() const;

 private:
  std::optional<std::string> Post(std::string_view path, const std::string& body) const;
  void Spawn() const;

  std::string binary_;
  std::string data_dir_;
  std::string log_path_;
  std::string peer_url_;
  std::uint16_t client_port_ = 0;
  std::vector<std::string> flags_;
  pid_t pid_ = -1;
};

}  // namespace etcd::testing
