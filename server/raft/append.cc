#include <algorithm>
#include <tuple>
#include <utility>

#include "server/base/check.h"
#include "server/raft/core.h"
#include "server/raft/quorum.h"

// Proposals, log replication and heartbeats (paper 5.3, thesis 10.2.1).
namespace etcd::raft {
namespace {

bool IsContiguous(const Message& m) {
  Index next = m.index + 1;
  for (const Entry& entry : m.entries) {
    if (entry.index != next) return false;
    ++next;
  }
  return true;
}

// The progress of a member that answered, which is recently active by that; null when this one does
// not lead, or not the sender.
Progress* ActiveSender(Leader* leader, MemberId from, MemberId self) {
  if (leader == nullptr || from == self) return nullptr;
  const auto it = leader->progress.find(from);
  if (it == leader->progress.end()) return nullptr;
  it->second.recently_active = true;
  it->second.active_at = leader->ticks;
  return &it->second;
}

}  // namespace

// ---- Proposals ----

Proposed Core::Propose(Payload data) {
  std::vector<Payload> batch;
  batch.push_back(std::move(data));
  return Propose(std::move(batch));
}

Proposed Core::Propose(std::vector<Payload> batch) {
  CHECK(!batch.empty()) << "an empty proposal";
  return ProposeEntries(EntryType::kNormal, std::move(batch));
}

Proposed Core::ProposeConfChange(Payload encoded) {
  std::vector<Payload> batch;
  batch.push_back(std::move(encoded));
  return ProposeEntries(EntryType::kConfChange, std::move(batch));
}

Proposed Core::ProposeEntries(EntryType type, std::vector<Payload> batch) {
  if (auto* leader = std::get_if<Leader>(&role_)) {
    return AppendAsLeader(*leader, type, std::move(batch));
  }
  if (!this->leader()) return {};
  Message m = Make(MessageType::kProp, this->leader());
  m.term = Term();
  for (Payload& data : batch) m.entries.push_back(Entry{{}, {}, type, std::move(data)});
  Send(std::move(m));
  return {ProposeResult::kForwarded, {}, {}};
}

Proposed Core::AppendAsLeader(Leader& leader, EntryType type, std::vector<Payload> batch) {
  std::uint64_t bytes = 0;
  for (const Payload& data : batch) bytes += data.size();
  Proposed out = {AdmitProposal(leader, bytes), {}, {}};
  if (out.result != ProposeResult::kAppended) return out;
  out.first_index = log_.last_index() + 1;
  out.term = term_;
  for (Payload& data : batch) {
    if (type != EntryType::kNormal) {
      if (leader.pending_conf_index > log_.applied()) {
        // One change at a time (thesis 4.1). As in Go's library, the place in the log is kept.
        out.result = ProposeResult::kConfChangePending;
        log_.Append(term_, EntryType::kNormal, Payload());
        bytes -= data.size();
        continue;
      }
      leader.pending_conf_index = log_.last_index() + 1;
    }
    log_.Append(term_, type, std::move(data));
  }
  if (config_.uncommitted_bytes_max != 0) leader.uncommitted_bytes += bytes;
  return out;
}

ProposeResult Core::AdmitProposal(const Leader& leader, std::uint64_t bytes) const {
  if (!leader.progress.contains(config_.id)) return ProposeResult::kNotMember;
  if (leader.transferee) return ProposeResult::kTransferring;
  // One proposal of any size passes when nothing is open, or it could never pass.
  const std::uint64_t max = config_.uncommitted_bytes_max;
  if (max != 0 && bytes != 0 && leader.uncommitted_bytes != 0 &&
      leader.uncommitted_bytes + bytes > max) {
    return ProposeResult::kUncommittedFull;
  }
  return ProposeResult::kAppended;
}

// A follower's proposals; its entries have neither term nor index yet.
void Core::HandleProposal(Message m) {
  for (const Entry& entry : m.entries) {
    // No version of etcd can apply this type: it must never enter a log.
    if (entry.type == EntryType::kConfChangeV2) return;
  }
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) {
    if (!this->leader()) return;
    m.to = this->leader();
    Send(std::move(m));
    return;
  }
  for (Entry& entry : m.entries) {
    std::vector<Payload> one;
    one.push_back(std::move(entry.data));
    AppendAsLeader(*leader, entry.type, std::move(one));
  }
}

// ---- The follower's side ----

void Core::HandleAppend(Message m) {
  Message answer = Make(MessageType::kAppResp, m.from);
  if (m.index < log_.committed()) {
    answer.index = log_.committed();
  } else if (log_.Matches(m.index, m.log_term)) {
    if (!IsContiguous(m)) return;
    const Index commit = m.commit;
    answer.index = log_.Merge(m.index, std::move(m.entries));
    // What lies behind the entries of this message may differ from the leader's log.
    log_.CommitTo(std::min(commit, answer.index));
  } else {
    const Index hint = std::min(m.index, log_.last_index());
    answer.reject = true;
    answer.index = m.index;
    std::tie(answer.reject_hint, answer.log_term) = log_.FindConflictByTerm(hint, m.log_term);
  }
  Send(std::move(answer));
}

void Core::HandleHeartbeat(const Message& m) {
  log_.CommitTo(m.commit);
  Message answer = Make(MessageType::kHeartbeatResp, m.from);
  answer.context = m.context;
  Send(std::move(answer));
}

// ---- The leader's side ----

void Core::HandleAppendResponse(const Message& m) {
  auto* leader = std::get_if<Leader>(&role_);
  Progress* const sender = ActiveSender(leader, m.from, config_.id);
  if (sender == nullptr) return;
  Progress& progress = *sender;
  if (!m.reject) return HandleAcknowledged(*leader, m.from, m.index);
  Index hint = m.reject_hint;
  // The follower's hint is its largest entry of a term <= ours; ours of a term <= that one's is
  // where the logs can agree at best. Old members send no term with it.
  if (m.log_term) hint = log_.FindConflictByTerm(hint, m.log_term).first;
  if (!progress.Reject(m.index, hint)) return;
  if (progress.state == ProgressState::kReplicate) progress.BecomeProbe();
  progress.send_even_empty = true;
}

void Core::HandleAcknowledged(Leader& leader, MemberId from, Index index) {
  // Old Go members "acknowledge" entries that nobody sent; see kApp with term 0 in the reference.
  if (index > log_.last_index()) return;
  Progress& progress = leader.progress.at(from);
  const bool news = progress.Acknowledge(index);
  if (!news && !(progress.match == index && progress.state == ProgressState::kProbe)) return;
  if (progress.state == ProgressState::kProbe) {
    progress.BecomeReplicate();
  } else if (progress.state == ProgressState::kReplicate) {
    progress.inflights.FreeUpTo(index);
  } else if (progress.match + 1 >= log_.first_index()) {
    progress.BecomeReplicate();  // the snapshot, or something else, closed the gap
  }
  MaybeCommit(leader);
  if (from == leader.transferee && progress.match == log_.last_index()) {
    Send(Make(MessageType::kTimeoutNow, from));
  }
}

void Core::HandleHeartbeatResponse(const Message& m) {
  auto* leader = std::get_if<Leader>(&role_);
  Progress* const sender = ActiveSender(leader, m.from, config_.id);
  if (sender == nullptr) return;
  Progress& progress = *sender;
  progress.flow_paused = false;
  // Something may have been lost on the way: an append, empty if need be, asks where it stands.
  if (progress.match < log_.last_index() || progress.state == ProgressState::kProbe) {
    progress.send_even_empty = true;
  }
  ConfirmRound(*leader, progress, m.context);
}

void Core::MaybeCommit(Leader& leader) {
  std::vector<std::uint64_t> matches;
  matches.reserve(conf_.voters.size());
  for (const MemberId voter : conf_.voters) {
    matches.push_back(leader.progress.at(voter).match.value());
  }
  const Index index(MajorityValue(std::move(matches)));
  const Index before = log_.committed();
  // Only entries of the current term commit by counting (paper 5.4.2).
  if (index <= before || log_.term_at(index) != term_) return;
  log_.CommitTo(index);
  for (Index i = before + 1; leader.uncommitted_bytes > 0 && i <= index; ++i) {
    // Entries of earlier leaders were never counted.
    if (log_.term_at(i) == term_) leader.uncommitted_bytes -= log_.at(i).data.size();
  }
  AdmitWaitingReads(leader);
}

// ---- Sending ----

bool Core::WantsAppend(const Progress& progress) const {
  if (progress.paused()) return false;
  // Only a member that answers is worth a snapshot.
  if (!log_.Knows(progress.next - 1)) return progress.recently_active;
  const bool window_full = progress.state == ProgressState::kReplicate && progress.inflights.full();
  const bool entries = progress.next <= log_.last_index() && !window_full;
  // A commit index is news if it covers entries that were sent.
  const bool commit = progress.sent_commit < std::min(log_.committed(), progress.next - 1);
  return entries || commit || progress.send_even_empty;
}

bool Core::HasUnsentAppends(const Leader& leader) const {
  for (const auto& [id, progress] : leader.progress) {
    if (id != config_.id && WantsAppend(progress)) return true;
  }
  return false;
}

// Appends leave when the driver takes them, so that all proposals of a turn share messages.
void Core::FlushAppends(Leader& leader) {
  for (auto& [id, progress] : leader.progress) {
    if (id == config_.id) continue;
    while (WantsAppend(progress)) SendAppend(id, progress);
  }
}

void Core::SendAppend(MemberId to, Progress& progress) {
  const Index previous = progress.next - 1;
  if (!log_.Knows(previous)) return SendSnapshot(to, progress);
  Message m = Make(MessageType::kApp, to);
  m.index = previous;
  m.log_term = log_.term_at(previous);
  m.commit = log_.committed();
  if (progress.state != ProgressState::kReplicate || !progress.inflights.full()) {
    m.entries = log_.From(progress.next, config_.message_bytes_max);
  }
  std::uint64_t bytes = 0;
  for (const Entry& entry : m.entries) bytes += entry.data.size();
  progress.Sent(m.entries.size(), bytes);
  progress.sent_commit = m.commit;
  Send(std::move(m));
}

void Core::BroadcastHeartbeat(Leader& leader) {
  std::string context = NextRoundContext(leader);
  for (const auto& [id, progress] : leader.progress) {
    if (id == config_.id) continue;
    Message m = Make(MessageType::kHeartbeat, id);
    // Never beyond what the member has acknowledged: it stops itself over a commit index that
    // its log cannot reach.
    m.commit = std::min(progress.match, log_.committed());
    m.context = context;
    Send(std::move(m));
  }
}

void Core::ReportUnreachable(MemberId to) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return;
  const auto it = leader->progress.find(to);
  if (it == leader->progress.end() || to == config_.id) return;
  // What was sent optimistically is probably lost.
  if (it->second.state == ProgressState::kReplicate) it->second.BecomeProbe();
}

}  // namespace etcd::raft
