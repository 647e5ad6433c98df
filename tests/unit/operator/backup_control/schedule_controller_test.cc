#include "operator/backup_control/schedule_controller.h"

#include <gmock/gmock.h>

#include "operator/backup/naming.h"
#include "tests/unit/operator/backup_control/control_fixture.h"

namespace etcd::backup_control {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct ScheduleControllerTest : ::testing::Test, ControlFixture {
  ScheduleControllerTest() { PutSchedule({}); }

  void PutSchedule(const json& spec) {
    json whole = {{"clusterRef", {{"name", "main"}}},
                  {"schedule", "*/10 * * * *"},
                  {"template", {{"destination", {{"pvc", {{"claimName", "backups"}}}}}}}};
    if (!spec.is_null()) whole.merge_patch(spec);
    Put(desired::kSchedules, "s", {{"spec", whole}});
  }
  kube::WorkQueue::Result Run() {
    auto result = controller.Reconcile({"EtcdBackupSchedule", "n", "s"}, {});
    EXPECT_TRUE(result.status.ok()) << result.status;
    return result;
  }
  json Schedule() { return Read(desired::kSchedules, "s"); }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const kube::Object& backup : All(desired::kBackups)) names.push_back(backup.name());
    return names;
  }
  static std::string NameAt(minutes after_start) {
    return backup::BackupNameOf("s", Start() + after_start);
  }
  void End(const std::string& name, const std::string& phase,
           const std::string& result = "Passed") {
    Change(desired::kBackups, name,
           {{"status",
             {{"phase", phase},
              {"completionTime", kube::FormatTime(clock.WallNow())},
              {"message", "why"},
              {"verification", {{"result", result}}}}}});
  }
  // The next time, with the backup of it ended.
  void Round(const std::string& phase) {
    Advance(minutes(10));
    Run();
    for (const std::string& name : Names()) {
      if (!Read(desired::kBackups, name).contains("status")) End(name, phase);
    }
    Run();
  }

  ScheduleController controller{Context(), metrics};
};

TEST_F(ScheduleControllerTest, MakesABackupWhenItsTimeHasComeAndOnce) {
  const auto wait = Run().again_after.value();
  EXPECT_TRUE(Names().empty());
  EXPECT_EQ(Schedule()["status"]["nextScheduleTime"], "2026-01-01T00:10:00Z");
  EXPECT_GE(wait, minutes(10));
  EXPECT_LE(wait, minutes(10) + seconds(2));
  Advance(wait);
  Run();
  Run();
  EXPECT_THAT(Names(), ElementsAre(NameAt(minutes(10))));
  const json made = Read(desired::kBackups, NameAt(minutes(10)));
  EXPECT_EQ(made["spec"]["clusterRef"]["name"], "main");
  EXPECT_EQ(made["spec"]["destination"]["pvc"]["claimName"], "backups");
  EXPECT_EQ(made["metadata"]["labels"]["etcdpp.dev/schedule"], "s");
  EXPECT_EQ(made["metadata"]["ownerReferences"][0]["uid"], Schedule()["metadata"]["uid"]);
  EXPECT_EQ(Schedule()["status"]["lastScheduleTime"], "2026-01-01T00:10:00Z");
  EXPECT_THAT(Schedule()["status"]["active"], ElementsAre(NameAt(minutes(10))));
}

TEST_F(ScheduleControllerTest, ACrashBeforeTheStatusDoesNotMakeTwo) {
  Advance(minutes(10));
  server.Inject({.method = "PATCH", .target_part = "/status", .times = 20, .code = 500});
  EXPECT_FALSE(controller.Reconcile({"EtcdBackupSchedule", "n", "s"}, {}).status.ok());
  server.ClearFaults();
  Run();
  EXPECT_THAT(Names(), ElementsAre(NameAt(minutes(10))));
}

TEST_F(ScheduleControllerTest, ForbidWaitsForTheOneThatRunsAndCountsWhatWasMissed) {
  PutSchedule({{"startingDeadlineSeconds", 120}});
  Advance(minutes(10));
  Run();
  Advance(minutes(10));
  EXPECT_LE(Run().again_after.value(), seconds(11));
  EXPECT_EQ(Names().size(), 1U);
  EXPECT_FALSE(Schedule()["status"].contains("missedSchedules"));
  Advance(minutes(3));
  Run();
  EXPECT_EQ(Names().size(), 1U) << "too late now";
  EXPECT_EQ(Schedule()["status"]["missedSchedules"], 1);
  EXPECT_TRUE(WasTold("BackupFailed"));
}

TEST_F(ScheduleControllerTest, ForbidGoesOnOnceTheOneThatRanIsDone) {
  Advance(minutes(10));
  Run();
  Advance(minutes(10));
  Run();
  End(NameAt(minutes(10)), "Completed");
  Run();
  EXPECT_THAT(Names(), Contains(NameAt(minutes(20))));
}

TEST_F(ScheduleControllerTest, ReplaceTakesTheOneThatRunsAway) {
  PutSchedule({{"concurrencyPolicy", "Replace"}});
  Advance(minutes(10));
  Run();
  Advance(minutes(10));
  Run();
  EXPECT_THAT(Names(), ElementsAre(NameAt(minutes(20))));
}

TEST_F(ScheduleControllerTest, AllowLetsThemRunBesideEachOther) {
  PutSchedule({{"concurrencyPolicy", "Allow"}});
  Advance(minutes(10));
  Run();
  Advance(minutes(10));
  Run();
  EXPECT_EQ(Names().size(), 2U);
}

TEST_F(ScheduleControllerTest, AfterAnAbsenceOnlyTheLatestIsMade) {
  Advance(minutes(35));
  Run();
  EXPECT_THAT(Names(), ElementsAre(NameAt(minutes(30))));
  EXPECT_EQ(Schedule()["status"]["missedSchedules"], 2);
}

TEST_F(ScheduleControllerTest, ImmediateMakesOneAtOnce) {
  PutSchedule({{"immediate", true}});
  Run();
  Run();
  EXPECT_THAT(Names(), ElementsAre(NameAt(minutes(0))));
  End(NameAt(minutes(0)), "Completed");
  Advance(minutes(10));
  Run();
  EXPECT_THAT(Names(), Contains(NameAt(minutes(10))));
}

TEST_F(ScheduleControllerTest, SuspendedMakesNone) {
  PutSchedule({{"suspend", true}});
  Advance(minutes(10));
  Run();
  EXPECT_TRUE(Names().empty());
  EXPECT_EQ(ConditionOf(Schedule(), "Ready"), "True Suspended");
  EXPECT_FALSE(Schedule()["status"].contains("nextScheduleTime"));
}

TEST_F(ScheduleControllerTest, JitterIsTheSameForTheSameRunAndBounded) {
  PutSchedule({{"jitter", "5m"}});
  Advance(minutes(10));
  const auto wait = Run().again_after.value();
  EXPECT_LE(wait, minutes(5) + seconds(1));
  Advance(minutes(5));
  Run();
  EXPECT_THAT(Names(), ElementsAre(NameAt(minutes(10))));
}

TEST_F(ScheduleControllerTest, WhatCannotBeReadIsToldOnce) {
  PutSchedule({{"timeZone", "Mars/Olympus"}});
  Run();
  Run();
  EXPECT_EQ(ConditionOf(Schedule(), "Ready"), "False InvalidSpec");
  EXPECT_THAT(Schedule().dump(), HasSubstr("no time zone Mars/Olympus"));
  EXPECT_TRUE(WasTold("SpecInvalid"));
  PutSchedule({{"schedule", "0 0 30 2 *"}});
  Run();
  EXPECT_THAT(Schedule().dump(), HasSubstr("never comes"));
}

TEST_F(ScheduleControllerTest, TimesAreThoseOfItsZone) {
  PutSchedule({{"schedule", "30 2 * * *"}, {"timeZone", "Asia/Kolkata"}});
  Run();
  EXPECT_EQ(Schedule()["status"]["nextScheduleTime"], "2026-01-01T21:00:00Z");
}

TEST_F(ScheduleControllerTest, ObjectsBeyondTheHistoryGo) {
  PutSchedule({{"successfulHistoryLimit", 2}});
  for (int i = 0; i < 4; ++i) Round("Completed");
  EXPECT_THAT(Names(), ElementsAre(NameAt(minutes(30)), NameAt(minutes(40))));
}

TEST_F(ScheduleControllerTest, FailuresInARowAreCountedAndEndWithASuccess) {
  for (int i = 0; i < 3; ++i) Round("Failed");
  EXPECT_EQ(Schedule()["status"]["consecutiveFailures"], 3);
  EXPECT_EQ(ConditionOf(Schedule(), "Ready"), "False Failing");
  EXPECT_EQ(ConditionOf(Read(desired::kClusters, "main"), "BackupHealthy"), "False Stale");
  Round("Completed");
  EXPECT_EQ(Schedule()["status"]["consecutiveFailures"], 0);
  EXPECT_EQ(ConditionOf(Schedule(), "Ready"), "True Scheduled");
  EXPECT_EQ(Names().size(), 2U) << "one failed and the good one";
}

TEST_F(ScheduleControllerTest, WithoutAVerifiedBackupForTwoPeriodsItIsStale) {
  Round("Completed");
  EXPECT_EQ(ConditionOf(Schedule(), "Stale"), "False Fresh");
  EXPECT_EQ(ConditionOf(Read(desired::kClusters, "main"), "BackupHealthy"), "True Fresh");
  EXPECT_EQ(Read(desired::kClusters, "main")["status"]["backup"]["lastVerifiedTime"],
            "2026-01-01T00:10:00Z");
  Advance(minutes(10));
  Run();
  End(NameAt(minutes(20)), "Completed", "Failed");
  Run();
  EXPECT_EQ(ConditionOf(Schedule(), "Stale"), "False Fresh");
  EXPECT_EQ(Schedule()["status"]["lastSuccessfulTime"], "2026-01-01T00:20:00Z");
  EXPECT_EQ(Schedule()["status"]["lastVerifiedTime"], "2026-01-01T00:10:00Z");
  Advance(minutes(11));
  Run();
  EXPECT_EQ(ConditionOf(Schedule(), "Stale"), "True NoVerifiedBackup");
  EXPECT_TRUE(WasTold("BackupStale"));
  EXPECT_EQ(ConditionOf(Read(desired::kClusters, "main"), "BackupHealthy"), "False Stale");
}

TEST_F(ScheduleControllerTest, FiguresAreThereAndGoWithIt) {
  Round("Completed");
  std::string text;
  metrics.Append(text);
  EXPECT_THAT(text, HasSubstr("etcd_operator_backup_last_verified_timestamp_seconds{namespace="
                              "\"n\",cluster=\"main\",schedule=\"s\"} 1767226200.000"));
  server.Remove(Target(desired::kSchedules, "s"));
  Run();
  text.clear();
  metrics.Append(text);
  EXPECT_THAT(text, ::testing::Not(HasSubstr("schedule=\"s\"")));
}

TEST_F(ScheduleControllerTest, WhoDoesNotLeadMakesNothing) {
  Advance(minutes(10));
  leads = false;
  Run();
  EXPECT_TRUE(Names().empty());
}

}  // namespace
}  // namespace etcd::backup_control
