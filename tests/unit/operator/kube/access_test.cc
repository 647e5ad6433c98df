#include "operator/kube/access.h"

#include <map>

#include <gtest/gtest.h>

#include "operator/kube/api_error.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

using Texts = std::map<std::string, std::string>;

Environment EnvironmentOf(Texts variables, Texts files) {
  return {.variable = [variables](const std::string& name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            if (found == variables.end()) return std::nullopt;
            return found->second;
          },
          .read_file = [files](const std::string& path) -> absl::StatusOr<std::string> {
            const auto found = files.find(path);
            if (found == files.end()) return ApiError(ApiErrc::kOther, "cannot read " + path);
            return found->second;
          }};
}

constexpr char kConfig[] = R"(
apiVersion: v1
kind: Config
current-context: dev
contexts:
- name: dev
  context: {cluster: east, user: me, namespace: team}
- name: plain
  context: {cluster: bare}
clusters:
- name: east
  cluster:
    server: https://east:6443
    certificate-authority-data: Q0E=
    tls-server-name: kubernetes
    proxy-url: socks5://proxy:1080
- name: bare
  cluster: {server: "http://127.0.0.1:8080", insecure-skip-tls-verify: true}
users:
- name: me
  user:
    client-certificate: pki/me.crt
    client-key-data: S0VZ
    token: secret
)";

Texts AccountFiles() {
  const std::string dir = "/var/run/secrets/kubernetes.io/serviceaccount/";
  return {{dir + "token", "t"}, {dir + "ca.crt", "c"}, {dir + "namespace", "etcd-system\n"}};
}

TEST(Kubeconfig, GivesTheCurrentContext) {
  const Access access = *ParseKubeconfig({{"/home/me/.kube/config", kConfig}});
  EXPECT_EQ(access.server.url, "https://east:6443");
  EXPECT_EQ(access.server.tls_server_name, "kubernetes");
  EXPECT_EQ(access.server.proxy_url, "socks5://proxy:1080");
  EXPECT_FALSE(access.server.insecure_skip_tls_verify);
  EXPECT_EQ(access.ns, "team");
  EXPECT_EQ(access.credential.ca_pem, "CA");
  EXPECT_EQ(access.credential.client_cert_file, "/home/me/.kube/pki/me.crt");
  EXPECT_EQ(access.credential.client_key_pem, "KEY");
  EXPECT_EQ(access.credential.token, "secret");
}

TEST(Kubeconfig, TheFirstFileThatDefinesANameWins) {
  const KubeconfigFile first{"/a/one",
                             "current-context: plain\nclusters:\n- name: bare\n"
                             "  cluster: {server: 'https://first'}\n"};
  const Access access = *ParseKubeconfig({first, {"/b/two", kConfig}});
  EXPECT_EQ(access.server.url, "https://first");
  EXPECT_EQ(access.ns, "default");
  EXPECT_FALSE(access.server.insecure_skip_tls_verify);
}

TEST(Kubeconfig, ReadsAnExecPlugin) {
  const std::string config = R"(
current-context: x
contexts: [{name: x, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://c"}}]
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: bin/login
      args: [--for, me]
      env: [{name: A, value: b}]
)";
  const Access access = *ParseKubeconfig({{"/etc/k/config", config}});
  ASSERT_TRUE(access.credential.exec.has_value());
  EXPECT_EQ(access.credential.exec->command,
            (std::vector<std::string>{"/etc/k/bin/login", "--for", "me"}));
  EXPECT_EQ(access.credential.exec->environment.at(0).second, "b");
}

TEST(Kubeconfig, SaysWhatIsWrong) {
  const auto message = [](const std::string& text) {
    return std::string(base::MessageOf(ParseKubeconfig({{"f", text}}).status()));
  };
  EXPECT_NE(message("a: [").find("kubeconfig"), std::string::npos);
  EXPECT_NE(message("- a").find("no kubeconfig"), std::string::npos);
  EXPECT_NE(message("current-context: gone").find("no context \"gone\""), std::string::npos);
  const std::string head =
      "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n";
  EXPECT_NE(message(head).find("no cluster \"c\""), std::string::npos);
  EXPECT_NE(message(head + "clusters: [{name: c, cluster: {server: c}}]").find("no URL"),
            std::string::npos);
  const std::string cluster = head + "clusters: [{name: c, cluster: {server: 'https://c'}}]\n";
  EXPECT_NE(message(cluster).find("no user \"u\""), std::string::npos);
  EXPECT_NE(
      message(cluster + "users: [{name: u, user: {auth-provider: {}}}]").find("not supported"),
      std::string::npos);
  EXPECT_NE(message(cluster + "users: [{name: u, user: {client-key-data: '*'}}]").find("base64"),
            std::string::npos);
}

TEST(InCluster, UsesTheServiceAndItsAccount) {
  const Texts variables = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
                           {"KUBERNETES_SERVICE_PORT", "443"}};
  const Access access = *FindAccess("", EnvironmentOf(variables, AccountFiles()));
  EXPECT_EQ(access.server.url, "https://10.0.0.1:443");
  EXPECT_EQ(access.ns, "etcd-system");
  EXPECT_EQ(access.credential.token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
  EXPECT_EQ(access.credential.ca_file, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
}

TEST(InCluster, PutsBracketsAroundIpv6) {
  const Texts variables = {{"KUBERNETES_SERVICE_HOST", "fd00::1"},
                           {"KUBERNETES_SERVICE_PORT", "443"}};
  EXPECT_EQ(FindAccess("", EnvironmentOf(variables, AccountFiles()))->server.url,
            "https://[fd00::1]:443");
}

TEST(InCluster, NeedsItsFiles) {
  const Texts variables = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
                           {"KUBERNETES_SERVICE_PORT", "443"}};
  EXPECT_FALSE(FindAccess("", EnvironmentOf(variables, {})).ok());
}

TEST(FindAccess, FollowsTheOrderOfKubectl) {
  Texts variables = {{"HOME", "/h"},
                     {"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
                     {"KUBERNETES_SERVICE_PORT", "443"},
                     {"KUBECONFIG", "/missing:/k"}};
  Texts files = AccountFiles();
  files["/k"] = kConfig;
  files["/flag"] = std::string(kConfig) + "\n";
  files["/h/.kube/config"] = kConfig;
  EXPECT_EQ(FindAccess("/flag", EnvironmentOf(variables, files))->server.url, "https://east:6443");
  EXPECT_EQ(FindAccess("", EnvironmentOf(variables, files))->server.url, "https://east:6443");
  variables.erase("KUBECONFIG");
  EXPECT_EQ(FindAccess("", EnvironmentOf(variables, files))->server.url, "https://10.0.0.1:443");
  variables.erase("KUBERNETES_SERVICE_HOST");
  EXPECT_EQ(FindAccess("", EnvironmentOf(variables, files))->server.url, "https://east:6443");
  EXPECT_FALSE(FindAccess("/none", EnvironmentOf(variables, files)).ok());
  EXPECT_FALSE(FindAccess("", EnvironmentOf({}, files)).ok());
}

}  // namespace
}  // namespace etcd::kube
