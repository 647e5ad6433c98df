#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "server/node/conf_changes.h"
#include "server/node/hash_source.h"
#include "server/node/shared.h"

namespace etcd::node {

// The leader's part of --auto-rebuild: a member with damaged data gets a place to start over.
//
// It may have lost votes and entries that it acknowledged, so it must never vote or acknowledge
// again as who it was. It is removed, which only a majority without it can commit; that commit is
// the proof that a majority holds the log up to there, and so all that was ever acknowledged with
// its help. Then it is added as a learner with a new id, which has promised nothing, and gets the
// data as any learner does. Its files stay untouched until it has heard of that.
//
// Refused whenever its data could be the last good copy, and when it is not clear whose data is
// good: fewer than two other voters, any other member not started or not connected, another CORRUPT
// alarm, hashes of the others that differ, no leader confirmed by a majority.
//
// Owner: the raft thread, but for Start.
class Readmission {
 public:
  using Propose = absl::AnyInvocable<void(absl::AnyInvocable<std::string(RequestId)>, ProposeDone)>;
  using ReadIndex = absl::AnyInvocable<void(ReadDone)>;

  // `propose` and `read_index` may be called as long as this lives.
  Readmission(Shared& shared, ConfChanges& changes, Propose propose, ReadIndex read_index)
      : shared_(shared),
        changes_(changes),
        hashes_(shared),
        propose_(std::move(propose)),
        read_index_(std::move(read_index)) {}

  // Thread-safe; as Member::Readmit.
  void Start(ReadmitRequest request, AddedMemberDone done);

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;

  void Begin(CallPtr call);
  // OK when the view and the connections of this moment allow it.
  absl::Status MayReadmit(const ReadmitRequest& request) const;
  absl::Status CheckOthers(const ReadmitRequest& request, bool is_voter) const;
  absl::Status CheckAlarms(MemberId id) const;
  // The learner that an earlier call has added.
  std::optional<AddedMember> FindSuccessor(const ReadmitRequest& request) const;
  void Compare(const CallPtr& call);
  void CompareWith(const CallPtr& call, const OwnHash& own);
  void OnCompared(const CallPtr& call, const absl::Status& equal);
  void Remove(const CallPtr& call);
  void Disarm(const CallPtr& call);
  void Add(const CallPtr& call);
  void End(const CallPtr& call, absl::StatusOr<AddedMember> result);
  ProposeOptions Options() const;

  Shared& shared_;
  ConfChanges& changes_;
  HashSource hashes_;
  Propose propose_;
  ReadIndex read_index_;
  bool busy_ = false;
};

}  // namespace etcd::node
