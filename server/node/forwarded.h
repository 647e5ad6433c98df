#pragma once

#include <set>
#include <string>
#include <utility>

#include "server/node/shared.h"
#include "server/raft/types.h"

namespace etcd::node {

// Looks at proposals of other members before they get into the log (apply/entry_check.h). What is
// wrong is dropped without an answer, as if the network had lost it; what shares its message goes
// on. Owner: the raft thread.
class ForwardedCheck {
 public:
  explicit ForwardedCheck(Shared& shared) : shared_(shared) {}

  struct Scope {
    bool leads = false;      // what passes is appended here
    bool knows_all = false;  // the view holds every member that can be part of the cluster already
  };
  void Filter(raft::Message& message, Scope scope);

 private:
  static constexpr std::size_t kReportedMax = 256;

  void Report(MemberId from, std::string why);

  Shared& shared_;
  std::set<std::pair<MemberId, std::string>> reported_;  // each cause is logged once
};

}  // namespace etcd::node
