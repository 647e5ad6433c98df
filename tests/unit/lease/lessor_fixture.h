#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "server/lease/lessor.h"
#include "tests/support/virtual_executor.h"

namespace etcd::lease {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Plays raft: keeps what the clock proposes until the test applies or fails it.
class RecordingSink final : public ExpireSink {
 public:
  struct Revoke {
    LeaseId id;
    Term term;
    Done done;
  };
  struct Checkpoint {
    std::vector<LeaseCheckpoint> entries;
    Term term;
    Done done;
  };
  void ProposeRevoke(LeaseId id, Term term, Done done) override {
    revokes.push_back({id, term, std::move(done)});
  }
  void ProposeCheckpoint(std::vector<LeaseCheckpoint> entries, Term term, Done done) override {
    checkpoints.push_back({std::move(entries), term, std::move(done)});
  }
  std::deque<Revoke> revokes;
  std::deque<Checkpoint> checkpoints;
};

struct CountingObserver final : LessorObserver {
  void OnGranted(std::int64_t) override { ++granted; }
  void OnRevoked() override { ++revoked; }
  void OnRenewed(std::int64_t) override { ++renewed; }
  void OnExpired() override { ++expired; }
  int granted = 0, revoked = 0, renewed = 0, expired = 0;
};

class LessorFixture : public ::testing::Test {
 protected:
  explicit LessorFixture(LessorOptions options = {}) : lessor(executor, sink, &observer, options) {}

  std::int64_t GrantPublished(std::int64_t id, std::int64_t ttl) {
    const auto granted = lessor.Grant(LeaseId(id), ttl, batch);
    EXPECT_TRUE(granted.ok());
    lessor.Publish();
    return granted.value_or(-1);
  }
  void RevokePublished(LeaseId id) {
    EXPECT_TRUE(lessor.Revoke(id, batch).ok());
    lessor.Publish();
  }
  // Applies the oldest proposed revoke.
  LeaseId ApplyOneRevoke() {
    auto revoke = std::move(sink.revokes.front());
    sink.revokes.pop_front();
    RevokePublished(revoke.id);
    revoke.done(absl::OkStatus());
    executor.RunDue();
    return revoke.id;
  }
  // The answer, if Renew has given one.
  using Answer = std::shared_ptr<std::optional<absl::StatusOr<std::int64_t>>>;
  Answer Renew(std::int64_t id) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<std::int64_t>>>();
    lessor.Renew(LeaseId(id), [answer](absl::StatusOr<std::int64_t> got) {
      EXPECT_FALSE(answer->has_value()) << "answered twice";
      answer->emplace(std::move(got));
    });
    return answer;
  }
  static std::optional<Errc> ErrorOf(const Answer& answer) {
    if (!answer->has_value()) return std::nullopt;
    return ErrcOf((*answer)->status());
  }
  std::int64_t Remaining(std::int64_t id) {
    const auto info = lessor.TimeToLive(LeaseId(id), false);
    return info.ok() ? info->remaining_ttl_seconds : -1;
  }

  testing::VirtualExecutor executor;
  RecordingSink sink;
  CountingObserver observer;
  engine::WriteBatch batch;
  Lessor lessor;
};

}  // namespace etcd::lease
