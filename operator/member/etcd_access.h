#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/ids.h"

// The calls of etcd that the operator makes, so that tests run it against a cluster in memory.
namespace etcd::member {

// What one member says of itself.
struct Answer {
  ClusterId cluster{};
  MemberId id{};
  MemberId leader{};  // 0: it knows none
  bool is_learner = false;
  std::uint64_t raft_term = 0;
  std::uint64_t raft_index = 0;
  std::uint64_t applied_index = 0;
  std::int64_t db_size = 0;
  std::int64_t db_size_in_use = 0;
  std::string version{};
  std::string cluster_version{};  // empty before etcd 3.6
  bool has_no_space = false;      // alarms of this member, as far as it knows
  bool is_corrupt = false;
};

struct ListedMember {
  MemberId id{};
  std::string name{};  // empty: has never started
  std::vector<std::string> peer_urls{};
  bool is_learner = false;
};

// The list, and of which cluster it is.
struct MemberList {
  ClusterId cluster{};
  std::vector<ListedMember> members{};
};

// Blocking, each call with a deadline of its own (operator-spec 6.7); thread-safe. `url` is a
// member's client URL; a call goes there and nowhere else. Errors are of Errc (base/errc.h);
// kUnavailable, kDeadlineExceeded and kCancelled leave the outcome of a change unknown.
class EtcdAccess {
 public:
  virtual ~EtcdAccess() = default;

  virtual absl::StatusOr<Answer> Status(const std::string& url) = 0;
  // Linearizable: that it succeeds says that there is a quorum.
  virtual absl::StatusOr<MemberList> List(const std::string& url) = 0;
  virtual absl::Status AddLearner(const std::string& url, const std::string& peer_url) = 0;
  virtual absl::Status Promote(const std::string& url, MemberId id) = 0;
  virtual absl::Status Remove(const std::string& url, MemberId id) = 0;
  // `url` is the leader's.
  virtual absl::Status MoveLeader(const std::string& url, MemberId to) = 0;
};

}  // namespace etcd::member
