#include "tests/support/peer_etcd.h"

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <random>
#include <sstream>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace etcd::testing {
namespace {

using std::chrono::steady_clock;

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// As tests/support/etcd_process.py: below what the kernel gives to connections, and held by a lock
// on a file for the life of this process, so that no other test takes it.
constexpr int kFirstPort = 12000;
constexpr int kPorts = 20000;

bool Reserve(std::uint16_t port) {
  const auto folder = std::filesystem::temp_directory_path() / "etcd-test-ports";
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  const std::string file = folder / std::to_string(port);
  const int lock = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  const bool is_ours = lock >= 0 && ::flock(lock, LOCK_EX | LOCK_NB) == 0 &&
                       ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  if (!is_ours && lock >= 0) ::close(lock);
  return is_ours;
}

std::uint16_t FreePort() {
  std::random_device random;
  std::uniform_int_distribution<int> ports(kFirstPort, kFirstPort + kPorts - 1);
  while (true) {
    const auto port = static_cast<std::uint16_t>(ports(random));
    if (Reserve(port)) return port;
  }
}

std::string Base64(std::string_view bytes) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out.push_back(i + j > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * j) & 63]);
    }
  }
  return out;
}

std::string FromBase64(std::string_view text) {
  std::string out;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<std::uint32_t>(c - '0') + 52;
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else {
      break;
    }
    group = group << 6 | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(group >> bits & 0xff));
  }
  return out;
}

}  // namespace

std::vector<std::string> PeerEtcdBinaries() {
  std::vector<std::string> found;
  const char* const home = std::getenv("HOME");
  const std::string cache = std::string(home != nullptr ? home : "") + "/.cache/etcdpp-peers/";
  for (const std::string& path :
       {std::string("/usr/bin/etcd"), cache + "v36/etcd", cache + "v37/etcd"}) {
    if (::access(path.c_str(), X_OK) == 0) found.push_back(path);
  }
  return found;
}

PeerEtcd::PeerEtcd(std::string binary, std::string data_dir)
    : binary_(std::move(binary)),
      data_dir_(std::move(data_dir)),
      log_path_(data_dir_ + ".log"),
      peer_url_("http://127.0.0.1:" + std::to_string(FreePort())),
      client_port_(FreePort()) {}

PeerEtcd::~PeerEtcd() { Stop(); }

std::string PeerEtcd::client_url() const {
  return "http://127.0.0.1:" + std::to_string(client_port_);
}

void PeerEtcd::Spawn() const {
  std::vector<std::string> args = {binary_,
                                   "--name=default",
                                   "--data-dir=" + data_dir_,
                                   "--listen-client-urls=" + client_url(),
                                   "--advertise-client-urls=" + client_url(),
                                   "--listen-peer-urls=" + peer_url_,
                                   "--initial-advertise-peer-urls=" + peer_url_,
                                   "--initial-cluster=default=" + peer_url_,
                                   "--logger=zap"};
  args.insert(args.end(), flags_.begin(), flags_.end());
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  const int log = ::open(log_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(binary_.c_str(), argv.data());
  ::_exit(127);
}

bool PeerEtcd::Start(std::chrono::seconds deadline) {
  Launch();
  return AwaitReady(deadline);
}

void PeerEtcd::Launch() {
  pid_ = ::fork();
  if (pid_ == 0) Spawn();
}

bool PeerEtcd::AwaitReady(std::chrono::seconds deadline) {
  const auto end = steady_clock::now() + deadline;
  while (steady_clock::now() < end) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    // A linearizable read: the member has applied what its log holds.
    if (Post("/v3/kv/range", R"({"key":"AA=="})")) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // poll interval, not a wait
  }
  return false;
}

void PeerEtcd::Signal(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

void PeerEtcd::Kill() {
  Signal(SIGKILL);
  Stop();
}

int PeerEtcd::Stop() {
  if (pid_ < 0) return -1;
  ::kill(pid_, SIGTERM);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

std::optional<std::string> PeerEtcd::Post(std::string_view path, const std::string& body) const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(client_port_);
  std::string reply;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    std::string request = "POST " + std::string(path) +
                          " HTTP/1.0\r\nContent-Length: " + std::to_string(body.size()) +
                          "\r\n\r\n" + body;
    for (std::size_t sent = 0; sent < request.size();) {
      const ssize_t n = ::send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    char buffer[65536];
    for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      reply.append(buffer, static_cast<std::size_t>(n));
    }
  }
  ::close(fd);
  if (reply.substr(0, 12).find(" 200") == std::string::npos) return std::nullopt;
  return reply.substr(reply.find("\r\n\r\n") + 4);
}

bool PeerEtcd::Put(std::string_view key, std::string_view value) {
  return Post("/v3/kv/put", R"({"key":")" + Base64(key) + R"(","value":")" + Base64(value) + "\"}")
      .has_value();
}

std::optional<std::string> PeerEtcd::Get(std::string_view key) {
  const auto reply = Post("/v3/kv/range", R"({"key":")" + Base64(key) + "\"}");
  constexpr std::string_view kField = R"("value":")";
  if (!reply || reply->find(kField) == std::string::npos) return std::nullopt;
  return FromBase64(std::string_view(*reply).substr(reply->find(kField) + kField.size()));
}

std::string PeerEtcd::Log() const {
  std::ifstream file(log_path_);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace etcd::testing
