#include "server/node/leadership.h"

#include <algorithm>
#include <utility>

#include "server/base/failpoint.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::node {
namespace {

// How long a former leader goes on before it stops: followers that have not heard of the new one
// yet still forward their proposals here.
constexpr std::chrono::milliseconds kLinger(50);

bool Contains(const std::vector<MemberId>& ids, MemberId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

bool Leadership::Leads() const {
  return raft_.core().role() == raft::Role::kLeader && !shared_.halted();
}

void Leadership::Move(MemberId to, base::Clock::Monotonic deadline, ReadDone done) {
  if (!Leads()) return done(Error(Errc::kNotLeader));
  if (!Contains(raft_.core().conf_state().voters, to)) {
    return done(Error(Errc::kBadLeaderTransferee));
  }
  FAILPOINT("afterIsMemberExist");
  if (to == shared_.id) return done(absl::OkStatus());
  LOG_INFO("leadership transfer starting", {"local-member-id", base::FormatHex(shared_.id.value())},
           {"transferee-member-id", base::FormatHex(to.value())});
  moves_.push_back({to, deadline, std::move(done)});
  if (!raft_.TransferLeadership(to)) moves_.back().deadline = {};
  Look();
}

std::optional<absl::Status> Leadership::OutcomeOf(const Transfer& transfer) const {
  const MemberId leader = raft_.core().leader();
  if (leader == transfer.to) return absl::OkStatus();
  const bool given_up = leader == shared_.id && raft_.core().transferee() != transfer.to;
  const bool elsewhere = leader && leader != shared_.id;
  const bool late = shared_.ports.raft.clock().Now() >= transfer.deadline;
  if (given_up || elsewhere || late) return Error(Errc::kTimeoutLeaderTransfer);
  return std::nullopt;
}

void Leadership::Look() {
  std::vector<std::pair<ReadDone, absl::Status>> ended;
  std::erase_if(moves_, [&](Transfer& transfer) {
    std::optional<absl::Status> outcome = OutcomeOf(transfer);
    if (!outcome.has_value()) return false;
    LOG_INFO("leadership transfer finished",
             {"transferee-member-id", base::FormatHex(transfer.to.value())}, {"ok", outcome->ok()});
    ended.emplace_back(std::move(transfer.done), *std::move(outcome));
    return true;
  });
  for (auto& [done, status] : ended) done(std::move(status));
  if (!handed_over_) return;
  if (!Leads()) {
    if (raft_.core().leader() || shared_.halted()) EndHandOver(!shared_.halted());
  } else if (!raft_.core().transferee()) {
    TryNextCandidate();
  }
}

// ---- Before a stop

std::vector<MemberId> Leadership::CandidatesByConnection() const {
  std::vector<std::pair<base::Clock::Monotonic, MemberId>> connected;
  for (const MemberId id : raft_.core().conf_state().voters) {
    if (id == shared_.id) continue;
    if (const auto since = shared_.ports.peers.ActiveSince(id)) connected.emplace_back(*since, id);
  }
  std::sort(connected.rbegin(), connected.rend());
  std::vector<MemberId> ids;
  for (const auto& [since, id] : connected) ids.push_back(id);
  return ids;
}

void Leadership::HandOver(absl::AnyInvocable<void()> done) {
  candidates_ = CandidatesByConnection();
  if (!Leads() || candidates_.empty() || handed_over_) return done();
  handed_over_ = std::move(done);
  LOG_INFO("leadership transfer starting", {"local-member-id", base::FormatHex(shared_.id.value())},
           {"transferee-member-id", base::FormatHex(candidates_.back().value())});
  shared_.ports.raft.PostAfter(2 * shared_.options.election_timeout(),
                               [this, number = ++hand_overs_] {
                                 if (number == hand_overs_) EndHandOver(false);
                               });
  TryNextCandidate();
}

void Leadership::TryNextCandidate() {
  while (!candidates_.empty()) {
    const MemberId to = candidates_.back();
    candidates_.pop_back();
    if (raft_.TransferLeadership(to)) return;
  }
  EndHandOver(false);
}

void Leadership::EndHandOver(bool handed_over) {
  if (!handed_over_) return;
  LOG_INFO("leadership transfer finished", {"ok", handed_over});
  auto done = std::exchange(handed_over_, nullptr);
  // Never from here: a change of leaders is heard in the middle of a Ready, and `done` may end it
  // all.
  if (!handed_over) return shared_.ports.raft.Post(std::move(done));
  shared_.ports.raft.PostAfter(kLinger, std::move(done));
}

}  // namespace etcd::node
