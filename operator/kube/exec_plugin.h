#pragma once

#include <optional>

#include <absl/status/statusor.h>

#include "operator/kube/credentials.h"

namespace etcd::kube {

struct ExecCredential {
  Credential credential;  // token, or certificate and key, or both
  std::optional<base::Clock::Wall> expires;
};

// Runs the plugin, which has 60 s and may print 1 MiB; its stderr is ours. Blocks.
absl::StatusOr<ExecCredential> RunExecPlugin(const ExecPlugin& plugin);

// What a plugin printed. Pure.
absl::StatusOr<ExecCredential> ParseExecCredential(std::string_view text,
                                                   std::string_view api_version);

}  // namespace etcd::kube
