// Keepalives in a cluster, through the method tables of its members.
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/api/v3/services.h"
#include "server/base/status.h"
#include "tests/support/sim_cluster.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::LeaseGrantRequest;
using etcdserverpb::LeaseKeepAliveRequest;
using etcdserverpb::LeaseKeepAliveResponse;
using etcdserverpb::LeaseRevokeRequest;
using std::chrono::seconds;
using testing::CollectingSink;
using testing::SimCluster;

constexpr char kGrant[] = "/etcdserverpb.Lease/LeaseGrant";
constexpr char kRevoke[] = "/etcdserverpb.Lease/LeaseRevoke";
constexpr char kKeepAlive[] = "/etcdserverpb.Lease/LeaseKeepAlive";

// What clients of one member of the cluster see.
class MemberApi {
 public:
  MemberApi(SimCluster& cluster, std::size_t i) : cluster_(cluster) {
    node::Member& member = *cluster[i];
    base::Executor& executor = cluster.scheduler.NewExecutor();
    hub_ = std::make_unique<watch::WatchHub>(member.store(), executor,
                                             std::make_unique<base::SeededRandom>(7), nullptr,
                                             watch::WatchOptions());
    table_.emplace(BuildMethodTable({.node = member,
                                     .store = member.store(),
                                     .watch = *hub_,
                                     .lessor = member.lessor(),
                                     .background = executor},
                                    {}));
  }

  absl::Status Call(const char* path, const google::protobuf::MessageLite& request) {
    auto answer = std::make_shared<std::optional<absl::Status>>();
    table_->Find(path)->unary->Start(
        Context(path), request.SerializeAsString(),
        [answer](const absl::StatusOr<base::Body>& body) { *answer = body.status(); });
    EXPECT_TRUE(cluster_.WaitFor([&] { return answer->has_value(); }));
    return answer->value_or(Error(Errc::kTimeout));
  }

  // A keepalive that has been asked for.
  struct Renewal {
    std::shared_ptr<CollectingSink> sink = std::make_shared<CollectingSink>();
    base::CallContextPtr context;
    std::unique_ptr<base::StreamHandler> handler;

    // True when the client was told that the lease lives.
    bool Renewed() const {
      for (const std::string& bytes : sink->messages) {
        LeaseKeepAliveResponse response;
        EXPECT_TRUE(response.ParseFromString(bytes));
        if (response.ttl() > 0) return true;
      }
      return false;
    }
  };
  std::unique_ptr<Renewal> KeepAlive(std::int64_t id) {
    auto renewal = std::make_unique<Renewal>();
    renewal->context = Context(kKeepAlive);
    renewal->handler = table_->Find(kKeepAlive)->stream->Open(renewal->context, renewal->sink);
    LeaseKeepAliveRequest request;
    request.set_id(id);
    renewal->handler->OnMessage(request.SerializeAsString());
    return renewal;
  }

 private:
  base::CallContextPtr Context(const char* path) {
    auto context = std::make_shared<base::CallContext>();
    context->path = table_->Find(path)->path;
    return context;
  }

  SimCluster& cluster_;
  std::unique_ptr<watch::WatchHub> hub_;
  std::optional<base::MethodTable> table_;
};

// The member whose clock goes at a third of the speed of the others', made the leader: with equal
// clocks a leader without a majority steps down before it has a successor.
constexpr std::size_t kSlow = 0;
void SlowTheFirst(node::MemberOptions& options) {
  if (options.name == "n1") options.heartbeat_interval *= 3;
}
std::size_t LeadBySlow(SimCluster& cluster) {
  const std::size_t leader = cluster.AwaitLeader();
  if (leader != kSlow) {
    cluster[leader]->MoveLeader(cluster[kSlow]->member_id(), {}, [](const absl::Status&) {});
  }
  EXPECT_TRUE(cluster.WaitFor([&] { return cluster.Leader() == kSlow; }));
  return kSlow;
}

// etcd issue 20615: a member that is cut off and still believes to lead said that a lease lives
// which its successor had revoked.
TEST(LeaseOfACluster, Bug20615ADeposedLeaderRenewsNothing) {
  int met = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimCluster cluster(seed, 3, SlowTheFirst);
    ASSERT_TRUE(cluster.Boot());
    const std::size_t old = LeadBySlow(cluster);
    std::vector<std::unique_ptr<MemberApi>> apis;
    for (std::size_t i = 0; i < 3; ++i) apis.push_back(std::make_unique<MemberApi>(cluster, i));
    LeaseGrantRequest grant;
    grant.set_id(5);
    grant.set_ttl(1000);
    ASSERT_TRUE(apis[old]->Call(kGrant, grant).ok());
    EXPECT_TRUE(cluster.WaitFor([&] { return cluster[old]->lessor().IsPrimary(); }));
    cluster.network.Partition({old});
    std::optional<std::size_t> leader;
    ASSERT_TRUE(cluster.WaitFor([&] {
      leader = cluster.Leader();
      return leader.has_value() && *leader != old;
    }));
    const std::size_t next = *leader;
    LeaseRevokeRequest revoke;
    revoke.set_id(5);
    ASSERT_TRUE(apis[next]->Call(kRevoke, revoke).ok());
    if (cluster[old]->lessor().IsPrimary()) ++met;  // it has not noticed yet
    const auto renewal = apis[old]->KeepAlive(5);
    cluster.scheduler.RunFor(seconds(5));
    EXPECT_FALSE(renewal->Renewed()) << seed;
    cluster.network.Heal();
    cluster.scheduler.RunFor(seconds(5));
    EXPECT_FALSE(renewal->Renewed()) << seed;
  }
  EXPECT_GE(met, 3) << "the case that this is about hardly ever occurs";
}

}  // namespace
}  // namespace etcd::api::v3
