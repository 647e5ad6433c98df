#include "server/config/parse.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/status.h"
#include "server/config/flag_value.h"

namespace etcd::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

struct Files {
  std::map<std::string, std::string> texts;
};

ParseResult ParseWith(std::vector<std::string> arguments, std::vector<std::string> environment = {},
                      Files files = {}) {
  ParseInput input;
  input.arguments = std::move(arguments);
  input.environment = std::move(environment);
  input.commit = "abc1234";
  input.default_host = "10.1.2.3";
  input.read_file = [files](const std::string& path) -> absl::StatusOr<std::string> {
    const auto found = files.texts.find(path);
    if (found != files.texts.end()) return found->second;
    return base::MakeStatus(absl::StatusCode::kNotFound, "no such file or directory");
  };
  return Parse(input);
}

ParseResult ParseFileText(std::string yaml) {
  return ParseWith({"--config-file", "f.yaml"}, {}, {{{"f.yaml", std::move(yaml)}}});
}

// All that would be printed, a line per message, fields as "key=text".
std::string Printed(const ParseResult& result) {
  std::string text;
  for (const Message& message : result.messages) {
    text += message.text;
    for (const base::LogField& field : message.fields) {
      if (const auto* value = std::get_if<std::string>(&field.value)) {
        text += " " + std::string(field.key) + "=" + *value;
      }
    }
    text += "\n";
  }
  return text;
}

TEST(ConfigParse, WithoutFlagsEveryFieldHasItsDefault) {
  const ParseResult result = ParseWith({});
  ASSERT_TRUE(result.proceed) << Printed(result);
  EXPECT_EQ(result.config.data_dir, "default.etcd");
  EXPECT_EQ(result.config.snapshot_count, 10000U);
  EXPECT_EQ(ToText(result.config.listen_client_urls), "http://localhost:2379");
  EXPECT_EQ(result.config.initial_cluster, "default=http://localhost:2380");
  EXPECT_THAT(result.config.initial_members,
              ElementsAre(Pair("default", ElementsAre("http://localhost:2380"))));
  EXPECT_EQ(result.config.election_ticks, 10);
  EXPECT_EQ(result.config.request_timeout, std::chrono::seconds(7));
  EXPECT_EQ(result.config.watch_progress_notify_interval, std::chrono::minutes(10));
  EXPECT_EQ(result.config.compaction_batch_limit, 1000);
  EXPECT_TRUE(result.config.bootstrap.ok());
}

TEST(ConfigParse, FlagsFollowGosGrammar) {
  const ParseResult result = ParseWith(
      {"-name=a", "--data-dir", "/d", "--pre-vote=false", "--unsafe-no-fsync", "--snapshot-count",
       "0x10", "--grpc-keepalive-interval=1h30m", "--log-outputs=/x,stderr", "--max-wals", "3"});
  ASSERT_TRUE(result.proceed) << Printed(result);
  EXPECT_EQ(result.config.name, "a");
  EXPECT_EQ(result.config.data_dir, "/d");
  EXPECT_FALSE(result.config.pre_vote);
  EXPECT_TRUE(result.config.unsafe_no_fsync);
  EXPECT_EQ(result.config.snapshot_count, 16U);
  EXPECT_EQ(result.config.grpc_keepalive_interval, std::chrono::minutes(90));
  EXPECT_THAT(result.config.log_outputs, ElementsAre("/x", "stderr"));
  EXPECT_EQ(result.config.max_wals, 3U);
}

struct FailureCase {
  std::vector<std::string> arguments;
  int exit_code;
  std::string message;
};

TEST(ConfigParse, BadCommandLinesFailWithEtcdsMessagesAndCodes) {
  const std::vector<FailureCase> cases = {
      {{"--nope"}, 2, "flag provided but not defined: -nope\nUsage:"},
      {{"--name"}, 2, "flag needs an argument: -name\n"},
      {{"-=x"}, 2, "bad flag syntax: -=x\n"},
      {{"---name=x"}, 2, "bad flag syntax: ---name=x\n"},
      {{"--pre-vote=maybe"}, 2, "invalid boolean value \"maybe\" for -pre-vote: parse error\n"},
      {{"--max-wals=-1"}, 2, "invalid value \"-1\" for flag -max-wals: parse error\n"},
      {{"--max-wals=99999999999999999999"},
       2,
       "invalid value \"99999999999999999999\" for flag -max-wals: value out of range\n"},
      {{"--grpc-keepalive-interval=5"},
       2,
       "invalid value \"5\" for flag -grpc-keepalive-interval: parse error\n"},
      {{"--listen-client-urls=ftp://a:1"},
       2,
       "invalid value \"ftp://a:1\" for flag -listen-client-urls: URL scheme must be http, https, "
       "unix, or unixs: ftp://a:1\n"},
      {{"--listen-client-urls=http://a"},
       2,
       "URL address does not have the form \"host:port\": http://a\n"},
      {{"--listen-client-urls=http://a:1/"}, 2, "URL must not contain a path: http://a:1/\n"},
      {{"--initial-cluster-state=old"},
       2,
       "invalid value \"old\" for flag -initial-cluster-state: invalid value\n"},
      {{"--v2-deprecation=not-yet"},
       2,
       "invalid value \"not-yet\" for flag -v2-deprecation: invalid value \"not-yet\"\n"},
      {{"--feature-gates=Foo=true"},
       2,
       "invalid value \"Foo=true\" for flag -feature-gates: unrecognized feature gate: Foo\n"},
      {{"--feature-gates=LeaseCheckpoint"}, 2, "missing bool value for LeaseCheckpoint\n"},
      {{"--cors="}, 2, "invalid value \"\" for flag -cors: "},
      {{"--log-level=loud"}, 2, "unrecognized level: \"loud\"\n"},
      {{"extra"}, 1, "failed to verify flags error=\"extra\" is not a valid flag"},
      {{"--name=a", "--", "x"}, 1, "error=\"x\" is not a valid flag"},
      {{"--listen-client-urls=http://127.0.0.1:1"},
       1,
       "advertise client URLs are not set error=--advertise-client-urls is required when "
       "--listen-client-urls is set explicitly"},
      {{"--listen-peer-urls=http://example.com:1"},
       1,
       "error=expected IP in URL for binding (http://example.com:1)"},
      {{"--initial-advertise-peer-urls=unix://x"},
       1,
       "error=--initial-advertise-peer-urls \"unix://x\" must be \"host:port\" ("},
      {{"--heartbeat-interval=0"}, 1, "error=--heartbeat-interval must be >0 (set to 0ms)"},
      {{"--heartbeat-interval=300"},
       1,
       "error=--election-timeout[1000ms] should be at least as 5 times as "
       "--heartbeat-interval[300ms]"},
      {{"--election-timeout=60000"},
       1,
       "error=--election-timeout[60000ms] is too long, and should be set less than 50000ms"},
      {{"--auto-compaction-mode=x"}, 1, "error=unknown auto-compaction-mode \"x\""},
      {{"--auto-compaction-mode="}, 1, "error=undefined auto-compaction-mode"},
      {{"--auto-compaction-retention=abc"},
       1,
       "error=error parsing CompactionRetention: time: invalid duration \"abc\""},
      {{"--auto-compaction-retention=-1"},
       1,
       "error=error parsing CompactionRetention: time: missing unit in duration \"-1\""},
      {{"--auto-compaction-retention=-1h"}, 1, "negative duration \"-1h\""},
      {{"--logger=capnslog"}, 1, "error=--logger=capnslog is removed in v3.5"},
      {{"--logger=x"}, 1, "error=unknown logger option \"x\""},
      {{"--log-format=x"}, 1, "error=unknown log format: x, supported values json, console"},
      {{"--log-outputs=default,stdout"},
       1,
       "error=multi logoutput for \"default\" is not supported yet"},
      {{"--enable-log-rotation"},
       1,
       "error=--log-outputs requires a single file path when --log-rotate-config-json is defined"},
      {{"--feature-gates=LeaseCheckpointPersist=true"},
       1,
       "error=enabling feature gate LeaseCheckpointPersist requires enabling feature gate "
       "LeaseCheckpoint"},
      {{"--compact-hash-check-time=0s"},
       1,
       "error=--compact-hash-check-time must be >0 (set to 0s)"},
      {{"--experimental-compact-hash-check-time=-1s"},
       1,
       "error=--compact-hash-check-time must be >0 (set to -1s)"},
      {{"--corrupt-check-time=-1s"}, 1, "--corrupt-check-time"},
      {{"--experimental-corrupt-check-time=1s", "--corrupt-check-time=1s"},
       1,
       "error=cannot set --experimental-corrupt-check-time and --corrupt-check-time at the same "
       "time, please use --corrupt-check-time only"},
      {{"--experimental-enable-lease-checkpoint", "--feature-gates=LeaseCheckpoint=true"},
       1,
       "error=cannot specify both flags: --experimental-enable-lease-checkpoint=true and "
       "--feature-gates=LeaseCheckpoint=true at the same time, please just use "
       "--feature-gates=LeaseCheckpoint=true"},
      {{"--cert-file=/c"}, 1, "--cert-file is set, but this version does not have that feature"},
      {{"--auto-tls"}, 1, "--auto-tls is set, but"},
      {{"--listen-client-urls=https://127.0.0.1:1", "--advertise-client-urls=https://a:1"},
       1,
       "--listen-client-urls has https://127.0.0.1:1, but this version does not have TLS yet"},
  };
  for (const FailureCase& c : cases) {
    const ParseResult result = ParseWith(c.arguments);
    EXPECT_FALSE(result.proceed) << c.arguments[0];
    EXPECT_EQ(result.exit_code, c.exit_code) << c.arguments[0];
    EXPECT_THAT(Printed(result), HasSubstr(c.message)) << c.arguments[0];
  }
}

TEST(ConfigParse, HelpAndVersionEndWithZero) {
  const ParseResult help = ParseWith({"--help"});
  EXPECT_FALSE(help.proceed);
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(Printed(help), HasSubstr("--listen-client-urls 'http://localhost:2379'"));
  const ParseResult version = ParseWith({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  ASSERT_EQ(version.messages.size(), 1U);
  EXPECT_EQ(version.messages[0].kind, Message::Kind::kStdout);
  EXPECT_THAT(version.messages[0].text,
              testing::StartsWith("etcd Version: 3.6.16\nGit SHA: abc1234\nGo Version: "));
}

TEST(ConfigParse, EnvironmentFillsWhatTheCommandLineLeft) {
  const ParseResult result = ParseWith(
      {"--name=a"}, {"ETCD_SNAPSHOT_COUNT=7", "PATH=/bin", "ETCD_MAX_WALS=", "ETCD_FOO=1"});
  ASSERT_TRUE(result.proceed);
  EXPECT_EQ(result.config.snapshot_count, 7U);
  EXPECT_EQ(result.config.max_wals, 5U);
  EXPECT_THAT(Printed(result), HasSubstr("recognized and used environment variable "
                                         "variable-name=ETCD_SNAPSHOT_COUNT variable-value=7"));
  EXPECT_THAT(Printed(result),
              HasSubstr("unrecognized environment variable environment-variable=ETCD_FOO=1"));
  EXPECT_THAT(Printed(result),
              HasSubstr("unrecognized environment variable environment-variable=ETCD_MAX_WALS="));
}

TEST(ConfigParse, FlagAndVariableTogetherAreFatal) {
  const ParseResult result = ParseWith({"--name=a"}, {"ETCD_NAME=a"});
  EXPECT_FALSE(result.proceed);
  EXPECT_EQ(result.exit_code, 1);
  ASSERT_FALSE(result.messages.empty());
  EXPECT_EQ(result.messages.back().level, base::LogLevel::kFatal);
  EXPECT_EQ(result.messages.back().text,
            "conflicting environment variable is shadowed by corresponding command-line flag "
            "(either unset environment variable or disable flag))");
}

TEST(ConfigParse, BadVariableIsAFailureOfVerification) {
  const ParseResult result = ParseWith({}, {"ETCD_MAX_WALS=x"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(Printed(result), HasSubstr("failed to verify flags error=invalid value \"x\" for "
                                         "ETCD_MAX_WALS: parse error"));
}

TEST(ConfigParse, OldNamesWorkAndWarn) {
  const ParseResult result = ParseWith({"--experimental-compaction-batch-limit=7"});
  ASSERT_TRUE(result.proceed);
  EXPECT_EQ(result.config.compaction_batch_limit, 7);
  EXPECT_THAT(Printed(result),
              HasSubstr("--experimental-compaction-batch-limit is deprecated in v3.6 and will be "
                        "decommissioned in v3.7. Use '--compaction-batch-limit' instead."));
}

TEST(ConfigParse, IgnoredFlagsTakeAnyValueOrNone) {
  EXPECT_TRUE(ParseWith({"--v", "--snapshot=x", "--peer-election-timeout=9"}).proceed);
}

TEST(ConfigParse, NameAloneRewritesTheInitialCluster) {
  const ParseResult result =
      ParseWith({"--name=m1", "--initial-advertise-peer-urls=http://h:2,http://h:1"});
  ASSERT_TRUE(result.proceed);
  EXPECT_EQ(result.config.initial_cluster, "m1=http://h:1,m1=http://h:2");
  EXPECT_TRUE(result.config.bootstrap.ok());
}

TEST(ConfigParse, AWildcardPeerListenerIsAdvertisedByTheDefaultRoute) {
  const ParseResult result = ParseWith({"--listen-peer-urls=http://0.0.0.0:77"});
  ASSERT_TRUE(result.proceed);
  EXPECT_EQ(result.config.initial_cluster, "default=http://10.1.2.3:77");
}

TEST(ConfigParse, ClusterListsThatCannotBootstrapAreKeptForTheBootstrap) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--name=b", "--initial-cluster=a=http://x:1"},
       "couldn't find local name \"b\" in the initial cluster configuration"},
      {{"--initial-cluster=default"},
       "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: "},
      {{"--initial-cluster=default=http://x:1"},
       "--initial-cluster has default=http://x:1 but missing from "
       "--initial-advertise-peer-urls=http://localhost:2380 (resolved urls: "
       "\"http://localhost:2380\" != \"http://x:1\")"},
      {{"--initial-cluster=default=http://localhost:2380,b=http://x:1,c=http://x:1"},
       "initial cluster b=http://x:1,c=http://x:1,default=http://localhost:2380 has duplicate url"},
      {{"--initial-cluster=default=http://x:1,b=http://x:1", "--initial-cluster-state=existing"},
       "has duplicate url"},
      {{"--initial-cluster=b=http://x:1", "--initial-cluster-state=existing"},
       "couldn't find local name \"default\" in the initial cluster configuration"},
  };
  for (const auto& [arguments, message] : cases) {
    const ParseResult result = ParseWith(arguments);
    EXPECT_TRUE(result.proceed) << arguments[0];
    EXPECT_THAT(std::string(base::MessageOf(result.config.bootstrap)), HasSubstr(message));
  }
}

TEST(ConfigParse, SeveralMembersAreReadByName) {
  const ParseResult result =
      ParseWith({"--name=a", "--initial-advertise-peer-urls=http://h:2,http://h:1",
                 "--initial-cluster=b=http://g:1,a=http://h:2,a=http://h:1"});
  EXPECT_TRUE(result.config.bootstrap.ok()) << result.config.bootstrap;
  EXPECT_THAT(result.config.initial_members,
              ElementsAre(Pair("a", ElementsAre("http://h:1", "http://h:2")),
                          Pair("b", ElementsAre("http://g:1"))));
}

// The one that joins may be listed with other URLs than it advertises: the cluster decides.
TEST(ConfigParse, AJoinerIsNotComparedWithItsAdvertisedUrls) {
  const ParseResult result =
      ParseWith({"--initial-cluster=default=http://x:1", "--initial-cluster-state=existing"});
  EXPECT_TRUE(result.config.bootstrap.ok()) << result.config.bootstrap;
}

TEST(ConfigParse, RetentionIsHoursOrADurationOrRevisions) {
  EXPECT_EQ(ParseWith({"--auto-compaction-retention=2"}).config.auto_compaction_period,
            std::chrono::hours(2));
  EXPECT_EQ(ParseWith({"--auto-compaction-retention=10s"}).config.auto_compaction_period,
            std::chrono::seconds(10));
  const ParseResult revisions =
      ParseWith({"--auto-compaction-mode=revision", "--auto-compaction-retention=1000"});
  EXPECT_EQ(revisions.config.auto_compaction_revisions, 1000);
  EXPECT_EQ(revisions.config.auto_compaction_period, std::chrono::nanoseconds(0));
}

// GHSA-pm3m-32r3-7mfh: a number that no loop or timer can work with must not get through. Every
// value is either refused with a message or leaves a usable configuration.
TEST(ConfigParse, EveryNumericFlagIsCheckedAtItsEnds) {
  const std::vector<std::string> numbers = {
      "-9223372036854775808", "-1", "0", "1", "4294967295", "9223372036854775807",
      "18446744073709551615"};
  const std::vector<std::string> durations = {"-2562047h", "-1ns", "0s", "1ns", "2562047h"};
  for (const FlagRow& row : FlagRows()) {
    const bool duration = GoTypeOf(row) == "time.Duration";
    if (!duration && !GoTypeOf(row).starts_with("int") && !GoTypeOf(row).starts_with("uint")) {
      continue;
    }
    for (const std::string& value : duration ? durations : numbers) {
      const ParseResult result = ParseWith({"--" + std::string(row.name) + "=" + value});
      SCOPED_TRACE(std::string(row.name) + "=" + value);
      if (!result.proceed) {
        EXPECT_FALSE(result.messages.empty());
        EXPECT_TRUE(result.exit_code == 1 || result.exit_code == 2);
        continue;
      }
      const Config& config = result.config;
      EXPECT_GT(config.election_ticks, 0);
      EXPECT_GT(config.watch_progress_notify_interval, std::chrono::nanoseconds(0));
      EXPECT_GT(config.compaction_batch_limit, 0);
      EXPECT_GT(config.compaction_sleep_interval, std::chrono::nanoseconds(0));
      EXPECT_GT(config.snapshot_count, 0U);
      EXPECT_GT(config.max_request_bytes, 0U);
      EXPECT_LE(config.max_request_bytes, 1U << 30);
      EXPECT_GE(config.grpc_keepalive_interval, std::chrono::nanoseconds(0));
    }
  }
}

TEST(ConfigParse, TheFileRulesAlone) {
  const ParseResult result =
      ParseWith({"--config-file=f", "--name=flag"}, {"ETCD_MAX_WALS=9", "ETCD_NAME=x"},
                {{{"f",
                   "Name: file\nsnapshot-count: 5\npre-vote: false\nunknown: {a: 1}\n"
                   "listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2\n"
                   "grpc-keepalive-interval: 1000000000\nlog-outputs: [stdout, /x]\n"
                   "auto-compaction-retention: \"1\"\nsocket-options: {reuse-port: true}\n"}}});
  ASSERT_TRUE(result.proceed) << Printed(result);
  EXPECT_EQ(result.config.name, "file");
  EXPECT_EQ(result.config.snapshot_count, 5U);
  EXPECT_FALSE(result.config.pre_vote);
  EXPECT_EQ(result.config.listen_client_urls.size(), 2U);
  EXPECT_EQ(ToText(result.config.advertise_client_urls), "http://localhost:2379");
  EXPECT_EQ(result.config.grpc_keepalive_interval, std::chrono::seconds(1));
  EXPECT_THAT(result.config.log_outputs, ElementsAre("stdout", "/x"));
  EXPECT_EQ(result.config.auto_compaction_period, std::chrono::hours(1));
  EXPECT_TRUE(result.config.socket_reuse_port);
  EXPECT_EQ(result.config.max_wals, 5U);
  EXPECT_THAT(Printed(result), testing::Not(HasSubstr("environment variable ")));
}

TEST(ConfigParse, BadFilesFailWithGosMessages) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"name: 1", "cannot unmarshal number into Go struct field configYAML.name of type string"},
      {"max-wals: -1",
       "cannot unmarshal number -1 into Go struct field configYAML.max-wals of type uint"},
      {"pre-vote: \"true\"",
       "cannot unmarshal string into Go struct field configYAML.pre-vote of type bool"},
      {"grpc-keepalive-interval: 10m",
       "cannot unmarshal string into Go struct field configYAML.grpc-keepalive-interval of type "
       "time.Duration"},
      {"log-outputs: stdout",
       "cannot unmarshal string into Go struct field configYAML.log-outputs of type []string"},
      {"a: [", "error converting YAML to JSON: yaml: line "},
      {"initial-cluster-state: foo", "unexpected clusterState \"foo\""},
      {"feature-gates: Foo=true", "unrecognized feature gate: Foo"},
      {"listen-client-urls: foo", "unexpected error setting up listen-client-urls: "},
      {"client-transport-security: {cert-file: /x}", "--cert-file is set, but"},
      {"peer-transport-security: {allowed-cn: [a]}", "--peer-cert-allowed-cn is set, but"},
  };
  for (const auto& [yaml, message] : cases) {
    const ParseResult result = ParseFileText(yaml);
    EXPECT_FALSE(result.proceed) << yaml;
    EXPECT_EQ(result.exit_code, 1) << yaml;
    EXPECT_THAT(Printed(result), HasSubstr(message)) << yaml;
  }
  EXPECT_THAT(Printed(ParseWith({"--config-file=g"})),
              HasSubstr("failed to verify flags error=open g: no such file or directory"));
}

TEST(ConfigParse, EveryDefaultInTheHelpIsAcceptedAsAValue) {
  for (const FlagRow& row : FlagRows()) {
    if (row.support == Support::kIgnored) continue;
    Config config;
    EXPECT_TRUE(SetFlag(row, FlagText(row, Config()), config).ok()) << row.name;
    EXPECT_EQ(FlagText(row, config), FlagText(row, Config())) << row.name;
  }
}

}  // namespace
}  // namespace etcd::config
