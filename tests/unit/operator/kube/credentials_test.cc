#include "operator/kube/credentials.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "operator/kube/api_error.h"
#include "operator/kube/exec_plugin.h"
#include "tests/support/temp_dir.h"
#include "tests/support/virtual_executor.h"

namespace etcd::kube {
namespace {

using std::chrono::seconds;

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

struct Files : ::testing::Test {
  void Pass(std::chrono::nanoseconds time) { clock.Set(clock.Now() + time); }
  std::string TokenOf(CredentialSource& source) { return (*source.Current(clock))->token; }

  etcd::testing::TempDir dir;
  etcd::testing::VirtualClock clock;
  const std::string token_file = dir.path() + "/token";
  const std::string ca_file = dir.path() + "/ca.crt";
};

using CredentialSourceTest = Files;

TEST_F(CredentialSourceTest, ReadsFilesAgainAfterAMinute) {
  Write(token_file, "one\n");
  Write(ca_file, "CA1");
  CredentialSource source({.ca_file = ca_file, .token_file = token_file});
  EXPECT_EQ(TokenOf(source), "one");
  Write(token_file, "two\n");
  Write(ca_file, "CA2");
  Pass(seconds(59));
  EXPECT_EQ(TokenOf(source), "one");
  Pass(seconds(1));
  EXPECT_EQ(TokenOf(source), "two");
  EXPECT_EQ((*source.Current(clock))->ca_pem, "CA2");
}

TEST_F(CredentialSourceTest, ReadsAtOnceWhenTheServerRefuses) {
  Write(token_file, "one");
  CredentialSource source({.token_file = token_file});
  const auto first = *source.Current(clock);
  Write(token_file, "two");
  source.Refuse(first);
  const auto second = *source.Current(clock);
  EXPECT_EQ(second->token, "two");
  // A late refusal of the old one says nothing about the new one.
  Write(token_file, "three");
  source.Refuse(first);
  EXPECT_EQ(TokenOf(source), "two");
}

TEST_F(CredentialSourceTest, KeepsWhatItHasWhenAFileIsGone) {
  Write(token_file, "one");
  CredentialSource source({.token_file = token_file});
  EXPECT_EQ(TokenOf(source), "one");
  std::filesystem::remove(token_file);
  Pass(seconds(61));
  EXPECT_EQ(TokenOf(source), "one");
  Write(token_file, "two");
  Pass(seconds(61));
  EXPECT_EQ(TokenOf(source), "two");
}

TEST_F(CredentialSourceTest, FailsWhenThereIsNothingYet) {
  CredentialSource source({.token_file = token_file});
  EXPECT_FALSE(source.Current(clock).ok());
}

TEST_F(CredentialSourceTest, UnchangedFilesGiveTheSameCredential) {
  Write(token_file, "one");
  CredentialSource source({.token_file = token_file});
  const auto first = *source.Current(clock);
  Pass(seconds(61));
  EXPECT_EQ(*source.Current(clock), first);
}

TEST_F(CredentialSourceTest, RunsAPluginUntilItsCredentialEnds) {
  const std::string count = dir.path() + "/count";
  const std::string script =
      "echo x >> " + count + "; n=$(wc -l < " + count +
      "); echo \"{\\\"kind\\\":\\\"ExecCredential\\\",\\\"apiVersion\\\":"
      "\\\"client.authentication.k8s.io/v1\\\",\\\"status\\\":{\\\"token\\\":\\\"$WHO$n\\\","
      "\\\"expirationTimestamp\\\":\\\"1970-01-01T02:00:00Z\\\"}}\"";
  CredentialSource source({.exec = ExecPlugin{.api_version = "client.authentication.k8s.io/v1",
                                              .command = {"sh", "-c", script},
                                              .environment = {{"WHO", "me"}}}});
  // The virtual clock begins at 01:00.
  EXPECT_EQ(TokenOf(source), "me1");
  Pass(seconds(600));
  EXPECT_EQ(TokenOf(source), "me1");
  Pass(seconds(2990));
  EXPECT_EQ(TokenOf(source), "me2");
}

TEST(ExecPlugin, FailsWithItsProgram) {
  const std::string version = "client.authentication.k8s.io/v1";
  EXPECT_FALSE(RunExecPlugin({version, {"/nonexistent/plugin"}, {}}).ok());
  EXPECT_FALSE(RunExecPlugin({version, {"false"}, {}}).ok());
  EXPECT_FALSE(RunExecPlugin({version, {"echo", "hello"}, {}}).ok());
  EXPECT_FALSE(RunExecPlugin({version, {"sh", "-c", "cat /dev/zero"}, {}}).ok());
}

TEST(ExecPlugin, GetsTheProtocolsVariable) {
  const std::string version = "client.authentication.k8s.io/v1beta1";
  const auto credential = RunExecPlugin(
      {version,
       {"sh", "-c",
        R"(case "$KUBERNETES_EXEC_INFO" in *ExecCredential*v1beta1*|*v1beta1*ExecCredential*) t=yes;; *) t=no;; esac
           echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"'$t'"}}')"},
       {}});
  ASSERT_TRUE(credential.ok()) << credential.status();
  EXPECT_EQ(credential->credential.token, "yes");
  EXPECT_FALSE(credential->expires.has_value());
}

TEST(ExecPlugin, DemandsATokenOrACertificateWithKey) {
  const std::string_view version = "client.authentication.k8s.io/v1";
  const auto parse = [&](const std::string& status) {
    return ParseExecCredential(
        R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":)" +
            status + "}",
        version);
  };
  EXPECT_FALSE(parse("{}").ok());
  EXPECT_FALSE(parse(R"({"clientCertificateData":"c"})").ok());
  EXPECT_FALSE(parse(R"({"token":"t","expirationTimestamp":"soon"})").ok());
  EXPECT_EQ(
      parse(R"({"clientCertificateData":"c","clientKeyData":"k"})")->credential.client_key_pem,
      "k");
}

}  // namespace
}  // namespace etcd::kube
