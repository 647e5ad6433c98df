#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "operator/member/etcd_access.h"

namespace etcd::loop {

// An etcd cluster in memory with the server's own rules for membership; its members run where the
// test says. What must never happen is written into `faults`. Thread-safe.
class FakeEtcd final : public member::EtcdAccess {
 public:
  // A server that runs: where, as whom, and what its volume holds.
  struct Server {
    std::string name{}, peer_url{}, volume{};
    bool is_new_cluster = false;
    std::string initial_cluster{};
  };

  // Called after every change; may throw in the place of the process's death.
  std::function<bool()> loses_answer;
  std::vector<std::string> faults;
  MemberId hides{};  // left out of every other list that is asked for
  void Forget();     // all of the cluster
  int changes = 0;   // of membership or leadership, tried

  // All servers that run now, by client URL. Those that are new start, or refuse to.
  void Run(const std::map<std::string, Server>& servers);
  // As `etcdctl member update`.
  void UpdatePeerUrl(const std::string& name, const std::string& url);
  // Somebody else's learner, or a member taken out by hand.
  MemberId AddForeign(const std::string& url);
  void RemoveByHand(const std::string& name);
  void Silence(const std::string& name, bool is_silent);

  std::size_t voters();
  std::vector<member::ListedMember> members();
  std::string leader();

  absl::StatusOr<member::Answer> Status(const std::string& url) override;
  absl::StatusOr<member::MemberList> List(const std::string& url) override;
  absl::Status AddLearner(const std::string& url, const std::string& peer_url) override;
  absl::Status Promote(const std::string& url, MemberId id) override;
  absl::Status Remove(const std::string& url, MemberId id) override;
  absl::Status MoveLeader(const std::string& url, MemberId to) override;

 private:
  struct Member {
    MemberId id{};
    std::string name{}, peer_url{}, volume{};
    bool is_learner = false, has_started = false;
  };
  void Start(const Server& server);
  void Elect();
  bool IsUp(const Member& member) const;
  std::size_t Voters(bool only_up) const;
  bool IsQuorate() const { return Voters(true) >= Voters(false) / 2 + 1; }
  Member* ById(MemberId id);
  Member* ByPeerUrl(const std::string& url);
  const Member* At(const std::string& url);  // that answers there
  absl::Status Change(const std::string& url, const std::function<absl::Status()>& change);

  std::mutex mu_;
  std::map<std::string, Server> running_;
  std::map<std::string, bool> silent_;
  std::vector<Member> members_;
  std::uint64_t next_id_ = 1;
  int lists_ = 0;
  MemberId leader_{};
  std::uint64_t index_ = 10;
};

}  // namespace etcd::loop
