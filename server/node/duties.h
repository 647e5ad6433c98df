#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <absl/functional/any_invocable.h>

#include "server/node/auto_compactor.h"
#include "server/node/shared.h"
#include "server/node/version_duty.h"

namespace etcd::node {

// What a member proposes by itself: its attributes once after each start; as leader the cluster
// version and the automatic compaction; and the NOSPACE alarm when its quota is exceeded. Owner:
// the raft thread, except where said.
class Duties {
 public:
  // Proposes an entry made for a fresh id; the answer comes on any thread.
  using Propose = absl::AnyInvocable<void(absl::AnyInvocable<std::string(RequestId)>, ProposeDone)>;

  // Answers when what was acknowledged before is applied here; on any thread.
  using ReadIndex = absl::AnyInvocable<void(ReadDone)>;

  Duties(Shared& shared, Propose propose, ReadIndex read_index);

  // `ready` is called once, when the attributes are published.
  void Start(absl::AnyInvocable<void()> ready);
  void OnTick();
  void OnTermStarted() { versions_.OnTermStarted(); }
  void OnMembersChanged() { versions_.Forget(); }
  // Thread-safe: the quota was exceeded here; the alarm is raised unless it is already.
  void RaiseNoSpace() { wants_alarm_.store(true); }

 private:
  void Publish();
  void ChooseForm();
  void PublishAs(bool is_request);
  void RaiseAlarm();
  void Compact();
  bool is_leader() const { return shared_.leader.load() == shared_.id.value(); }

  Shared& shared_;
  Propose propose_;
  ReadIndex read_index_;
  absl::AnyInvocable<void()> ready_;
  bool published_ = false;
  bool publishing_ = false;
  VersionDuty versions_;
  std::atomic<bool> wants_alarm_{false};
  bool raising_ = false;
  std::unique_ptr<AutoCompactor> compactor_;
};

}  // namespace etcd::node
