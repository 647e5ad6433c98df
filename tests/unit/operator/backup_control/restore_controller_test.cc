#include "operator/backup_control/restore_controller.h"

#include <gmock/gmock.h>

#include "operator/backup_control/restore_init.h"
#include "tests/unit/operator/backup_control/control_fixture.h"

namespace etcd::backup_control {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

struct RestoreControllerTest : ::testing::Test, ControlFixture {
  RestoreControllerTest() {
    PutBackup("Completed", "Passed");
    PutRestore({});
  }

  void PutBackup(const std::string& phase, const std::string& result) {
    Put(desired::kBackups, "b",
        {{"spec",
          {{"clusterRef", {{"name", "main"}}},
           {"destination",
            {{"s3",
              {{"endpoint", "https://s3"},
               {"bucket", "bucket"},
               {"prefix", "p/q"},
               {"credentialsSecretRef", {{"name", "s3"}}}}}}}}},
         {"status",
          {{"phase", phase},
           {"artifact", {{"uri", "s3://bucket/p/q/n/main/a.snap.zst"}, {"sha256", "abcd"}}},
           {"verification", {{"result", result}}}}}});
  }
  void PutRestore(const json& spec) {
    json whole = {{"source", {{"backupRef", {{"name", "b"}}}}},
                  {"verifyFirst", false},
                  {"target",
                   {{"newCluster",
                     {{"name", "copy"}, {"labels", {{"a", "b"}}}, {"spec", {{"replicas", 3}}}}}}}};
    if (!spec.is_null()) whole.merge_patch(spec);
    Put(desired::kRestores, "r", {{"spec", whole}});
  }
  void Run() {
    const auto result = controller.Reconcile({"EtcdRestore", "n", "r"}, {});
    EXPECT_TRUE(result.status.ok()) << result.status;
  }
  json Restore() { return Read(desired::kRestores, "r"); }
  // The only Job; null when there is none.
  json Trial() {
    const auto jobs = All(kube::kJobs);
    return jobs.empty() ? json() : jobs[0].json();
  }
  // The trial's pod ended with this report.
  void EndTrial(const json& report) {
    const std::string name = Trial()["metadata"]["name"];
    Put(kube::kPods, "trial",
        {{"metadata",
          {{"labels", {{"job-name", name}}},
           {"ownerReferences",
            ListOf({{"kind", "Job"}, {"uid", Trial()["metadata"]["uid"]}, {"controller", true}})}}},
         {"status",
          {{"containerStatuses",
            ListOf({{"name", "backup-worker"},
                    {"state", {{"terminated", {{"message", report.dump()}}}}}})}}}});
    Change(
        kube::kJobs, name,
        {{"status",
          {{"conditions", ListOf({{"type", report["ok"].get<bool>() ? "Complete" : "Failed"},
                                  {"status", "True"},
                                  {"lastTransitionTime", kube::FormatTime(clock.WallNow())}})}}}});
  }
  void PutSeed(const json& report) {
    Put(kube::kPods, "copy-0-abcde",
        {{"metadata", {{"labels", {{"etcdpp.dev/cluster", "copy"}}}}},
         {"status",
          {{"initContainerStatuses",
            ListOf({{"name", "restore-worker"},
                    {"state", {{"terminated", {{"message", report.dump()}}}}}})}}}});
  }
  void SetCluster(int ready) {
    Change(desired::kClusters, "copy",
           {{"status",
             {{"clusterID", "ab12"},
              {"readyReplicas", ready},
              {"voters", ready},
              {"conditions", ListOf({{"type", "Available"},
                                     {"status", "True"},
                                     {"reason", "QuorumHealthy"},
                                     {"lastTransitionTime", "2026-01-01T00:00:00Z"}})}}}});
  }
  void ExpectFailed(const std::string& reason, const std::string& part) {
    Run();
    EXPECT_EQ(Restore()["status"]["phase"], "Failed");
    EXPECT_EQ(ConditionOf(Restore(), "Ready"), "False " + reason);
    EXPECT_THAT(Restore()["status"]["message"].get<std::string>(), HasSubstr(part));
    EXPECT_TRUE(WasTold("RestoreFailed"));
  }

  RestoreController controller{Context(), {.operator_image = "op:1"}, metrics};
};

TEST_F(RestoreControllerTest, MakesAClusterWithTheSourceAndFollowsIt) {
  Run();
  const json cluster = Read(desired::kClusters, "copy");
  ASSERT_FALSE(cluster.is_null());
  EXPECT_EQ(cluster["spec"]["replicas"], 3);
  EXPECT_EQ(cluster["spec"]["bootstrap"]["from"]["backupRef"]["name"], "b");
  EXPECT_EQ(cluster["spec"]["bootstrap"]["bumpRevision"], 1'000'000'000);
  EXPECT_EQ(cluster["metadata"]["labels"]["a"], "b");
  EXPECT_FALSE(cluster["metadata"].contains("ownerReferences")) << "it outlives the EtcdRestore";
  EXPECT_EQ(Restore()["status"]["phase"], "Restoring");
  PutSeed({{"ok", true}, {"restoredRevision", 1'000'000'007}});
  SetCluster(1);
  Run();
  EXPECT_EQ(Restore()["status"]["phase"], "Growing");
  EXPECT_EQ(Restore()["status"]["restoredRevision"], 1'000'000'007);
  SetCluster(3);
  Run();
  EXPECT_EQ(Restore()["status"]["phase"], "Completed");
  EXPECT_EQ(ConditionOf(Restore(), "Ready"), "True Completed");
  EXPECT_TRUE(WasTold("RestoreCompleted"));
  const std::size_t before = server.requests().size();
  Run();
  EXPECT_EQ(server.requests().size(), before + 1);
}

TEST_F(RestoreControllerTest, NothingIsMadeBeforeTheTrialPassed) {
  PutRestore({{"verifyFirst", true}});
  Run();
  Run();
  EXPECT_TRUE(Read(desired::kClusters, "copy").is_null());
  EXPECT_EQ(Restore()["status"]["phase"], "Validating");
  EXPECT_EQ(ConditionOf(Restore(), "Ready"), "False Verifying");
  ASSERT_EQ(All(kube::kJobs).size(), 1U);
  EndTrial({{"ok", true}, {"restoredRevision", 7}});
  Run();
  EXPECT_FALSE(Read(desired::kClusters, "copy").is_null());
  EXPECT_EQ(Restore()["status"]["phase"], "Restoring");
  EXPECT_FALSE(Restore()["status"].contains("message"));
  EXPECT_THAT(Restore()["status"]["steps"].dump(), HasSubstr("trial restore passed: revision 7"));
}

TEST_F(RestoreControllerTest, TheTrialReadsTheStoredObjectAndChangesNothing) {
  PutRestore({{"verifyFirst", true},
              {"target",
               {{"newCluster",
                 {{"spec", {{"image", {{"pullSecrets", ListOf({{"name", "registry"}})}}}}}}}}}});
  Run();
  const json job = Trial();
  EXPECT_EQ(job["metadata"]["ownerReferences"][0]["uid"], Restore()["metadata"]["uid"]);
  EXPECT_EQ(job["metadata"]["ownerReferences"][0]["kind"], "EtcdRestore");
  EXPECT_EQ(job["spec"]["activeDeadlineSeconds"], 3600);
  const json pod = job["spec"]["template"]["spec"];
  EXPECT_EQ(pod["imagePullSecrets"], ListOf({{"name", "registry"}}));
  EXPECT_EQ(pod["containers"][0]["args"][0], "restore-worker");
  EXPECT_THAT(pod["volumes"].dump(), HasSubstr(R"("secretName":"s3")"));
  const auto order =
      backup::ParseRestoreOrder(pod["containers"][0]["args"].back().get<std::string>());
  ASSERT_TRUE(order.ok()) << order.status();
  EXPECT_TRUE(order->is_trial);
  EXPECT_EQ(order->sha256, "abcd");
  EXPECT_EQ(order->member.spec.restore_from->from.s3->key, "p/q/n/main/a.snap.zst");
}

TEST_F(RestoreControllerTest, ABadBackupEndsItBeforeAnythingIsMade) {
  PutRestore({{"verifyFirst", true}});
  Run();
  EndTrial({{"ok", false}, {"final", true}, {"reason", "BackupAltered"}, {"message", "its SHA"}});
  ExpectFailed("BackupAltered", "nothing was made");
  EXPECT_TRUE(Read(desired::kClusters, "copy").is_null());
}

TEST_F(RestoreControllerTest, ATrialThatMayPassIsMadeAgain) {
  PutRestore({{"verifyFirst", true}});
  Run();
  const std::string first = Trial()["metadata"]["uid"];
  EndTrial({{"ok", false}, {"reason", "ScratchFull"}, {"message", "make room"}});
  Run();
  EXPECT_EQ(ConditionOf(Restore(), "Ready"), "False ScratchFull");
  EXPECT_EQ(Restore()["status"]["message"], "make room");
  EXPECT_EQ(Trial()["metadata"]["uid"], first) << "not at once";
  Advance(std::chrono::seconds(31));
  Run();
  server.Remove(Target(kube::kPods, "trial"));
  Run();
  ASSERT_EQ(All(kube::kJobs).size(), 1U);
  EXPECT_NE(Trial()["metadata"]["uid"], first);
  EXPECT_TRUE(Read(desired::kClusters, "copy").is_null());
  EXPECT_TRUE(WasTold("RestoreFailed"));
}

TEST_F(RestoreControllerTest, ATrialThatDiesIsMadeAgain) {
  PutRestore({{"verifyFirst", true}});
  Run();
  EndTrial({{"ok", false}});
  server.Remove(Target(kube::kPods, "trial"));
  Run();
  EXPECT_EQ(ConditionOf(Restore(), "Ready"), "False WorkerDied");
}

TEST_F(RestoreControllerTest, WhatTheTrialNeedsIsWaitedFor) {
  PutRestore({{"verifyFirst", true}});
  server.Remove(Target(kube::kSecrets, "s3"));
  Run();
  EXPECT_EQ(ConditionOf(Restore(), "Ready"), "False DependencyMissing");
  EXPECT_THAT(Restore()["status"]["message"].get<std::string>(),
              HasSubstr("the backup's destination.s3.credentialsSecretRef"));
  EXPECT_TRUE(Trial().is_null());
}

TEST_F(RestoreControllerTest, WhyTheSeedWaitsIsTheReason) {
  Run();
  PutSeed({{"ok", false}, {"reason", "VolumeTooSmall"}, {"message", "set a larger storage.size"}});
  Run();
  EXPECT_EQ(ConditionOf(Restore(), "Ready"), "False VolumeTooSmall");
  EXPECT_TRUE(WasTold("RestoreFailed"));
}

TEST_F(RestoreControllerTest, ACrashAfterTheClusterWasMadeIsNoObstacle) {
  server.Inject({.method = "PATCH", .target_part = "/status", .times = 20, .code = 500});
  EXPECT_FALSE(controller.Reconcile({"EtcdRestore", "n", "r"}, {}).status.ok());
  server.ClearFaults();
  ASSERT_FALSE(Read(desired::kClusters, "copy").is_null());
  Run();
  EXPECT_EQ(Restore()["status"]["phase"], "Restoring");
}

TEST_F(RestoreControllerTest, AClusterThatExistsIsNotTouched) {
  PutRestore({{"target", {{"newCluster", {{"name", "main"}}}}}});
  const json before = Read(desired::kClusters, "main");
  ExpectFailed("TargetExists", "another name");
  EXPECT_EQ(Read(desired::kClusters, "main"), before);
}

TEST_F(RestoreControllerTest, InPlaceIsRefused) {
  Put(desired::kRestores, "r",
      {{"spec",
        {{"source", {{"backupRef", {{"name", "b"}}}}},
         {"target", {{"inPlace", {{"clusterName", "main"}, {"confirmClusterUID", "u"}}}}}}}});
  ExpectFailed("InvalidSpec", "only new clusters");
}

TEST_F(RestoreControllerTest, ABumpWithoutTheMarkIsRefused) {
  PutRestore({{"markCompacted", false}});
  ExpectFailed("InvalidSpec", "markCompacted: true");
  EXPECT_TRUE(Read(desired::kClusters, "copy").is_null());
}

TEST_F(RestoreControllerTest, ABackupThatIsNotDoneIsWaitedFor) {
  PutBackup("Running", "");
  Run();
  EXPECT_EQ(ConditionOf(Restore(), "Ready"), "False SourceNotReady");
  EXPECT_TRUE(Read(desired::kClusters, "copy").is_null());
  PutBackup("Completed", "Passed");
  Run();
  EXPECT_FALSE(Read(desired::kClusters, "copy").is_null());
}

TEST_F(RestoreControllerTest, ABackupThatFailedItsTrialIsRefused) {
  PutBackup("Completed", "Failed");
  ExpectFailed("SourceUnusable", "failed its trial restore");
}

TEST_F(RestoreControllerTest, AnAlteredBackupEndsTheRestore) {
  Run();
  PutSeed({{"ok", false}, {"final", true}, {"reason", "BackupAltered"}, {"message", "its SHA"}});
  ExpectFailed("BackupAltered", "delete EtcdCluster copy");
  std::string text;
  metrics.Append(text);
  EXPECT_THAT(text, HasSubstr("etcd_operator_restore_total{result=\"failure\"} 1"));
}

TEST_F(RestoreControllerTest, WhatTakesTooLongFails) {
  Run();
  PutSeed({{"ok", false}, {"reason", "DestinationUnreachable"}, {"message", "no route"}});
  Run();
  EXPECT_EQ(Restore()["status"]["message"], "no route");
  Advance(std::chrono::minutes(61));
  ExpectFailed("DeadlineExceeded", "no route");
}

TEST_F(RestoreControllerTest, TheSeedGetsTheStoredObject) {
  RestoreRequest request{.ns = "n",
                         .member = "copy-0-abcde",
                         .peer_url = "http://copy-0-abcde:2380",
                         .token = "n/copy/u",
                         .data_volume = "data",
                         .data_mount = "/var/lib/etcd",
                         .data_dir = "/var/lib/etcd/data",
                         .pod = {.operator_image = "op:1"}};
  request.restore_from.from.backup_ref = model::LocalReference{.name = "b"};
  const auto parts = RestoreInit(client, request);
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_EQ(parts->init_container["args"][0], "restore-worker");
  const auto order = backup::ParseRestoreOrder(parts->init_container["args"][1].get<std::string>());
  ASSERT_TRUE(order.ok()) << order.status();
  EXPECT_EQ(order->sha256, "abcd");
  EXPECT_EQ(order->member.spec.restore_from->from.s3->key, "p/q/n/main/a.snap.zst");
  EXPECT_FALSE(order->member.spec.restore_from->from.s3->prefix);
  EXPECT_EQ(order->member.metadata.name, "copy-0-abcde");
  EXPECT_THAT(parts->volumes.dump(), HasSubstr(R"("secretName":"s3")"));
  EXPECT_THAT(parts->init_container["volumeMounts"].dump(), HasSubstr("/var/lib/etcd"));
  PutBackup("Completed", "Failed");
  EXPECT_FALSE(RestoreInit(client, request).ok());
  server.Remove(Target(desired::kBackups, "b"));
  EXPECT_FALSE(RestoreInit(client, request).ok());
}

}  // namespace
}  // namespace etcd::backup_control
