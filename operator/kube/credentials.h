#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "operator/kube/http.h"
#include "server/base/clock.h"

namespace etcd::kube {

// A program that prints an ExecCredential (client.authentication.k8s.io/v1 or v1beta1).
struct ExecPlugin {
  std::string api_version{};
  std::vector<std::string> command{};  // program and arguments
  std::vector<std::pair<std::string, std::string>> environment{};
};

// Where a credential comes from. A text wins over the file of the same thing.
struct CredentialConfig {
  std::string ca_pem{}, ca_file{};
  std::string client_cert_pem{}, client_cert_file{};
  std::string client_key_pem{}, client_key_file{};
  std::string token{}, token_file{};
  std::optional<ExecPlugin> exec{};
};

// The credential of now: files are read again when the last reading is 60 s old or the server said
// 401, since kubelet replaces a projected token long before it ends and CA files change in place.
// Thread-safe; Current may block for a plugin.
class CredentialSource {
 public:
  explicit CredentialSource(CredentialConfig config) : config_(std::move(config)) {}

  // When a file cannot be read (just being replaced), what was read last stays, with a log line;
  // an error only when there is nothing yet.
  absl::StatusOr<std::shared_ptr<const Credential>> Current(const base::Clock& clock);

  // The server refused `used`: reads again, unless that has been done since.
  void Refuse(const std::shared_ptr<const Credential>& used);

 private:
  absl::StatusOr<Credential> Read(base::Clock::Wall now);

  const CredentialConfig config_;
  std::mutex mu_;
  std::shared_ptr<const Credential> current_;      // guarded by mu_
  std::optional<base::Clock::Monotonic> read_at_;  // guarded by mu_; nothing: read now
  // Of the plugin; when it ends it runs again. Guarded by mu_.
  std::optional<Credential> from_plugin_;
  std::optional<base::Clock::Wall> plugin_expires_;
};

}  // namespace etcd::kube
