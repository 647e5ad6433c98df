#pragma once

#include <etcdserverpb/raft_internal.pb.h>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "server/apply/applier.h"
#include "server/apply/kv_view.h"
#include "server/raftcodec/raftpb.h"
#include "server/storage/engine/mem_engine.h"
#include "tests/support/sim_scheduler.h"

namespace etcd::apply {

class NoSink final : public lease::ExpireSink {
 public:
  void ProposeRevoke(LeaseId, Term, Done done) override { done(Error(Errc::kNotLeader)); }
  void ProposeCheckpoint(std::vector<lease::LeaseCheckpoint>, Term, Done done) override {
    done(Error(Errc::kNotLeader));
  }
};

// One copy of the replicated state over an engine that may outlive it.
class Replica {
 public:
  explicit Replica(engine::MemEngine& engine, std::int64_t quota_bytes = -1)
      : scheduler_(1),
        engine_(engine),
        store_(*mvcc::OpenStore(engine, scheduler_.NewExecutor(), {})),
        lessor_(scheduler_.NewExecutor(), sink_, nullptr, {}),
        quota_(quota_bytes),
        applier_({engine, *store_, lessor_, cluster_, alarms_, quota_}) {
    EXPECT_TRUE(lessor_.Load(engine).ok());
    EXPECT_TRUE(cluster_.Load(engine).ok());
    EXPECT_TRUE(alarms_.Load(engine).ok());
    EXPECT_TRUE(applier_.Load().ok());
  }
  ~Replica() { lessor_.Stop(); }

  using Request = etcdserverpb::InternalRaftRequest;

  // Entries without publishing in between: one batch.
  BatchOutcome ApplyAll(const std::vector<raft::Entry>& entries) {
    BatchOutcome out;
    applier_.Begin();
    for (const raft::Entry& entry : entries) {
      const absl::Status status = applier_.Apply(entry, out);
      EXPECT_TRUE(status.ok()) << status;
    }
    EXPECT_TRUE(applier_.Write().ok());
    applier_.Publish();
    return out;
  }

  raft::Entry Next(const Request& request) {
    Request copy = request;
    ++last_;
    if (!copy.has_header()) copy.mutable_header()->set_id(last_.value());
    return {Term(2), last_, raft::EntryType::kNormal, copy.SerializeAsString()};
  }
  Result Run(const Request& request) {
    BatchOutcome out = ApplyAll({Next(request)});
    EXPECT_EQ(out.outcomes.size(), 1U);
    return std::move(out.outcomes.at(0).result);
  }
  Result Put(std::string_view key, std::string_view value, std::int64_t lease = 0) {
    Request request;
    request.mutable_put()->set_key(std::string(key));
    request.mutable_put()->set_value(std::string(value));
    request.mutable_put()->set_lease(lease);
    return Run(request);
  }
  std::string Get(std::string_view key, std::int64_t revision = 0) {
    RangeQuery query;
    query.key = key;
    query.revision = revision;
    const auto plan = PlanRange(StoreSource(*store_), query);
    if (!plan.ok()) return "error";
    std::string body;
    EXPECT_TRUE(AppendRangeBody(StoreSource(*store_), *plan, body).ok());
    etcdserverpb::RangeResponse response;
    EXPECT_TRUE(response.ParseFromString(body));
    return response.kvs().empty() ? "" : response.kvs(0).value();
  }
  void StartAt(Index last) { last_ = last; }

  Revision revision() const { return store_->current_revision(); }
  mvcc::Store& store() { return *store_; }
  lease::Lessor& lessor() { return lessor_; }
  membership::Cluster& cluster() { return cluster_; }
  AlarmStore& alarms() { return alarms_; }
  Applier& applier() { return applier_; }
  testing::SimScheduler& scheduler() { return scheduler_; }

 private:
  testing::SimScheduler scheduler_;
  engine::MemEngine& engine_;
  NoSink sink_;
  std::unique_ptr<mvcc::Store> store_;
  lease::Lessor lessor_;
  membership::Cluster cluster_;
  AlarmStore alarms_;
  Quota quota_;
  Applier applier_;
  Index last_;
};

class ApplyTest : public ::testing::Test {
 protected:
  using Request = Replica::Request;

  engine::MemEngine engine_;
  Replica replica_{engine_};
};

// The response body of a result.
template <typename Response>
Response BodyOf(const Result& result) {
  Response response;
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_TRUE(response.ParseFromString(result.body.Flatten()));
  return response;
}

}  // namespace etcd::apply
