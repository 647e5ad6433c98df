#include "operator/backup_control/backup_controller.h"

#include <gmock/gmock.h>

#include "operator/backup/naming.h"
#include "tests/unit/operator/backup_control/control_fixture.h"

namespace etcd::backup_control {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using Effect = etcd::testing::FakeKube::Effect;

struct BackupControllerTest : ::testing::Test, ControlFixture {
  BackupControllerTest() { PutBackup({}); }

  void PutBackup(const json& spec) {
    json whole = {{"clusterRef", {{"name", "main"}}},
                  {"destination", {{"pvc", {{"claimName", "backups"}, {"path", "x"}}}}},
                  {"retries", 1}};
    if (!spec.is_null()) whole.merge_patch(spec);
    Put(desired::kBackups, "b", {{"spec", whole}});
  }
  kube::WorkQueue::Result Run() {
    auto result = controller.Reconcile({"EtcdBackup", "n", "b"}, {});
    EXPECT_TRUE(result.status.ok()) << result.status;
    return result;
  }
  json Backup() { return Read(desired::kBackups, "b"); }
  std::string JobName(int attempt) {
    return backup::JobNameOf("b", Backup()["metadata"]["uid"].get<std::string>(), attempt);
  }
  // The pod ended with this report, and the Job with it.
  void EndJob(const std::string& name, const json& report, const std::string& reason = "") {
    const bool is_ok = !report.is_null() && report.value("ok", false);
    ASSERT_FALSE(Read(kube::kJobs, name).is_null()) << name;
    Put(kube::kPods, name + "-pod",
        {{"metadata", PodMetadata(name)},
         {"status",
          {{"containerStatuses",
            ListOf({{"name", "backup-worker"},
                    {"state",
                     {{"terminated", {{"message", report.is_null() ? "" : report.dump()}}}}}})}}}});
    Change(
        kube::kJobs, name,
        {{"status",
          {{"conditions", ListOf({{"type", is_ok ? "Complete" : "Failed"},
                                  {"status", "True"},
                                  {"reason", reason},
                                  {"lastTransitionTime", kube::FormatTime(clock.WallNow())}})}}}});
  }
  json PodMetadata(const std::string& job) {
    return {{"labels", {{"job-name", job}}},
            {"ownerReferences", ListOf({{"kind", "Job"},
                                        {"uid", Read(kube::kJobs, job)["metadata"]["uid"]},
                                        {"controller", true}})}};
  }
  // The pod of the first try, with these containers; a report ends one, "" lets it run.
  void PutPod(const json& steps, const json& main = nullptr) {
    const auto status_of = [](const std::string& name, const std::string& end) {
      json status = {{"name", name}, {"state", {{"running", json::object()}}}};
      if (!end.empty()) status["state"] = {{"terminated", {{"message", end}}}};
      return status;
    };
    json init = json::array();
    for (const auto& [name, end] : steps.items()) init.push_back(status_of(name, end));
    json containers = json::array();
    if (!main.is_null()) containers.push_back(status_of("backup-worker", main));
    Put(kube::kPods, JobName(1) + "-pod",
        {{"metadata", PodMetadata(JobName(1))},
         {"status", {{"initContainerStatuses", init}, {"containerStatuses", containers}}}});
  }
  std::string PhaseAfter(const json& steps, const json& main = nullptr) {
    PutPod(steps, main);
    Run();
    return Backup()["status"]["phase"];
  }
  static json Good() {
    return {{"ok", true},
            {"artifact",
             {{"uri", "pvc://backups/x/n/main/a.snap.zst"},
              {"sha256", "ab"},
              {"storedSize", 5},
              {"revision", 7}}},
            {"verification", {{"method", "TrialRestore"}, {"result", "Passed"}}}};
  }

  BackupController controller{Context(), {.pod = {.operator_image = "op:1"}}, metrics};
};

TEST_F(BackupControllerTest, MakesAJobThatTriesOnce) {
  Run();
  const json job = Read(kube::kJobs, JobName(1));
  ASSERT_FALSE(job.is_null());
  EXPECT_EQ(job["spec"]["backoffLimit"], 0);
  EXPECT_EQ(job["spec"]["activeDeadlineSeconds"], 900);
  EXPECT_EQ(job["metadata"]["ownerReferences"][0]["uid"], Backup()["metadata"]["uid"]);
  const json pod = job["spec"]["template"]["spec"];
  EXPECT_EQ(pod["automountServiceAccountToken"], false);
  EXPECT_EQ(pod["securityContext"]["runAsNonRoot"], true);
  const json container = pod["containers"][0];
  EXPECT_EQ(container["image"], "op:1");
  EXPECT_EQ(container["args"][0], "backup-worker");
  EXPECT_EQ(container["securityContext"]["readOnlyRootFilesystem"], true);
  const auto order = backup::ParseOrder(container["args"].back().get<std::string>());
  ASSERT_TRUE(order.ok()) << order.status();
  EXPECT_EQ(order->endpoints,
            std::vector<std::string>{"http://main-0-abcde.main-peer.n.svc.cluster.local:2379"});
  EXPECT_EQ(order->backup.metadata.uid, Backup()["metadata"]["uid"]);
  EXPECT_EQ(order->backup.spec.destination.pvc->path, "x");
  EXPECT_FALSE(order->schedule);
  EXPECT_EQ(Backup()["status"]["phase"], "Running");
  Run();
  EXPECT_EQ(All(kube::kJobs).size(), 1U);
}

TEST_F(BackupControllerTest, EachStepIsAContainer) {
  Run();
  const json pod = Read(kube::kJobs, JobName(1))["spec"]["template"]["spec"];
  std::vector<std::string> steps;
  for (const json& container : pod["initContainers"]) steps.push_back(container["args"][2]);
  EXPECT_EQ(steps, (std::vector<std::string>{"snapshot", "verify"}));
  EXPECT_EQ(pod["containers"][0]["args"][2], "store");
  EXPECT_EQ(pod["initContainers"][1]["resources"], pod["containers"][0]["resources"]);
  for (const json& container : pod["initContainers"]) {
    EXPECT_EQ(container["volumeMounts"], pod["containers"][0]["volumeMounts"]);
  }
}

TEST_F(BackupControllerTest, WithoutATrialThereIsNoStepOfIt) {
  PutBackup({{"verify", "Hash"}});
  Run();
  const json pod = Read(kube::kJobs, JobName(1))["spec"]["template"]["spec"];
  ASSERT_EQ(pod["initContainers"].size(), 1U);
  EXPECT_EQ(pod["initContainers"][0]["args"][2], "snapshot");
}

TEST_F(BackupControllerTest, ThePhaseIsTheStepThatRuns) {
  Run();
  const std::string ok = R"({"ok":true})";
  EXPECT_EQ(PhaseAfter({{"snapshot", ""}}), "Running");
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False Running");
  EXPECT_EQ(PhaseAfter({{"snapshot", ok}}), "Running");
  EXPECT_EQ(PhaseAfter({{"snapshot", ok}, {"verify", ""}}), "Verifying");
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False Verifying");
  EXPECT_EQ(PhaseAfter({{"snapshot", ok}, {"verify", ok}}, ""), "Uploading");
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False Uploading");
}

TEST_F(BackupControllerTest, AStepThatFailedIsTold) {
  PutBackup({{"retries", 0}});
  Run();
  PutPod({{"snapshot", R"({"ok":false,"reason":"ScratchFull","message":"make room"})"}});
  Change(kube::kJobs, JobName(1),
         {{"status", {{"conditions", ListOf({{"type", "Failed"}, {"status", "True"}})}}}});
  Run();
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False ScratchFull");
  EXPECT_EQ(Backup()["status"]["message"], "make room");
}

TEST_F(BackupControllerTest, AStepThatWasKilledIsNamed) {
  Run();
  Put(kube::kPods, "p",
      {{"metadata", PodMetadata(JobName(1))},
       {"status",
        {{"initContainerStatuses",
          ListOf({{"name", "verify"},
                  {"state", {{"terminated", {{"reason", "OOMKilled"}, {"exitCode", 137}}}}}})}}}});
  Change(kube::kJobs, JobName(1),
         {{"status", {{"conditions", ListOf({{"type", "Failed"}, {"status", "True"}})}}}});
  Run();
  EXPECT_THAT(Backup()["status"]["message"].get<std::string>(), HasSubstr("verify: OOMKilled"));
}

TEST_F(BackupControllerTest, TheImageIsPulledAsTheClustersIs) {
  Change(desired::kClusters, "main",
         {{"spec", {{"image", {{"pullSecrets", ListOf({{"name", "registry"}})}}}}}});
  Run();
  const json pod = Read(kube::kJobs, JobName(1))["spec"]["template"]["spec"];
  EXPECT_EQ(pod["imagePullSecrets"], ListOf({{"name", "registry"}}));
}

TEST_F(BackupControllerTest, WhatAFailedTryDeletedByAgeIsTold) {
  Run();
  EndJob(JobName(1), {{"ok", false}, {"reason", "NoMember"}, {"message", "x"}, {"pruned", 2}});
  Run();
  EXPECT_TRUE(WasTold("BackupPruned"));
}

TEST_F(BackupControllerTest, ACaBundleThatIsMissingIsTold) {
  PutBackup({{"destination",
              {{"pvc", nullptr},
               {"s3",
                {{"endpoint", "https://s3"},
                 {"bucket", "bucket"},
                 {"credentialsSecretRef", {{"name", "s3"}}},
                 {"caBundle", {{"configMap", {{"name", "ca"}, {"key", "ca.crt"}}}}}}}}}});
  Run();
  EXPECT_THAT(Backup()["status"]["message"].get<std::string>(),
              HasSubstr("there is no ConfigMap ca"));
  EXPECT_TRUE(All(kube::kJobs).empty());
}

TEST_F(BackupControllerTest, MountsTheCredentialsAndNeverReadsThem) {
  PutBackup({{"destination",
              {{"pvc", nullptr},
               {"s3",
                {{"endpoint", "https://s3"},
                 {"bucket", "bucket"},
                 {"credentialsSecretRef", {{"name", "s3"}}},
                 {"caBundle", {{"configMap", {{"name", "ca"}, {"key", "ca.crt"}}}}}}}}}});
  Put(kube::kConfigMaps, "ca", {});
  Change(kube::kSecrets, "s3", {{"data", {{"AWS_SECRET_ACCESS_KEY", "c2VjcmV0"}}}});
  Run();
  const std::string job = Read(kube::kJobs, JobName(1)).dump();
  EXPECT_THAT(job, HasSubstr(R"("secretName":"s3")"));
  EXPECT_THAT(job, HasSubstr(R"("mountPath":"/etc/backup/ca")"));
  EXPECT_THAT(job, Not(HasSubstr("c2VjcmV0")));
}

TEST_F(BackupControllerTest, WhatIsMissingIsToldUntilItIsThere) {
  server.Remove(Target(kube::kVolumeClaims, "backups"));
  Run();
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False DependencyMissing");
  EXPECT_THAT(Backup()["status"]["message"].get<std::string>(),
              HasSubstr("there is no PersistentVolumeClaim backups"));
  EXPECT_TRUE(All(kube::kJobs).empty());
  Put(kube::kVolumeClaims, "backups", {});
  Run();
  EXPECT_EQ(All(kube::kJobs).size(), 1U);
}

TEST_F(BackupControllerTest, WhatStaysMissingFailsInTheEnd) {
  server.Remove(Target(desired::kClusters, "main"));
  Run();
  EXPECT_EQ(Backup()["status"]["phase"], "Pending");
  Advance(std::chrono::minutes(16));
  Run();
  EXPECT_EQ(Backup()["status"]["phase"], "Failed");
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False DependencyMissing");
}

TEST_F(BackupControllerTest, TheReportBecomesTheStatus) {
  Run();
  EndJob(JobName(1), Good());
  Run();
  const json status = Backup()["status"];
  EXPECT_EQ(status["phase"], "Completed");
  EXPECT_EQ(status["artifact"]["revision"], 7);
  EXPECT_EQ(status["verification"]["result"], "Passed");
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "True Completed");
  EXPECT_EQ(ConditionOf(Backup(), "Verified"), "True Passed");
  EXPECT_TRUE(WasTold("BackupVerified"));
  std::string text;
  metrics.Append(text);
  EXPECT_THAT(text, HasSubstr("etcd_operator_backup_size_bytes{namespace=\"n\",cluster=\"main\","
                              "schedule=\"\"} 5"));
}

TEST_F(BackupControllerTest, AFailedTrialIsCompletedAndNotVerified) {
  Run();
  json report = Good();
  report["verification"]["result"] = "Failed";
  report["message"] = "the backup cannot be restored: x";
  EndJob(JobName(1), report);
  Run();
  EXPECT_EQ(Backup()["status"]["phase"], "Completed");
  EXPECT_EQ(ConditionOf(Backup(), "Verified"), "False Unverified");
  EXPECT_TRUE(WasTold("BackupFailed"));
}

TEST_F(BackupControllerTest, AFailureIsTriedAgainAfterAWhileThenFinal) {
  Run();
  EndJob(JobName(1), {{"ok", false}, {"reason", "BucketMissing"}, {"message", "create it"}});
  EXPECT_GT(Run().again_after.value(), std::chrono::seconds(5));
  EXPECT_EQ(Backup()["status"]["phase"], "Pending");
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False BucketMissing");
  EXPECT_EQ(All(kube::kJobs).size(), 1U);
  Advance(std::chrono::seconds(11));
  Run();
  EXPECT_EQ(All(kube::kJobs).size(), 2U);
  EXPECT_EQ(Backup()["status"]["attempt"], 2);
  EndJob(JobName(2), {{"ok", false}, {"reason", "BucketMissing"}, {"message", "create it"}});
  Run();
  EXPECT_EQ(Backup()["status"]["phase"], "Failed");
  EXPECT_EQ(Backup()["status"]["message"], "create it");
  EXPECT_TRUE(WasTold("BackupFailed"));
  std::string text;
  metrics.Append(text);
  EXPECT_THAT(text, HasSubstr("backup_failures_total{namespace=\"n\",cluster=\"main\","
                              "schedule=\"\"} 1"));
}

TEST_F(BackupControllerTest, AFinalFailureIsNotTriedAgain) {
  Run();
  EndJob(JobName(1), {{"ok", false}, {"final", true}, {"reason", "InvalidSpec"}});
  Run();
  EXPECT_EQ(Backup()["status"]["phase"], "Failed");
}

TEST_F(BackupControllerTest, APodWithoutAReportIsAFailedTry) {
  Run();
  EndJob(JobName(1), nullptr);
  Run();
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False WorkerDied");
}

TEST_F(BackupControllerTest, ADeadlineSaysWhatToRaise) {
  Run();
  EndJob(JobName(1), nullptr, "DeadlineExceeded");
  Run();
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False DeadlineExceeded");
  EXPECT_THAT(Backup()["status"]["message"].get<std::string>(), HasSubstr("spec.timeout (15m)"));
}

TEST_F(BackupControllerTest, APodThatCannotRunIsTold) {
  Run();
  Put(kube::kPods, "p",
      {{"metadata", PodMetadata(JobName(1))},
       {"status",
        {{"conditions",
          ListOf(
              {{"type", "PodScheduled"}, {"status", "False"}, {"message", "unbound volume"}})}}}});
  Run();
  EXPECT_EQ(ConditionOf(Backup(), "Ready"), "False PodPending");
  EXPECT_THAT(Backup()["status"]["message"].get<std::string>(), HasSubstr("unbound volume"));
}

TEST_F(BackupControllerTest, ACrashBeforeTheJobIsMadeNeitherLosesNorDoublesIt) {
  server.Inject(
      {.method = "POST", .target_part = "/jobs", .times = 10, .effect = Effect::kLoseRequest});
  EXPECT_FALSE(controller.Reconcile({"EtcdBackup", "n", "b"}, {}).status.ok());
  server.ClearFaults();
  EXPECT_EQ(Backup()["status"]["job"], JobName(1)) << "it is known what was meant";
  Run();
  Run();
  ASSERT_EQ(All(kube::kJobs).size(), 1U);
  EXPECT_EQ(Backup()["status"]["attempt"], 1);
}

TEST_F(BackupControllerTest, ALostAnswerOfTheCreationDoesNotMakeTwo) {
  server.Inject({.method = "POST", .target_part = "/jobs", .effect = Effect::kLoseAnswer});
  Run();
  EXPECT_EQ(All(kube::kJobs).size(), 1U);
}

TEST_F(BackupControllerTest, WhoDoesNotLeadChangesNothing) {
  leads = false;
  Run();
  for (const std::string& request : server.requests()) EXPECT_TRUE(request.starts_with("GET"));
}

TEST_F(BackupControllerTest, AFinishedOneIsLeftAlone) {
  Run();
  EndJob(JobName(1), Good());
  Run();
  server.Remove(Target(kube::kJobs, JobName(1)));
  const std::size_t before = server.requests().size();
  Run();
  const auto requests = server.requests();
  EXPECT_EQ(requests.size(), before + 1) << requests.back();
}

TEST_F(BackupControllerTest, GoesWhenItsTimeHasCome) {
  PutBackup({{"ttlSecondsAfterFinished", 60}});
  Run();
  EndJob(JobName(1), Good());
  EXPECT_LE(Run().again_after.value(), std::chrono::seconds(60));
  Advance(std::chrono::seconds(61));
  Run();
  EXPECT_TRUE(Backup().is_null());
}

TEST_F(BackupControllerTest, DataIsDeletedByAJobBeforeTheObjectGoes) {
  PutBackup({{"deletionPolicy", "Delete"}});
  Run();
  EXPECT_EQ(Backup()["metadata"]["finalizers"][0], "etcdpp.dev/backup-data");
  EndJob(JobName(1), Good());
  Run();
  server.Remove(Target(desired::kBackups, "b"));
  Run();
  const std::string name = JobName(0);
  const json job = Read(kube::kJobs, name);
  ASSERT_FALSE(job.is_null());
  const auto order = backup::ParseOrder(
      job["spec"]["template"]["spec"]["containers"][0]["args"].back().get<std::string>());
  ASSERT_TRUE(order.ok());
  EXPECT_EQ(order->kind, backup::OrderKind::kDelete);
  EXPECT_EQ(order->backup.status.artifact->uri, "pvc://backups/x/n/main/a.snap.zst");
  EXPECT_FALSE(Backup()["metadata"]["finalizers"].empty());
  EndJob(name, {{"ok", true}});
  Run();
  const json after = Backup();
  EXPECT_TRUE(after.is_null() || after["metadata"].value("finalizers", json::array()).empty());
}

TEST_F(BackupControllerTest, ANamespaceThatGoesAwayIsNotHeldUp) {
  PutBackup({{"deletionPolicy", "Delete"}});
  Run();
  EndJob(JobName(1), Good());
  Run();
  server.Remove(Target(desired::kBackups, "b"));
  server.Inject({.method = "POST", .target_part = "/jobs", .code = 403});
  Run();
  const json after = Backup();
  EXPECT_TRUE(after.is_null() || after["metadata"].value("finalizers", json::array()).empty());
}

}  // namespace
}  // namespace etcd::backup_control
