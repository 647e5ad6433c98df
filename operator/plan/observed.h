#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/base/ids.h"

// What is known of one cluster when its next step is decided: from the API server and from etcd,
// both asked anew for each decision.
namespace etcd::plan {

// Of an EtcdMember, in the order of its life. Removing: etcd may still have it; removed: it has
// not.
enum class Phase : std::uint8_t {
  kPending,
  kAnnounced,
  kStarting,
  kLearner,
  kVoter,
  kRemoving,
  kRemoved
};

// An EtcdMember. Its name is never used again, nor are its pod's and its volume's, which are called
// after it.
struct Record {
  std::string name{};
  int slot = 0;
  std::int64_t seq = 0;
  bool is_bootstrap = false;  // the seed of the cluster
  Phase phase = Phase::kPending;
  MemberId id{};                  // 0: not known yet
  bool is_restored = false;       // its volume is filled before it starts
  bool has_joined = false;        // was seen as a part of the cluster, at any time
  std::string volume_uid{};       // of the volume that it joined with
  std::string initial_cluster{};  // for its first start; empty until announced
  bool is_unwanted = false;       // a user has deleted the record: another member in its place

  bool operator==(const Record&) const = default;
};

struct Volume {
  std::string uid{};
  bool is_deleting = false;
  bool is_detached = false;  // kept, and never used again
};

struct Pod {
  std::string uid{};
  bool is_deleting = false;
  bool has_voter_role = false;    // the label that the client Service selects by
  bool is_finished = false;       // evicted, say: it never runs again
  std::string initial_cluster{};  // that it was made with
  std::string node{}, zone{};     // where it runs; empty: not known
};

// What a member says of itself (Status).
struct Health {
  ClusterId cluster{};
  MemberId id{};
  MemberId leader{};  // 0: it knows none
  bool is_learner = false;
  bool has_alarm = false;  // NOSPACE or CORRUPT
  bool is_corrupt = false;
  std::uint64_t raft_index = 0;
  std::uint64_t applied_index = 0;
};

// An entry of etcd's member list; without a name the member has never started.
struct Listed {
  MemberId id{};
  std::string name{};
  std::vector<std::string> peer_urls{};
  bool is_learner = false;
};

struct Observed {
  ClusterId cluster{};        // latched at the bootstrap; 0: there is no cluster yet
  std::int64_t last_seq = 0;  // the highest ever given to a member, from status, labels and volumes
  std::vector<Record> records{};
  std::map<std::string, Volume> volumes{};  // by member
  std::map<std::string, Pod> pods{};        // by member
  std::map<std::string, Health> health{};   // by member; missing: no answer
  // A linearizable list: that there is one says that the cluster has a quorum.
  std::optional<std::vector<Listed>> members{};
  // All voters have participated for minReadySeconds.
  bool is_settled = false;
  // Entries of the list that nothing of ours belongs to, each there for ten minutes.
  std::set<MemberId> old_foreign_entries{};
  // Pods of members bear this cluster's name and belong to nobody here: what is left of another
  // one.
  bool has_strangers = false;
  // The pod of the member that leaves has been withdrawn for long enough.
  bool is_leaver_drained = false;
  // The deadline of the member that is on its way in has passed.
  bool is_addition_overdue = false;
  // A member that was on its way in had to be given up not long ago.
  bool is_backing_off = false;
};

struct Wanted {
  std::string cluster{};          // name of the EtcdCluster
  std::string uid{};              // its uid
  std::string peer_url_suffix{};  // behind a member's name: ".c-peer.n.svc:2380"
  std::string scheme = "http";
  int replicas = 3;
  bool is_paused = false;
  bool keeps_removed_volumes = false;
};

}  // namespace etcd::plan
