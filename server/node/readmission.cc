#include "server/node/readmission.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/corruption.h"
#include "server/node/entries.h"

namespace etcd::node {
namespace {

// How long the other members must have been reachable, as for every change of the membership.
constexpr std::chrono::seconds kHealthInterval(5);
// Members that are a moment behind cannot be compared: asked again.
constexpr int kComparisonsMax = 20;
constexpr std::chrono::milliseconds kComparisonPause(100);
constexpr std::size_t kOtherVotersMin = 2;

absl::Status Refuse(const std::string& why) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, why);
}

std::string Hex(MemberId id) { return base::FormatHex(id.value()); }

std::vector<std::string> Sorted(std::vector<std::string> urls) {
  std::sort(urls.begin(), urls.end());
  return urls;
}

}  // namespace

struct Readmission::Call {
  ReadmitRequest request;
  AddedMemberDone done;
  int comparisons = 0;
  bool has_changed = false;  // the removal was proposed
};

void Readmission::Start(ReadmitRequest request, AddedMemberDone done) {
  auto call = std::make_shared<Call>();
  call->request = std::move(request);
  call->done = std::move(done);
  shared_.ports.raft.Post([this, call = std::move(call)]() mutable { Begin(std::move(call)); });
}

void Readmission::Begin(CallPtr call) {
  if (shared_.leader.load() != shared_.id.value()) return call->done(Error(Errc::kNotLeader));
  if (busy_) return call->done(Refuse("another member is being readmitted"));
  if (auto successor = FindSuccessor(call->request)) return call->done(*std::move(successor));
  if (absl::Status refused = MayReadmit(call->request); !refused.ok()) {
    return call->done(std::move(refused));
  }
  busy_ = true;
  Compare(call);
}

// ---- Whether it may

std::optional<AddedMember> Readmission::FindSuccessor(const ReadmitRequest& request) const {
  const membership::ViewPtr view = shared_.cluster.view();
  if (!request.resumes || view->Find(request.id) != nullptr) return std::nullopt;
  for (const MemberInfo& member : MemberInfos(*view)) {
    if (!member.is_learner || !member.name.empty()) continue;
    if (Sorted(member.peer_urls) == Sorted(request.peer_urls)) {
      return AddedMember{member, MemberInfos(*view)};
    }
  }
  return std::nullopt;
}

absl::Status Readmission::MayReadmit(const ReadmitRequest& request) const {
  if (shared_.leader.load() != shared_.id.value()) return Error(Errc::kNotLeader);
  const membership::ViewPtr view = shared_.cluster.view();
  const membership::Member* member = view->Find(request.id);
  if (member == nullptr && !(request.resumes && view->removed.contains(request.id))) {
    return Error(Errc::kMemberNotFound);
  }
  if (request.id == shared_.id || shared_.ports.peers.ActiveSince(request.id).has_value()) {
    return Refuse("member " + Hex(request.id) + " is up");
  }
  RETURN_IF_ERROR(CheckAlarms(request.id));
  return CheckOthers(request, member == nullptr || !member->is_learner);
}

absl::Status Readmission::CheckOthers(const ReadmitRequest& request, bool is_voter) const {
  const auto since = shared_.ports.raft.clock().Now() - kHealthInterval;
  std::size_t voters = 0;
  std::size_t learners = 0;
  for (const auto& [id, member] : shared_.cluster.view()->members) {
    if (id == request.id) continue;
    ++(member.is_learner ? learners : voters);
    if (member.name.empty()) return Refuse("member " + Hex(id) + " has not started");
    if (id == shared_.id) continue;
    const auto active = shared_.ports.peers.ActiveSince(id);
    if (!active.has_value() || *active > since) {
      return Refuse("member " + Hex(id) + " has not been connected for long enough");
    }
  }
  // Of a voter's log a majority without it must hold everything.
  if (voters < (is_voter ? kOtherVotersMin : 1)) {
    return Refuse("too few other voters: its data may be the last good copy");
  }
  if (learners >= shared_.options.learners_max) return Refuse("there is another learner");
  return absl::OkStatus();
}

absl::Status Readmission::CheckAlarms(MemberId id) const {
  for (const apply::Alarm& alarm : *shared_.alarms.view()) {
    if (alarm.type != apply::kAlarmCorrupt || alarm.member == id) continue;
    return Refuse("alarm CORRUPT is raised for member " + Hex(alarm.member));
  }
  return absl::OkStatus();
}

// The read proves that a majority follows this leader; the hashes, that the others have its data.
void Readmission::Compare(const CallPtr& call) {
  ++call->comparisons;
  read_index_([this, call](absl::Status read) {
    shared_.ports.raft.Post([this, call, read = std::move(read)] {
      if (!read.ok()) return OnCompared(call, read);
      hashes_.Head([this, call](absl::StatusOr<OwnHash> own) {
        if (!own.ok()) return OnCompared(call, own.status());
        CompareWith(call, *own);
      });
    });
  });
}

void Readmission::CompareWith(const CallPtr& call, const OwnHash& own) {
  hashes_.Peers(own.hash_revision, call->request.id,
                [this, call, own](const std::vector<PeerHash>& peers) {
                  OnCompared(call, CheckEqualHashes(own, peers));
                });
}

void Readmission::OnCompared(const CallPtr& call, const absl::Status& equal) {
  if (absl::Status refused = MayReadmit(call->request); !refused.ok()) {
    return End(call, std::move(refused));
  }
  if (equal.ok()) return Remove(call);
  const bool may_pass = equal.code() == absl::StatusCode::kUnavailable;
  if (!may_pass || call->comparisons >= kComparisonsMax) {
    return End(call, Refuse(std::string(base::MessageOf(equal))));
  }
  shared_.ports.raft.PostAfter(kComparisonPause, [this, call] { Compare(call); });
}

// ---- Out and in

ProposeOptions Readmission::Options() const {
  ProposeOptions options;
  options.deadline = shared_.ports.raft.clock().Now() + shared_.options.request_timeout();
  return options;
}

void Readmission::Remove(const CallPtr& call) {
  const MemberId id = call->request.id;
  call->has_changed = true;
  LOG_WARN("replacing a member whose data is damaged", {"member-id", Hex(id)},
           {"peer-urls", call->request.peer_urls});
  if (shared_.cluster.view()->Find(id) == nullptr) return Disarm(call);
  changes_.Remove(id, Options(), [this, call](absl::StatusOr<std::vector<MemberInfo>> removed) {
    shared_.ports.raft.Post([this, call, status = removed.status()] {
      if (!status.ok()) return End(call, status);
      Disarm(call);
    });
  });
}

// The alarm of a member that is gone says nothing about the cluster.
void Readmission::Disarm(const CallPtr& call) {
  const MemberId id = call->request.id;
  if (!shared_.alarms.view()->contains({id, apply::kAlarmCorrupt})) return Add(call);
  propose_([id](RequestId request) { return EncodeDisarmAlarm(request, id, apply::kAlarmCorrupt); },
           [this, call](apply::Result result) {
             shared_.ports.raft.Post([this, call, status = std::move(result.status)] {
               if (!status.ok()) return End(call, status);
               Add(call);
             });
           });
}

void Readmission::Add(const CallPtr& call) {
  changes_.Add(call->request.peer_urls, /*is_learner=*/true, Options(),
               [this, call](absl::StatusOr<AddedMember> added) {
                 shared_.ports.raft.Post([this, call, added = std::move(added)]() mutable {
                   End(call, std::move(added));
                 });
               });
}

void Readmission::End(const CallPtr& call, absl::StatusOr<AddedMember> result) {
  busy_ = false;
  if (!result.ok()) {
    LOG_WARN("a damaged member was not readmitted", {"member-id", Hex(call->request.id)},
             {"error", result.status()});
    // No refusal any more: the member may be out already.
    if (call->has_changed) {
      result = base::MakeStatus(absl::StatusCode::kUnavailable, base::MessageOf(result.status()));
    }
  }
  call->done(std::move(result));
}

}  // namespace etcd::node
