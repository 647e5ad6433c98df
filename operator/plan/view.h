#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/plan/observed.h"

namespace etcd::plan {

// What the rules ask of an observation (operator-spec 7). Borrows it.
class View {
 public:
  View(const Wanted& wanted, const Observed& observed);

  bool is_quorate() const { return observed_.members.has_value(); }
  const std::vector<Listed>& members() const;
  // The entry of a member: by its id, or by what else is its own and nobody else's, its peer URL
  // or its name; null when none of them is in the list.
  const Listed* ListedOf(const Record& record) const;
  // Null when nothing about the entry is ours.
  const Record* RecordOf(const Listed& listed) const;
  // Why the entry of a member that has joined is not quite what its record says; empty: it is.
  std::string MismatchOf(const Record& record) const;
  const Health* HealthOf(const std::string& member) const;
  const Pod* PodOf(const std::string& member) const;
  const Volume* VolumeOf(const std::string& member) const;

  // The member that most members that answer follow; none while they do not agree.
  MemberId leader() const { return leader_; }
  const Record* LeaderRecord() const;
  // Voters that a quorum can count on: they answer, follow the leader, and are not far behind.
  bool IsParticipating(const Record& record) const;
  std::size_t voters() const { return voters_; }
  std::size_t learners_or_unstarted() const { return learners_or_unstarted_; }
  std::size_t participating() const;
  bool AllVotersParticipate() const { return participating() == voters_; }
  bool has_alarm() const;
  bool has_other_cluster() const;
  // Without this voter the rest still has a quorum of what remains.
  bool MayRemove(const Record& record) const;
  // Entries behind the leader; nothing when either is unknown.
  std::optional<std::uint64_t> Lag(const std::string& member) const;

 private:
  void FindLeader();

  const Wanted& wanted_;
  const Observed& observed_;
  MemberId leader_{};
  std::size_t voters_ = 0;
  std::size_t learners_or_unstarted_ = 0;
};

}  // namespace etcd::plan
