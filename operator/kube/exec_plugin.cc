#include "operator/kube/exec_plugin.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/kube/api_error.h"
#include "operator/kube/json.h"
#include "operator/kube/times.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPluginTimeout{60};
constexpr std::size_t kOutputBytesMax = 1 << 20;

absl::Status Problem(std::string_view what, const ExecPlugin& plugin) {
  return ApiError(ApiErrc::kOther, fmt::format("{}: {}", plugin.command.front(), what));
}

// Variables of ours, the plugin's own, and what the protocol prescribes.
std::vector<std::string> EnvironmentOf(const ExecPlugin& plugin) {
  std::vector<std::string> all;
  for (char** at = environ; *at != nullptr; ++at) all.emplace_back(*at);
  for (const auto& [name, value] : plugin.environment) all.push_back(name + "=" + value);
  const Json info = {{"apiVersion", plugin.api_version},
                     {"kind", "ExecCredential"},
                     {"spec", {{"interactive", false}}}};
  all.push_back("KUBERNETES_EXEC_INFO=" + DumpJson(info));
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::StatusOr<pid_t> Spawn(const ExecPlugin& plugin, int out_fd) {
  std::vector<std::string> arguments = plugin.command;
  std::vector<std::string> environment = EnvironmentOf(plugin);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, arguments.front().c_str(), &actions, nullptr,
                                 Pointers(arguments).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Problem("cannot be started", plugin);
  return pid;
}

// All that comes until the end of file; an error when that takes too long or is too much.
absl::StatusOr<std::string> ReadAll(const ExecPlugin& plugin, int fd) {
  const auto deadline = SteadyClock::now() + kPluginTimeout;
  std::string text;
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd waiting{fd, POLLIN, 0};
    if (left.count() <= 0) return Problem("did not end in time", plugin);
    if (poll(&waiting, 1, static_cast<int>(left.count())) <= 0) continue;
    char piece[4096];
    const ssize_t count = read(fd, piece, sizeof(piece));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(piece, static_cast<std::size_t>(count));
    if (text.size() > kOutputBytesMax) return Problem("printed too much", plugin);
  }
}

}  // namespace

absl::StatusOr<ExecCredential> RunExecPlugin(const ExecPlugin& plugin) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return Problem("no pipe", plugin);
  absl::StatusOr<pid_t> pid = Spawn(plugin, fds[1]);
  close(fds[1]);
  absl::StatusOr<std::string> text = pid.ok() ? ReadAll(plugin, fds[0]) : pid.status();
  close(fds[0]);
  if (!pid.ok()) return pid.status();
  if (!text.ok()) kill(*pid, SIGKILL);
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  RETURN_IF_ERROR(text.status());
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Problem("failed", plugin);
  return ParseExecCredential(*text, plugin.api_version);
}

absl::StatusOr<ExecCredential> ParseExecCredential(std::string_view text,
                                                   std::string_view api_version) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  if (TextAt(json, {"kind"}) != "ExecCredential" || TextAt(json, {"apiVersion"}) != api_version) {
    return ApiError(ApiErrc::kBadAnswer,
                    fmt::format("a plugin did not print an ExecCredential of {}", api_version));
  }
  ExecCredential out;
  out.credential.token = TextAt(json, {"status", "token"});
  out.credential.client_cert_pem = TextAt(json, {"status", "clientCertificateData"});
  out.credential.client_key_pem = TextAt(json, {"status", "clientKeyData"});
  if (out.credential.client_cert_pem.empty() != out.credential.client_key_pem.empty() ||
      (out.credential.token.empty() && out.credential.client_cert_pem.empty())) {
    return ApiError(ApiErrc::kBadAnswer, "a plugin printed neither token nor certificate and key");
  }
  const std::string_view expires = TextAt(json, {"status", "expirationTimestamp"});
  if (!expires.empty()) {
    ASSIGN_OR_RETURN(out.expires, ParseTime(expires));
  }
  return out;
}

}  // namespace etcd::kube
