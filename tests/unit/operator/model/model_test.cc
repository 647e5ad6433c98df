#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "operator/model/backup.h"
#include "operator/model/cluster.h"
#include "operator/model/group.h"
#include "operator/model/restore.h"
#include "server/base/status.h"

namespace etcd::model {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

json Object(std::string_view kind, json spec, json status = nullptr) {
  json object = {{"apiVersion", kApiVersion},
                 {"kind", kind},
                 {"metadata", {{"name", "main"}, {"namespace", "team-a"}}},
                 {"spec", std::move(spec)}};
  if (!status.is_null()) object["status"] = std::move(status);
  return object;
}

EtcdCluster Cluster(json spec, json status = nullptr) {
  auto parsed = ParseEtcdCluster(Object("EtcdCluster", std::move(spec), std::move(status)));
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.value_or(EtcdCluster());
}

std::string ProblemOf(json object) {
  const auto parsed = ParseEtcdCluster(object);
  return parsed.ok() ? "none" : std::string(base::MessageOf(parsed.status()));
}

TEST(ModelDefaults, AreThoseOfTheSchema) {
  const EtcdCluster cluster = Cluster(json::object());
  EXPECT_EQ(cluster.spec.replicas, 3);
  EXPECT_EQ(cluster.spec.storage.size, "8Gi");
  EXPECT_EQ(cluster.spec.storage.pvc_retention.when_removed, PvcRetentionWhenRemoved::kDelete);
  EXPECT_EQ(cluster.spec.etcd.auto_compaction.retention, "1h");
  EXPECT_EQ(cluster.spec.tls.mode, TlsMode::kDisabled);
  EXPECT_TRUE(cluster.spec.service.per_member);
  EXPECT_FALSE(cluster.spec.bootstrap.has_value());
  EXPECT_FALSE(cluster.spec.paused);
}

TEST(ModelReading, TakesEveryShape) {
  const EtcdCluster cluster = Cluster(
      {{"replicas", 5},
       {"image",
        {{"repository", "r:5000/etcd"}, {"pullSecrets", {{{"name", "a"}}, {{"name", "b"}}}}}},
       {"etcd", {{"quotaBackendBytes", 1073741824}, {"extraArgs", {{"max-wals", "3"}}}}},
       {"scheduling", {{"antiAffinity", "Required"}}},
       {"podTemplate", {{"overlay", {{"spec", {{"hostNetwork", true}}}}}}},
       {"bootstrap",
        {{"from", {{"s3", {{"endpoint", "https://x"}, {"bucket", "b"}, {"key", "k"}}}}}}}},
      {{"clusterID", "8a1"}, {"members", {{{"name", "m"}, {"dbSize", 5000000000}}}}});
  EXPECT_EQ(cluster.metadata.name, "main");
  EXPECT_EQ(cluster.spec.replicas, 5);
  ASSERT_TRUE(cluster.spec.image.has_value());
  EXPECT_EQ(cluster.spec.image->pull_secrets.at(1).name, "b");
  EXPECT_EQ(cluster.spec.etcd.quota_backend_bytes, "1073741824");
  EXPECT_THAT(cluster.spec.etcd.extra_args, ElementsAre(Pair("max-wals", "3")));
  EXPECT_EQ(cluster.spec.scheduling.anti_affinity, SchedulingAntiAffinity::kRequired);
  EXPECT_EQ(cluster.spec.pod_template.overlay->text, R"({"spec":{"hostNetwork":true}})");
  ASSERT_TRUE(cluster.spec.bootstrap.has_value());
  EXPECT_EQ(cluster.spec.bootstrap->from.s3->key, "k");
  EXPECT_EQ(cluster.spec.bootstrap->from.s3->region, "us-east-1");
  EXPECT_EQ(cluster.spec.bootstrap->bump_revision, 1000000000);
  EXPECT_EQ(cluster.status.cluster_id, "8a1");
  EXPECT_EQ(cluster.status.members.at(0).db_size, 5000000000);
}

TEST(ModelWriting, GivesBackWhatWasRead) {
  const json object =
      Object("EtcdRestore",
             {{"source", {{"pvc", {{"claimName", "c"}, {"path", "p"}}}}},
              {"target", {{"newCluster", {{"name", "copy"}, {"labels", {{"a", "b"}}}}}}},
              {"timeout", "2h"},
              {"comesLater", {{"x", {1, 2}}}}},
             {{"phase", "Growing"}, {"steps", {{{"at", "t"}, {"message", "m"}}}}});
  const auto restore = ParseEtcdRestore(object);
  ASSERT_TRUE(restore.ok()) << restore.status();
  const json written = ToJson(*restore);
  const auto again = ParseEtcdRestore(written);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *restore);
  // What was given is a part of what is written, which has the defaults besides.
  json merged = written;
  merged.merge_patch(object);
  EXPECT_EQ(merged, written);
}

TEST(ModelWriting, KeepsFieldsThatItDoesNotKnow) {
  const EtcdCluster cluster = Cluster({{"storage", {{"size", "9Gi"}, {"tier", {{"hot", true}}}}}});
  EXPECT_EQ(ToJson(cluster.spec)["storage"]["tier"], json({{"hot", true}}));
}

TEST(ModelWriting, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(ToJson(EtcdClusterStatus()), json::object());
  EtcdClusterStatus status;
  status.phase = EtcdClusterStatusPhase::kQuorumLost;
  status.conditions.push_back({.type = "Available", .status = ConditionStatus::kFalse});
  const json written = ToJson(status);
  EXPECT_EQ(written["phase"], "QuorumLost");
  EXPECT_EQ(written["conditions"][0]["status"], "False");
  EXPECT_EQ(written.size(), 2U);
}

TEST(ModelWriting, ABackupHasTheFieldsOfItsTemplate) {
  const auto backup =
      ParseEtcdBackup(Object("EtcdBackup", {{"clusterRef", {{"name", "main"}}},
                                            {"destination", {{"pvc", {{"claimName", "backups"}}}}},
                                            {"verify", "Hash"}}));
  ASSERT_TRUE(backup.ok()) << backup.status();
  const BackupTemplate& shared = backup->spec;
  EXPECT_EQ(shared.verify, Verification::kHash);
  EXPECT_EQ(ToText(shared.compression), "Zstd");
  EXPECT_EQ(ToJson(*backup)["spec"]["verify"], "Hash");
}

TEST(ModelReading, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(ProblemOf(Object("EtcdCluster", {{"replicas", "three"}})),
            "spec.replicas must be a whole number");
  EXPECT_EQ(ProblemOf(Object("EtcdCluster", {{"replicas", 5000000000}})),
            "spec.replicas must be a smaller number");
  EXPECT_EQ(ProblemOf(Object("EtcdCluster", {{"storage", {{"size", json::array()}}}})),
            "spec.storage.size must be a string");
  EXPECT_EQ(
      ProblemOf(Object("EtcdCluster", {{"image", {{"pullSecrets", {{{"name", 1.5}}, "x"}}}}})),
      "spec.image.pullSecrets[1] must be an object");
  EXPECT_EQ(ProblemOf(Object("EtcdCluster", {{"paused", 1}})), "spec.paused must be true or false");
  EXPECT_THAT(ProblemOf(Object("EtcdCluster", {{"tls", {{"mode", "Magic"}}}})),
              HasSubstr("spec.tls.mode must be a value that this version knows, not Magic"));
  EXPECT_EQ(ProblemOf(Object("EtcdCluster", {{"etcd", {{"extraArgs", {{"a", true}}}}}})),
            "spec.etcd.extraArgs.a must be a string");
}

TEST(ModelReading, RefusesOtherKindsAndGroups) {
  EXPECT_EQ(ProblemOf(Object("EtcdBackup", json::object())),
            "this is a etcdpp.dev/v1alpha1 EtcdBackup, not a EtcdCluster");
  EXPECT_THAT(ProblemOf(json::array()), HasSubstr("an object of Kubernetes is expected"));
  json other = Object("EtcdCluster", json::object());
  other["apiVersion"] = "example.org/v1";
  EXPECT_THAT(ProblemOf(other), HasSubstr("this is a example.org/v1 EtcdCluster"));
}

TEST(ModelReading, NullIsAbsence) {
  EXPECT_FALSE(Cluster({{"image", nullptr}}).spec.image.has_value());
}

}  // namespace
}  // namespace etcd::model
