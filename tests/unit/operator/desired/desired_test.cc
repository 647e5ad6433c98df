#include <algorithm>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "operator/desired/image.h"
#include "operator/desired/objects.h"
#include "operator/desired/pod.h"
#include "operator/desired/urls.h"

namespace etcd::desired {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

model::EtcdCluster Cluster(const Json& spec = Json::object()) {
  Json all = {{"storage", {{"size", "8Gi"}}}, {"etcd", Json::object()}};
  all.merge_patch(spec);
  const auto cluster =
      model::ParseEtcdCluster({{"apiVersion", "etcdpp.dev/v1alpha1"},
                               {"kind", "EtcdCluster"},
                               {"metadata", {{"name", "c"}, {"namespace", "n"}, {"uid", "u1"}}},
                               {"spec", all}});
  EXPECT_TRUE(cluster.ok()) << cluster.status();
  return *cluster;
}

model::EtcdMember Member(bool has_joined = false) {
  model::EtcdMember member;
  member.metadata.name = "c-0-abcde";
  member.metadata.uid = "u2";
  member.spec.storage.size = "8Gi";
  member.status.joined_once = has_joined;
  return member;
}

const Settings kSettings{.server_image = "reg:5000/etcd:v3.6.16",
                         .operator_image = "reg:5000/op:1"};

Json Pod(const Json& spec = Json::object(), bool has_joined = false) {
  const model::EtcdCluster cluster = Cluster(spec);
  const model::EtcdMember member = Member(has_joined);
  return PodBody({.cluster = cluster, .member = member, .initial_cluster = "x=y", .role = "voter"},
                 kSettings);
}

std::vector<std::string> Arguments(const Json& pod) {
  return pod["spec"]["containers"][0]["args"].get<std::vector<std::string>>();
}

TEST(Image, TakesReferencesApart) {
  EXPECT_EQ(ParseImage("reg:5000/etcd").repository, "reg:5000/etcd");
  EXPECT_EQ(ParseImage("reg:5000/etcd").tag, "");
  EXPECT_EQ(ParseImage("reg:5000/a/etcd:v1").tag, "v1");
  EXPECT_EQ(ParseImage("etcd:v1@sha256:00").repository, "etcd");
  EXPECT_EQ(ParseImage("etcd:v1@sha256:00").digest, "sha256:00");
}

TEST(Image, OfTheSpecWinsOverTheOperators) {
  const auto image = [](const Json& spec) {
    return ServerImage(Cluster(spec).spec, kSettings.server_image);
  };
  EXPECT_EQ(image(Json::object()), "reg:5000/etcd:v3.6.16");
  EXPECT_EQ(image({{"version", "3.5.24"}}), "reg:5000/etcd:v3.5.24");
  EXPECT_EQ(image({{"image", {{"repository", "up/etcd"}}}}), "up/etcd:v3.6.16");
  EXPECT_EQ(image({{"image", {{"tag", "x"}, {"digest", "sha256:1"}}}}), "reg:5000/etcd@sha256:1");
  EXPECT_EQ(ServerImage(Cluster().spec, "etcd@sha256:2"), "etcd@sha256:2");
}

TEST(Image, SaysTheVersionWhenItsTagDoes) {
  EXPECT_EQ(TargetVersion(Cluster().spec, "etcd:v3.6.16"), "3.6.16");
  EXPECT_EQ(TargetVersion(Cluster().spec, "etcd:dev"), "");
  EXPECT_EQ(TargetVersion(Cluster({{"version", "3.5.24"}}).spec, "etcd:dev"), "3.5.24");
}

TEST(Quantity, IsBytes) {
  EXPECT_EQ(QuantityBytes("2Gi"), 2147483648);
  EXPECT_EQ(QuantityBytes("500Mi"), 524288000);
  EXPECT_EQ(QuantityBytes("1k"), 1000);
  EXPECT_EQ(QuantityBytes("1.5G"), 1500000000);
  EXPECT_EQ(QuantityBytes("2e3"), 2000);
  EXPECT_EQ(QuantityBytes("12"), 12);
  EXPECT_EQ(QuantityBytes(""), 0);
  EXPECT_EQ(QuantityBytes("."), 0);
  EXPECT_EQ(QuantityBytes("1Kx"), 0);
  EXPECT_EQ(QuantityBytes(".5Ki"), 512);
  EXPECT_EQ(QuantityBytes("1500m"), 2);
  EXPECT_EQ(QuantityBytes("2e-3"), 1);
}

TEST(Quantity, IsExact) {
  EXPECT_EQ(QuantityBytes("9007199254740993"), 9'007'199'254'740'993);  // no double has it
  EXPECT_EQ(QuantityBytes("1.5Ei"), 1'729'382'256'910'270'464);
  EXPECT_EQ(QuantityBytes("0.1Gi"), 107'374'183);
  EXPECT_EQ(QuantityBytes("9999999999E"), std::numeric_limits<std::int64_t>::max());
}

TEST(Duration, IsMilliseconds) {
  EXPECT_EQ(DurationMs("100ms"), 100);
  EXPECT_EQ(DurationMs("1h30m"), 5'400'000);
  EXPECT_EQ(DurationMs("1.5s"), 1500);
  EXPECT_EQ(DurationMs("soon"), 0);
  EXPECT_EQ(DurationMs("."), 0);
  EXPECT_EQ(DurationMs("0.1s"), 100);
}

TEST(Pod, IsOwnedAndFindable) {
  const Json pod = Pod();
  EXPECT_EQ(pod["metadata"]["ownerReferences"][0]["kind"], "EtcdMember");
  EXPECT_EQ(pod["metadata"]["ownerReferences"][0]["controller"], true);
  EXPECT_EQ(pod["spec"]["hostname"], "c-0-abcde");
  EXPECT_EQ(pod["spec"]["subdomain"], "c-peer");
  EXPECT_EQ(pod["metadata"]["labels"]["etcdpp.dev/role"], "voter");
}

TEST(Pod, PassesThePolicyRestricted) {
  const Json pod = Pod({}, true);
  EXPECT_EQ(pod["spec"]["securityContext"]["runAsNonRoot"], true);
  EXPECT_EQ(pod["spec"]["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
  EXPECT_EQ(pod["spec"]["automountServiceAccountToken"], false);
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& container : pod["spec"][list]) {
      EXPECT_EQ(container["securityContext"]["allowPrivilegeEscalation"], false);
      EXPECT_EQ(container["securityContext"]["readOnlyRootFilesystem"], true);
      EXPECT_EQ(container["securityContext"]["capabilities"]["drop"], Json::array({"ALL"}));
    }
  }
}

TEST(Pod, HasAGuardOnceItsMemberHasJoined) {
  EXPECT_FALSE(Pod()["spec"].contains("initContainers"));
  const Json guard = Pod({}, true)["spec"]["initContainers"][0];
  EXPECT_EQ(guard["name"], "data-guard");
  EXPECT_EQ(guard["image"], "reg:5000/op:1");
}

TEST(Pod, HasTheImageAndTheGuardThatItIsGiven) {
  const model::EtcdCluster cluster = Cluster();
  const model::EtcdMember member = Member();
  const Json pod = PodBody(
      {.cluster = cluster, .member = member, .is_guarded = true, .image = "reg/etcd:before"},
      kSettings);
  EXPECT_EQ(pod["spec"]["containers"][0]["image"], "reg/etcd:before");
  EXPECT_EQ(pod["spec"]["initContainers"][0]["name"], "data-guard");
}

TEST(Pod, StartsAsANewClusterOnlyWhenToldSo) {
  EXPECT_THAT(Arguments(Pod()), Contains("--initial-cluster-state=existing"));
  const model::EtcdCluster cluster = Cluster();
  const model::EtcdMember member = Member();
  const Json pod =
      PodBody({.cluster = cluster, .member = member, .is_new_cluster = true}, kSettings);
  EXPECT_THAT(Arguments(pod), Contains("--initial-cluster-state=new"));
}

TEST(Pod, RendersTheSettings) {
  const std::vector<std::string> args = Arguments(Pod({{"etcd",
                                                        {{"quotaBackendBytes", "500Mi"},
                                                         {"heartbeatInterval", "200ms"},
                                                         {"electionTimeout", "2s"},
                                                         {"snapshotCount", 5000},
                                                         {"extraArgs", {{"max-x", "7"}}}}}}));
  EXPECT_THAT(args, Contains("--name=c-0-abcde"));
  EXPECT_THAT(args, Contains("--data-dir=/var/lib/etcd/data"));
  EXPECT_THAT(args, Contains("--advertise-client-urls=http://c-0-abcde.c-peer.n.svc."
                             "cluster.local:2379"));
  EXPECT_THAT(args, Contains("--initial-cluster=x=y"));
  EXPECT_THAT(args, Contains("--initial-cluster-token=n/c/u1"));
  EXPECT_THAT(args, Contains("--quota-backend-bytes=524288000"));
  EXPECT_THAT(args, Contains("--heartbeat-interval=200"));
  EXPECT_THAT(args, Contains("--election-timeout=2000"));
  EXPECT_THAT(args, Contains("--snapshot-count=5000"));
  EXPECT_THAT(args, Contains("--max-x=7"));
}

TEST(Pod, ListensInTheFamilyOfItsCluster) {
  EXPECT_THAT(Arguments(Pod()), Contains("--listen-client-urls=http://0.0.0.0:2379"));
  Settings settings = kSettings;
  settings.listen_host = "[::]";
  const model::EtcdCluster cluster = Cluster();
  const model::EtcdMember member = Member();
  const std::vector<std::string> args =
      Arguments(PodBody({.cluster = cluster, .member = member}, settings));
  EXPECT_THAT(args, Contains("--listen-client-urls=http://[::]:2379"));
  EXPECT_THAT(args, Contains("--listen-peer-urls=http://[::]:2380"));
  EXPECT_THAT(args, Contains("--listen-metrics-urls=http://[::]:2381"));
}

TEST(Pod, UsersLabelsDoNotReplaceOurs) {
  const Json pod =
      Pod({{"podTemplate", {{"labels", {{"etcdpp.dev/cluster", "other"}, {"team", "a"}}}}}});
  EXPECT_EQ(pod["metadata"]["labels"]["etcdpp.dev/cluster"], "c");
  EXPECT_EQ(pod["metadata"]["labels"]["team"], "a");
}

TEST(Pod, HashIsOfTheSpecAndNotOfTheFirstStart) {
  const auto hash = [](const Json& pod) {
    return pod["metadata"]["annotations"]["etcdpp.dev/pod-hash"].get<std::string>();
  };
  EXPECT_EQ(hash(Pod()), hash(Pod({}, true)));
  EXPECT_NE(hash(Pod()), hash(Pod({{"etcd", {{"snapshotCount", 7}}}})));
}

TEST(Budget, HoldsTheQuorumOfWhatIsAndWhatIsWanted) {
  const auto least = [](int replicas, int voters) -> std::optional<int> {
    const auto budget = DisruptionBudget(Cluster({{"replicas", replicas}}), voters);
    if (!budget.has_value()) return std::nullopt;
    return (*budget)["spec"]["minAvailable"].get<int>();
  };
  EXPECT_EQ(least(3, 1), 2);
  EXPECT_EQ(least(3, 5), 3);
  EXPECT_EQ(least(5, 3), 3);
  EXPECT_EQ(least(1, 1), std::nullopt);
  EXPECT_EQ(least(3, 0), std::nullopt);
}

TEST(Volume, HasNoOwner) {
  const Json claim = VolumeClaimBody(Cluster(), Member());
  EXPECT_FALSE(claim["metadata"].contains("ownerReferences"));
  EXPECT_EQ(claim["metadata"]["annotations"]["etcdpp.dev/cluster-uid"], "u1");
  EXPECT_FALSE(claim["spec"].contains("storageClassName"));
}

TEST(Services, SelectVotersForClientsAndAllForPeers) {
  for (const Wanted& wanted : StandingObjects(Cluster(), kSettings)) {
    const std::string name = wanted.body["metadata"]["name"];
    if (name == "c-client") {
      EXPECT_EQ(wanted.body["spec"]["selector"]["etcdpp.dev/role"], "voter");
    }
    if (name == "c-peer") {
      EXPECT_EQ(wanted.body["spec"]["publishNotReadyAddresses"], true);
      EXPECT_EQ(wanted.body["spec"]["selector"].size(), 1U);
    }
  }
}

Json Policy(const model::EtcdCluster& cluster, const Settings& settings = kSettings) {
  for (const Wanted& wanted : StandingObjects(cluster, settings)) {
    if (wanted.resource.plural == "networkpolicies") return wanted.body["spec"];
  }
  return nullptr;
}

// Peers of the rule for this port; null when the rule is for everybody.
Json PeersOf(const Json& policy, int port) {
  for (const Json& rule : policy["ingress"]) {
    if (rule["ports"][0]["port"] == port) return rule.value("from", Json());
  }
  return "no rule";
}

const Json kNamespacePods = {{"podSelector", Json::object()}};

TEST(NetworkPolicy, IsThereOnlyWhenAskedFor) { EXPECT_TRUE(Policy(Cluster()).is_null()); }

TEST(NetworkPolicy, WithoutNamedClientsLetsInPodsOfTheNamespace) {
  const Json policy = Policy(Cluster({{"networkPolicy", {{"enabled", true}}}}));
  EXPECT_THAT(PeersOf(policy, 2379), Contains(kNamespacePods));
  EXPECT_THAT(PeersOf(policy, 2380), Not(Contains(kNamespacePods)));
}

TEST(NetworkPolicy, NamedClientsReplaceThoseOfTheNamespaceButNotTheBackups) {
  const Json client = {{"podSelector", {{"matchLabels", {{"app", "web"}}}}}};
  const Json policy = Policy(
      Cluster({{"networkPolicy", {{"enabled", true}, {"clientFrom", Json::array({client})}}}}));
  const Json backups = {{"podSelector",
                         {{"matchLabels",
                           {{"app.kubernetes.io/name", "etcd-operator"},
                            {"app.kubernetes.io/component", "backup"}}}}}};
  EXPECT_THAT(PeersOf(policy, 2379), Contains(client));
  EXPECT_THAT(PeersOf(policy, 2379), Contains(backups));
  EXPECT_THAT(PeersOf(policy, 2379), Not(Contains(kNamespacePods)));
}

TEST(NetworkPolicy, LetsTheOperatorInFromItsOwnNamespace) {
  Settings settings = kSettings;
  settings.operator_namespace = "etcd-system";
  const Json policy = Policy(Cluster({{"networkPolicy", {{"enabled", true}}}}), settings);
  int namespaces = 0;
  for (const Json& peer : PeersOf(policy, 2379)) {
    if (!peer.contains("namespaceSelector")) continue;
    ++namespaces;
    EXPECT_EQ(peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
              "etcd-system");
    EXPECT_EQ(peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"], "etcd-operator");
  }
  EXPECT_EQ(namespaces, 1);
}

TEST(NetworkPolicy, LetsASeedFetchItsDataAndNoMemberAfterIt) {
  const Json s3 = {{"endpoint", "https://s3.example.org"}, {"bucket", "b"}, {"key", "k"}};
  const auto fetches = [](const model::EtcdCluster& cluster) {
    const Json all_tcp = {{"ports", Json::array({{{"protocol", "TCP"}}})}};
    const Json egress = Policy(cluster)["egress"];
    return std::ranges::find(egress, all_tcp) != egress.end();
  };
  const Json on = {{"enabled", true}};
  const Json from_s3 = {{"networkPolicy", on}, {"bootstrap", {{"from", {{"s3", s3}}}}}};
  const Json from_claim = {{"networkPolicy", on},
                           {"bootstrap", {{"from", {{"pvc", {{"claimName", "p"}}}}}}}};
  model::EtcdCluster cluster = Cluster(from_s3);
  EXPECT_TRUE(fetches(cluster));
  cluster.status.cluster_id = "abc";
  EXPECT_FALSE(fetches(cluster));
  EXPECT_FALSE(fetches(Cluster(from_claim)));
  EXPECT_FALSE(fetches(Cluster({{"networkPolicy", on}})));
}

TEST(Urls, HaveTheirSchemeFromOnePlace) {
  model::EtcdCluster cluster = Cluster();
  EXPECT_EQ(PeerUrl(cluster, "m", "d"), "http://m.c-peer.n.svc.d:2380");
  cluster.spec.tls.mode = model::TlsMode::kOperator;
  EXPECT_EQ(PeerUrl(cluster, "m", "d"), "https://m.c-peer.n.svc.d:2380");
  EXPECT_EQ(ServiceUrl(cluster), "https://c-client.n.svc:2379");
}

}  // namespace
}  // namespace etcd::desired
