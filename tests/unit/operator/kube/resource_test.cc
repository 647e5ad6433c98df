#include "operator/kube/resource.h"

#include <gtest/gtest.h>

namespace etcd::kube {
namespace {

TEST(Resource, PathsOfCoreAndOtherGroups) {
  EXPECT_EQ(PathOf(kPods, {"n", "p"}, "resize"), "/api/v1/namespaces/n/pods/p/resize");
  EXPECT_EQ(PathOf(kPods, {"", ""}), "/api/v1/pods");
  EXPECT_EQ(PathOf(kLeases, {"n", "l"}), "/apis/coordination.k8s.io/v1/namespaces/n/leases/l");
  EXPECT_EQ(PathOf(kNodes, {"ignored", "a"}), "/api/v1/nodes/a");
  EXPECT_EQ(ApiVersionOf(kPods), "v1");
  EXPECT_EQ(ApiVersionOf(kLeases), "coordination.k8s.io/v1");
}

TEST(Resource, ANameCannotBecomeAnotherPath) {
  EXPECT_EQ(PathOf(kSecrets, {"n/../x", "a?b#c%"}),
            "/api/v1/namespaces/n%2F..%2Fx/secrets/a%3Fb%23c%25");
}

TEST(Resource, QueriesAreEncoded) {
  EXPECT_EQ(QueryOf({}), "");
  EXPECT_EQ(QueryOf({{"labelSelector", "etcdpp.dev/cluster=c"}, {"limit", "5"}}),
            "?labelSelector=etcdpp.dev%2Fcluster%3Dc&limit=5");
}

}  // namespace
}  // namespace etcd::kube
