#include "operator/kube/access.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "operator/kube/api_error.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

constexpr char kAccountDir[] = "/var/run/secrets/kubernetes.io/serviceaccount/";

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return ApiError(ApiErrc::kOther, fmt::format("cannot read {}", path));
  return text.str();
}

std::vector<std::string> SplitPaths(const std::string& list) {
  std::vector<std::string> paths;
  std::istringstream in(list);
  for (std::string path; std::getline(in, path, ':');) {
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

// Files of the list that do not exist are left out, as kubectl does; the others must be readable.
absl::StatusOr<Access> FromFiles(const std::vector<std::string>& paths, const Environment& env) {
  std::vector<KubeconfigFile> files;
  absl::Status problem = ApiError(ApiErrc::kOther, "KUBECONFIG names no file");
  for (const std::string& path : paths) {
    absl::StatusOr<std::string> text = env.read_file(path);
    if (text.ok()) {
      files.push_back({path, *std::move(text)});
    } else {
      problem = text.status();
    }
  }
  if (files.empty()) return problem;
  return ParseKubeconfig(files);
}

}  // namespace

Environment ProcessEnvironment() {
  return {.variable = [](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            if (value == nullptr) return std::nullopt;
            return std::string(value);
          },
          .read_file = &ReadFile};
}

absl::StatusOr<Access> InClusterAccess(const Environment& env) {
  const std::optional<std::string> host = env.variable("KUBERNETES_SERVICE_HOST");
  const std::optional<std::string> port = env.variable("KUBERNETES_SERVICE_PORT");
  if (!host.has_value() || host->empty() || !port.has_value() || port->empty()) {
    return ApiError(ApiErrc::kOther,
                    "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no "
                    "pod of a cluster");
  }
  const std::string dir = kAccountDir;
  Access access;
  const bool is_ipv6 = host->find(':') != std::string::npos;
  const std::string in_url = is_ipv6 ? "[" + *host + "]" : *host;
  access.server.url = fmt::format("https://{}:{}", in_url, *port);
  access.credential.token_file = dir + "token";
  access.credential.ca_file = dir + "ca.crt";
  RETURN_IF_ERROR(env.read_file(access.credential.token_file).status());
  RETURN_IF_ERROR(env.read_file(access.credential.ca_file).status());
  ASSIGN_OR_RETURN(access.ns, env.read_file(dir + "namespace"));
  while (!access.ns.empty() && access.ns.back() == '\n') access.ns.pop_back();
  return access;
}

absl::StatusOr<Access> FindAccess(const std::string& kubeconfig_flag, const Environment& env) {
  if (!kubeconfig_flag.empty()) return FromFiles({kubeconfig_flag}, env);
  const std::optional<std::string> list = env.variable("KUBECONFIG");
  if (list.has_value() && !list->empty()) return FromFiles(SplitPaths(*list), env);
  if (env.variable("KUBERNETES_SERVICE_HOST").has_value()) return InClusterAccess(env);
  const std::optional<std::string> home = env.variable("HOME");
  if (!home.has_value()) return ApiError(ApiErrc::kOther, "neither a pod, a kubeconfig nor $HOME");
  return FromFiles({*home + "/.kube/config"}, env);
}

}  // namespace etcd::kube
