#include "operator/kube/credentials.h"

#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "operator/kube/api_error.h"
#include "operator/kube/exec_plugin.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

constexpr std::chrono::seconds kReadAgainAfter{60};
// A plugin's credential is replaced before it ends.
constexpr std::chrono::seconds kPluginMargin{10};
constexpr std::size_t kFileBytesMax = 1 << 20;

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text;
  char piece[4096];
  while (in.read(piece, sizeof(piece)) || in.gcount() > 0) {
    text.append(piece, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kFileBytesMax) break;
  }
  if (in.bad() || text.empty() || text.size() > kFileBytesMax) {
    return ApiError(ApiErrc::kOther, fmt::format("cannot read {}", path));
  }
  return text;
}

absl::Status Fill(std::string& into, const std::string& text, const std::string& file) {
  into = text;
  if (!text.empty() || file.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(into, ReadSmallFile(file));
  return absl::OkStatus();
}

void TrimToken(std::string& token) {
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
}

}  // namespace

absl::StatusOr<Credential> CredentialSource::Read(base::Clock::Wall now) {
  Credential read;
  RETURN_IF_ERROR(Fill(read.ca_pem, config_.ca_pem, config_.ca_file));
  RETURN_IF_ERROR(Fill(read.client_cert_pem, config_.client_cert_pem, config_.client_cert_file));
  RETURN_IF_ERROR(Fill(read.client_key_pem, config_.client_key_pem, config_.client_key_file));
  RETURN_IF_ERROR(Fill(read.token, config_.token, config_.token_file));
  TrimToken(read.token);
  if (!config_.exec.has_value()) return read;
  const bool is_due = !from_plugin_.has_value() ||
                      (plugin_expires_.has_value() && now + kPluginMargin >= *plugin_expires_);
  if (is_due) {
    ASSIGN_OR_RETURN(ExecCredential plugin, RunExecPlugin(*config_.exec));
    from_plugin_ = std::move(plugin.credential);
    plugin_expires_ = plugin.expires;
  }
  read.token = from_plugin_->token;
  if (!from_plugin_->client_cert_pem.empty()) {
    read.client_cert_pem = from_plugin_->client_cert_pem;
    read.client_key_pem = from_plugin_->client_key_pem;
  }
  return read;
}

absl::StatusOr<std::shared_ptr<const Credential>> CredentialSource::Current(
    const base::Clock& clock) {
  const std::lock_guard lock(mu_);
  const auto now = clock.Now();
  const bool plugin_ended =
      plugin_expires_.has_value() && clock.WallNow() + kPluginMargin >= *plugin_expires_;
  if (current_ != nullptr && !plugin_ended && read_at_.has_value() &&
      now - *read_at_ < kReadAgainAfter) {
    return current_;
  }
  read_at_ = now;
  absl::StatusOr<Credential> read = Read(clock.WallNow());
  if (!read.ok()) {
    if (current_ == nullptr) return read.status();
    LOG_WARN("credentials cannot be read again; the last ones stay", {"error", read.status()});
    return current_;
  }
  // The same object when nothing changed: it decides which connections can be used again.
  if (current_ == nullptr || !(*current_ == *read)) {
    current_ = std::make_shared<const Credential>(*std::move(read));
  }
  return current_;
}

void CredentialSource::Refuse(const std::shared_ptr<const Credential>& used) {
  const std::lock_guard lock(mu_);
  if (used != current_) return;
  read_at_.reset();
  from_plugin_.reset();
  plugin_expires_.reset();
}

}  // namespace etcd::kube
