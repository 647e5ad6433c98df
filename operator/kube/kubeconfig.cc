#include <filesystem>
#include <yaml-cpp/yaml.h>

#include <absl/strings/escaping.h>
#include <fmt/format.h>

#include "operator/kube/access.h"
#include "operator/kube/api_error.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

absl::Status Problem(std::string_view message) { return ApiError(ApiErrc::kOther, message); }

// Merged by kubectl's rule: the first file that defines a name wins.
struct Merged {
  std::string current_context;
  // name -> node, and the folder that its relative paths start from
  struct Entry {
    YAML::Node node;
    std::filesystem::path folder;
  };
  std::map<std::string, Entry> clusters, contexts, users;
};

std::string Text(const YAML::Node& node, const char* key) {
  const YAML::Node value = node.IsMap() ? node[key] : YAML::Node();
  return value.IsDefined() && value.IsScalar() ? value.Scalar() : std::string();
}

void MergeSection(const YAML::Node& root, const char* section, const char* inner,
                  const std::filesystem::path& folder, std::map<std::string, Merged::Entry>& into) {
  const YAML::Node list = root[section];
  if (!list.IsDefined() || !list.IsSequence()) return;
  for (const YAML::Node& item : list) {
    if (!item.IsMap() || !item[inner].IsDefined()) continue;
    into.try_emplace(Text(item, "name"), Merged::Entry{item[inner], folder});
  }
}

absl::StatusOr<Merged> Merge(const std::vector<KubeconfigFile>& files) {
  Merged merged;
  for (const KubeconfigFile& file : files) {
    const YAML::Node root = YAML::Load(file.text);
    if (!root.IsMap()) return Problem(fmt::format("{} is no kubeconfig", file.path));
    const std::filesystem::path folder = std::filesystem::path(file.path).parent_path();
    if (merged.current_context.empty()) merged.current_context = Text(root, "current-context");
    MergeSection(root, "clusters", "cluster", folder, merged.clusters);
    MergeSection(root, "contexts", "context", folder, merged.contexts);
    MergeSection(root, "users", "user", folder, merged.users);
  }
  return merged;
}

// "x-data" in base64, or the file that "x" names.
absl::Status TextOrFile(const Merged::Entry& entry, const std::string& key, std::string& text,
                        std::string& file) {
  const std::string data = Text(entry.node, (key + "-data").c_str());
  if (!data.empty()) {
    if (!absl::Base64Unescape(data, &text)) return Problem(key + "-data is not base64");
    return absl::OkStatus();
  }
  const std::string path = Text(entry.node, key.c_str());
  if (!path.empty()) file = (entry.folder / path).string();
  return absl::OkStatus();
}

absl::StatusOr<ExecPlugin> ExecOf(const YAML::Node& node, const std::filesystem::path& folder) {
  ExecPlugin plugin;
  plugin.api_version = Text(node, "apiVersion");
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return Problem(fmt::format("exec plugins of {} are not supported", plugin.api_version));
  }
  std::string command = Text(node, "command");
  if (command.empty()) return Problem("an exec plugin without a command");
  // A path is relative to the file; a bare name is looked up in PATH.
  if (command.find('/') != std::string::npos) command = (folder / command).string();
  plugin.command.push_back(command);
  if (const YAML::Node args = node["args"]; args.IsDefined() && args.IsSequence()) {
    for (const YAML::Node& arg : args) plugin.command.push_back(arg.Scalar());
  }
  if (const YAML::Node env = node["env"]; env.IsDefined() && env.IsSequence()) {
    for (const YAML::Node& item : env) {
      plugin.environment.emplace_back(Text(item, "name"), Text(item, "value"));
    }
  }
  return plugin;
}

absl::Status ReadUser(const Merged::Entry& user, CredentialConfig& out) {
  RETURN_IF_ERROR(
      TextOrFile(user, "client-certificate", out.client_cert_pem, out.client_cert_file));
  RETURN_IF_ERROR(TextOrFile(user, "client-key", out.client_key_pem, out.client_key_file));
  // kubectl: tokenFile takes precedence over token.
  const std::string token_file = Text(user.node, "tokenFile");
  if (!token_file.empty()) {
    out.token_file = (user.folder / token_file).string();
  } else {
    out.token = Text(user.node, "token");
  }
  for (const char* unsupported : {"auth-provider", "username", "password", "as"}) {
    if (user.node.IsMap() && user.node[unsupported].IsDefined()) {
      return Problem(fmt::format("kubeconfig: {} is not supported", unsupported));
    }
  }
  if (const YAML::Node exec = user.node.IsMap() ? user.node["exec"] : YAML::Node();
      exec.IsDefined() && exec.IsMap()) {
    ASSIGN_OR_RETURN(out.exec, ExecOf(exec, user.folder));
  }
  return absl::OkStatus();
}

absl::Status ReadCluster(const Merged::Entry& cluster, Access& out) {
  out.server.url = Text(cluster.node, "server");
  if (!out.server.url.starts_with("http://") && !out.server.url.starts_with("https://")) {
    return Problem(fmt::format("kubeconfig: server \"{}\" is no URL", out.server.url));
  }
  out.server.tls_server_name = Text(cluster.node, "tls-server-name");
  out.server.proxy_url = Text(cluster.node, "proxy-url");
  out.server.insecure_skip_tls_verify = Text(cluster.node, "insecure-skip-tls-verify") == "true";
  return TextOrFile(cluster, "certificate-authority", out.credential.ca_pem,
                    out.credential.ca_file);
}

absl::StatusOr<Access> ReadMerged(const Merged& merged) {
  const auto context = merged.contexts.find(merged.current_context);
  if (context == merged.contexts.end()) {
    return Problem(
        fmt::format("kubeconfig: no context \"{}\" (current-context)", merged.current_context));
  }
  const std::string cluster_name = Text(context->second.node, "cluster");
  const auto cluster = merged.clusters.find(cluster_name);
  if (cluster == merged.clusters.end()) {
    return Problem(fmt::format("kubeconfig: no cluster \"{}\"", cluster_name));
  }
  Access access;
  access.ns = Text(context->second.node, "namespace");
  if (access.ns.empty()) access.ns = "default";
  RETURN_IF_ERROR(ReadCluster(cluster->second, access));
  const std::string user_name = Text(context->second.node, "user");
  if (user_name.empty()) return access;
  const auto user = merged.users.find(user_name);
  if (user == merged.users.end()) {
    return Problem(fmt::format("kubeconfig: no user \"{}\"", user_name));
  }
  RETURN_IF_ERROR(ReadUser(user->second, access.credential));
  return access;
}

}  // namespace

absl::StatusOr<Access> ParseKubeconfig(const std::vector<KubeconfigFile>& files) {
  try {
    ASSIGN_OR_RETURN(const Merged merged, Merge(files));
    return ReadMerged(merged);
  } catch (const YAML::Exception& error) {
    return Problem(fmt::format("kubeconfig: {}", error.what()));
  }
}

}  // namespace etcd::kube
