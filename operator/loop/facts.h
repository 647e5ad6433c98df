#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "operator/desired/pod.h"
#include "operator/kube/object.h"
#include "operator/member/etcd_access.h"
#include "operator/model/cluster.h"
#include "operator/model/member.h"
#include "operator/plan/plan.h"

namespace etcd::loop {

// Everything that was seen of one cluster at the start of a reconcile, and what the plan is told of
// it. Objects are by the name of their member.
struct Facts {
  struct Member {
    kube::Object object;
    model::EtcdMember record;
  };

  kube::Object object;
  model::EtcdCluster cluster;
  std::vector<Member> members;  // in the order of their sequence numbers
  std::map<std::string, kube::Object> pods;
  std::map<std::string, kube::Object> claims;     // of members that exist
  std::map<std::string, std::string> urls;        // client URLs of pods that have an address
  std::map<std::string, member::Answer> answers;  // of those that answered
  std::map<std::string, std::string> silent;      // of the others: the error
  std::map<std::string, std::string> zones;       // of members whose nodes' zones are known
  // What was decided when the cluster began, whatever the settings are now.
  std::string cluster_domain;
  std::string image;                  // of members that have joined; empty: there are none
  std::vector<kube::Object> orphans;  // EtcdMembers of an earlier cluster of this name
  plan::Wanted wanted;
  plan::Observed observed;

  const Member* Find(std::string_view name) const;
};

// What `facts` are for the plan, from its objects; answers of etcd come by AddAnswers.
void FillPlan(Facts& facts, const desired::Settings& settings);
void AddAnswers(Facts& facts);
std::vector<plan::Listed> ToPlan(const std::vector<member::ListedMember>& members);

// The DNS domain in the URLs that the members joined with; empty when none has joined.
std::string DomainOf(const Facts& facts);
// The image that a member's pod was made with; empty when it has no pod.
std::string ImageOfPod(const Facts& facts, const std::string& member);

// What a pod's status says.
struct PodFacts {
  bool is_running = false;  // the server's container runs
  bool is_ready = false;
  bool is_finished = false;  // Failed or Succeeded: it never runs again
  bool is_unschedulable = false;
  std::string unschedulable_message{};  // the scheduler's
  std::string ip{}, node{};
  std::string waiting_reason{}, waiting_message{};  // of any container that cannot start
  std::int64_t restarts = 0;
  std::string exit_reason{}, exit_message{}, exit_at{};  // of the last end of the server
  std::optional<std::int64_t> exit_code{};
  bool has_lost_data = false;  // the guard found no log on the volume
  bool is_preparing = false;   // a container that must end before the server runs
  std::string prepared_at{};   // when the last of them has ended well
};
PodFacts ReadPod(const kube::Object& pod);

// By the spec, or by an annotation, which users without a right to change the spec may have.
bool IsPaused(const model::EtcdCluster& cluster);

std::string HexId(std::uint64_t id);
std::uint64_t ParseHexId(std::string_view text);

model::MemberPhase ToModel(plan::Phase phase);
plan::Phase FromModel(std::optional<model::MemberPhase> phase);

}  // namespace etcd::loop
