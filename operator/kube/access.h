#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "operator/kube/credentials.h"
#include "operator/kube/curl_http.h"

namespace etcd::kube {

// How to reach an API server: from the pod that we run in, or from a kubeconfig.
struct Access {
  ServerAddress server;
  CredentialConfig credential;
  std::string ns;  // where we are at home; "default" when nothing says
};

// What is asked of the process, so that tests need not change it.
struct Environment {
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::function<absl::StatusOr<std::string>(const std::string& path)> read_file;
};
Environment ProcessEnvironment();

// With `kubeconfig_flag`: that file. Else $KUBECONFIG (a list, colons between; the first file that
// defines a name wins), else the pod's service account when KUBERNETES_SERVICE_HOST is set, else
// ~/.kube/config. The error says what is missing.
absl::StatusOr<Access> FindAccess(const std::string& kubeconfig_flag, const Environment& env);

absl::StatusOr<Access> InClusterAccess(const Environment& env);

struct KubeconfigFile {
  std::string path;  // paths in it are relative to its folder
  std::string text;
};
absl::StatusOr<Access> ParseKubeconfig(const std::vector<KubeconfigFile>& files);

}  // namespace etcd::kube
