#pragma once

#include <functional>
#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "operator/kube/controller.h"
#include "operator/loop/facts.h"

namespace etcd::loop {

// What a pod of a restored seed gets besides the server.
struct SeedParts {
  kube::Json init_containers;
  kube::Json volumes;
};
// Null when clusters cannot start with data. An error is a sentence for the user.
using MakeSeedParts =
    std::function<absl::StatusOr<SeedParts>(const Facts& facts, const model::EtcdMember& seed)>;

// Executes steps of the plan. Each may be repeated: what is done already is success. A step that
// two must not do is given up when we may not lead any more by its end.
class Executor {
 public:
  Executor(const kube::ControllerContext& context, member::EtcdAccess& etcd,
           const desired::Settings& settings, MakeSeedParts make_seed_parts)
      : context_(context),
        etcd_(etcd),
        settings_(settings),
        make_seed_parts_(std::move(make_seed_parts)) {}

  // Errors: what the API server or etcd said. kUnavailable and the like of etcd mean that it has to
  // be looked at again before anything else.
  absl::Status Run(const plan::Step& step, const Facts& facts);

 private:
  absl::Status Do(const plan::CreateRecord& step, const Facts& facts);
  absl::Status Do(const plan::CreateVolume& step, const Facts& facts);
  absl::Status Do(const plan::CreatePods& step, const Facts& facts);
  absl::Status Do(const plan::DeletePod& step, const Facts& facts);
  absl::Status Do(const plan::DeleteVolume& step, const Facts& facts);
  absl::Status Do(const plan::DeleteRecord& step, const Facts& facts);
  absl::Status Do(const plan::UpdateRecord& step, const Facts& facts);
  absl::Status Do(const plan::SetVoterRole& step, const Facts& facts);
  absl::Status Do(const plan::WithdrawPod& step, const Facts& facts);
  absl::Status Do(const plan::LatchCluster& step, const Facts& facts);
  absl::Status Do(const plan::AddLearner& step, const Facts& facts);
  absl::Status Do(const plan::Promote& step, const Facts& facts);
  absl::Status Do(const plan::MoveLeader& step, const Facts& facts);
  absl::Status Do(const plan::RemoveMember& step, const Facts& facts);
  absl::Status Do(const plan::Wait&, const Facts&) { return absl::OkStatus(); }
  absl::Status Do(const plan::Done&, const Facts&) { return absl::OkStatus(); }

  absl::Status CreatePod(const plan::CreatePods::One& one, const Facts& facts);
  absl::Status RaiseSeq(const Facts& facts, std::int64_t seq, bool must_be_new);
  absl::Status SetRole(const Facts& facts, const std::string& member, std::string_view role);
  absl::Status Detach(const kube::Object& claim);
  absl::Status CheckMayAct() const;
  absl::Status CheckAbsent(const Facts& facts, const std::string& member) const;
  // Of the voter that answers for the cluster, not `except` when another one does.
  absl::StatusOr<std::string> VoterUrl(const Facts& facts, const std::string& except = {}) const;
  void Tell(const Facts& facts, std::string reason, std::string note) const;

  const kube::ControllerContext context_;
  member::EtcdAccess& etcd_;
  const desired::Settings& settings_;
  const MakeSeedParts make_seed_parts_;
};

// Nothing when it is there, or gone, already.
absl::Status AddFinalizer(kube::Client& client, const kube::Resource& resource,
                          const kube::Object& object, std::string_view finalizer);
absl::Status RemoveFinalizer(kube::Client& client, const kube::Resource& resource,
                             const kube::ObjectKey& key, std::string_view uid,
                             std::string_view finalizer);

// The member that the step is about; empty when there is none.
std::string MemberOf(const plan::Step& step);

// An answer of etcd that means: not now, ask again (operator-spec 6.7).
bool IsRefusalForNow(const absl::Status& status);

}  // namespace etcd::loop
