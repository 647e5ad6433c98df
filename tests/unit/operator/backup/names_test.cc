#include <random>

#include <gmock/gmock.h>

#include "operator/backup/manifest.h"
#include "operator/backup/naming.h"
#include "operator/backup/order.h"

namespace etcd::backup {
namespace {

using std::chrono::seconds;

const WallTime kAt = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + seconds(72'907);

TEST(BackupNames, FilesSayWhenAndWhat) {
  const ArtifactName name{.at = kAt, .revision = 4711, .uid_part = "0f9b2c1d", .is_zstd = true};
  EXPECT_EQ(FileNameOf(name), "20261121T201507Z-4711-0f9b2c1d.snap.zst");
  const auto parsed = ParseFileName(FileNameOf(name));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->at, name.at);
  EXPECT_EQ(parsed->revision, 4711);
  EXPECT_EQ(parsed->uid_part, "0f9b2c1d");
  EXPECT_TRUE(parsed->is_zstd);
  EXPECT_FALSE(ParseFileName("20261121T201507Z-1-a.snap")->is_zstd);
}

TEST(BackupNames, StrangersAreNotTakenForBackups) {
  for (const char* const name :
       {"", "x", ".snap", "20261121T201507Z-4711-0f9b2c1d", "20261121T201507Z-x-0f9b2c1d.snap",
        "20261121T201507Z-4711-.snap", "20261121T201507Z--1-a.snap", "20261121T201507Z4711-a.snap",
        "20261141T201507Z-4711-0f9b2c1d.snap", "20261121T201507Z-1-toolonguid.snap",
        "20261121T201507Z-4711-0f9b2c1d.snap.zst.json",
        "20261121T201507Z-99999999999999999999-a.snap"}) {
    EXPECT_FALSE(ParseFileName(name)) << name;
  }
}

TEST(BackupNames, OfRunsAndTries) {
  EXPECT_EQ(BackupNameOf("nightly", kAt), BackupNameOf("nightly", kAt + seconds(40)));
  EXPECT_NE(BackupNameOf("nightly", kAt), BackupNameOf("nightly", kAt + seconds(60)));
  EXPECT_EQ(JobNameOf("b", "0f9b2c1d-1", 2), "b-0f9b2-2");
  const std::string longest = JobNameOf(std::string(250, 'b'), "0f9b2c1d-1", 20);
  EXPECT_LE(longest.size(), 52U);
  EXPECT_NE(longest, JobNameOf(std::string(250, 'b'), "1f9b2c1d-1", 20));
  EXPECT_EQ(JobNameOf(std::string(43, 'b') + ".x", "0f9b2c1d-1", 2),
            std::string(43, 'b') + "-0f9b2-2");
}

TEST(BackupNames, Durations) {
  using namespace std::chrono_literals;
  EXPECT_EQ(ParseDuration("1h30m"), 90min);
  EXPECT_EQ(ParseDuration("1.5s"), 1500ms);
  EXPECT_EQ(ParseDuration("500ms"), 500ms);
  EXPECT_EQ(ParseDuration("2160h"), 2160h);
  EXPECT_EQ(ParseDuration("0s"), 0s);
  for (const char* const text : {"", "5", "m", "-5m", "5 m", "5d", "1h-1m", "99999999999h"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

Manifest Sample() {
  Manifest manifest;
  manifest.key = "n/main/20261121T201507Z-4711-0f9b2c1d.snap";
  manifest.created_at = "2026-11-21T20:15:07Z";
  manifest.ns = "n";
  manifest.cluster = "main";
  manifest.backup = {.name = "b", .uid = "0f9b2c1d-1"};
  manifest.schedule = Identity{.name = "s", .uid = "u"};
  manifest.artifact.sha256 = std::string(64, 'a');
  manifest.artifact.revision = 4711;
  manifest.verification.result = "Passed";
  return manifest;
}

TEST(BackupManifest, ComesBackAsItWas) {
  const auto parsed = ParseManifest(WriteManifest(Sample()));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, Sample());
  EXPECT_TRUE(parsed->is_verified());
}

TEST(BackupManifest, OthersAreRefused) {
  const std::string good = WriteManifest(Sample());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return text.replace(at, from.size(), to);
  };
  EXPECT_FALSE(ParseManifest("").ok());
  EXPECT_FALSE(ParseManifest("[1]").ok());
  EXPECT_FALSE(ParseManifest("{}").ok());
  EXPECT_FALSE(ParseManifest(with("\"format\":1", "\"format\":2")).ok());
  EXPECT_FALSE(ParseManifest(with("\"format\":1", "\"format\":\"1\"")).ok());
  EXPECT_FALSE(ParseManifest(with("2026-11-21T20:15:07Z", "yesterday")).ok());
  EXPECT_FALSE(ParseManifest(with("\"revision\":4711", "\"revision\":\"many\"")).ok());
  EXPECT_FALSE(ParseManifest(with("\"sha256\"", "\"sha255\"")).ok());
  EXPECT_FALSE(ParseManifest(good + std::string(kManifestBytesMax, ' ')).ok());
  std::mt19937 random(5);
  for (int round = 0; round < 5'000; ++round) {
    std::string text = good;
    text[random() % text.size()] = static_cast<char>(random());
    (void)ParseManifest(text);
  }
}

TEST(BackupOrder, ComesBackAsItWas) {
  Order order;
  order.kind = OrderKind::kBackup;
  order.backup.metadata.name = "b";
  order.backup.metadata.uid = "u";
  order.backup.spec.destination.pvc = model::VolumePath{.claim_name = "c"};
  order.backup.spec.cluster_ref = model::LocalReference{.name = "main"};
  order.endpoints = {"http://a:2379", "http://b:2379"};
  order.schedule = Identity{.name = "s", .uid = "v"};
  order.retention = model::Retention{.keep_last = 3, .max_age = "2160h"};
  const auto parsed = ParseOrder(WriteOrder(order));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->backup, order.backup);
  EXPECT_EQ(parsed->endpoints, order.endpoints);
  EXPECT_EQ(parsed->schedule, order.schedule);
  EXPECT_EQ(parsed->retention, order.retention);
  EXPECT_EQ(PolicyOf(*parsed->retention).max_age, std::chrono::hours(2160));
  EXPECT_FALSE(ParseOrder("{}").ok());
}

TEST(BackupOrder, OfARestoreSaysWhereToUnlessItIsATrial) {
  RestoreOrder order;
  order.member.spec.restore_from.emplace();
  order.member.spec.restore_from->from.pvc = model::VolumePath{.claim_name = "c"};
  order.sha256 = "ab";
  EXPECT_FALSE(ParseRestoreOrder(WriteRestoreOrder(order)).ok());
  order.is_trial = true;
  const auto parsed = ParseRestoreOrder(WriteRestoreOrder(order));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->is_trial);
  EXPECT_EQ(parsed->sha256, "ab");
}

TEST(BackupOrder, StagesHaveNames) {
  for (const auto stage : {Stage::kSnapshot, Stage::kVerify, Stage::kStore}) {
    EXPECT_EQ(ParseStage(ToText(stage)), stage);
  }
  EXPECT_FALSE(ParseStage("upload"));
}

TEST(BackupReport, FitsIntoATerminationMessage) {
  Report report{.is_ok = true, .reason = "Unverified"};
  for (int i = 0; i < 3000; ++i) report.message += "ü\"";
  report.prune_problem = report.message;
  report.artifact.emplace();
  report.artifact->uri = std::string(1024, 'k');
  const std::string text = WriteReport(report);
  EXPECT_LE(text.size(), kReportBytesMax);
  const auto parsed = ParseReport(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->is_ok);
  EXPECT_EQ(parsed->artifact->uri, report.artifact->uri);
  EXPECT_FALSE(ParseReport("").ok());
  EXPECT_FALSE(ParseReport("killed").ok());
}

}  // namespace
}  // namespace etcd::backup
