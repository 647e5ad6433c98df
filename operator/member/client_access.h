#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "operator/member/etcd_access.h"
#include "server/base/clock.h"

namespace etcd::client {
class Client;
}

namespace etcd::member {

// EtcdAccess by our client: one connection for each member, kept while it is used and closed when
// nobody has asked for ten minutes (members come back under other addresses).
class ClientAccess final : public EtcdAccess {
 public:
  explicit ClientAccess(const base::Clock& clock) : clock_(clock) {}
  ~ClientAccess() override;

  absl::StatusOr<Answer> Status(const std::string& url) override;
  absl::StatusOr<MemberList> List(const std::string& url) override;
  absl::Status AddLearner(const std::string& url, const std::string& peer_url) override;
  absl::Status Promote(const std::string& url, MemberId id) override;
  absl::Status Remove(const std::string& url, MemberId id) override;
  absl::Status MoveLeader(const std::string& url, MemberId to) override;

 private:
  struct Entry {
    std::shared_ptr<client::Client> client;
    base::Clock::Monotonic used{};
  };
  absl::StatusOr<std::shared_ptr<client::Client>> ClientOf(const std::string& url);

  const base::Clock& clock_;
  std::mutex mu_;
  std::map<std::string, Entry> clients_;  // by URL; guarded by mu_
};

}  // namespace etcd::member
