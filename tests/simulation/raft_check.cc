#include "tests/simulation/raft_check.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace etcd::simulation {
namespace {

using raft::Message;
using raft::MessageType;

bool IsFromLeader(MessageType type) {
  return type == MessageType::kApp || type == MessageType::kHeartbeat ||
         type == MessageType::kSnap || type == MessageType::kTimeoutNow;
}

// Whether the message carries the sender's own term. A pre-vote and its answer speak of a term that
// may never come; proposals and read requests have none. A snapshot leaves when its database is
// ready, which may be in a later term: then whoever gets it lets it be.
bool HasOwnTerm(const Message& m) {
  return m.type != MessageType::kSnap && m.type != MessageType::kPreVote &&
         m.type != MessageType::kPreVoteResp && m.term;
}

}  // namespace

void RaftCheck::Fail(std::string what) { world_.Fail("raft: " + std::move(what)); }

void RaftCheck::OnSend(const Message& m) {
  if (HasOwnTerm(m)) CheckTerm(m);
  CountRare(m);
  if (IsFromLeader(m.type)) CheckLeader(m);
  if (m.type == MessageType::kApp) CheckCommit(m);
  if (m.type == MessageType::kApp) CheckEntries(m);
  if (m.type == MessageType::kVoteResp && !m.reject) CheckVote(m);
  if (m.type == MessageType::kAppResp && !m.reject) {
    Acknowledged& known = acknowledged_[m.from];
    if (known.term != m.term) known = {m.term, Index()};
    known.index = std::max(known.index, m.index);
  }
}

void RaftCheck::CountRare(const Message& m) {
  if (m.type == MessageType::kAppResp && m.reject) world_.Count("append refused");
  if (m.type == MessageType::kVoteResp && m.reject) world_.Count("vote refused");
  if (m.type == MessageType::kPreVoteResp && m.reject) world_.Count("pre-vote refused");
  if (m.type == MessageType::kTimeoutNow) world_.Count("election on demand");
  if (m.type == MessageType::kReadIndex) world_.Count("read index asked of the leader");
}

// A term never falls, crashes included: it is on the disk before anybody hears of it.
void RaftCheck::CheckTerm(const Message& m) {
  term_max_ = std::max(term_max_, m.term);
  Term& last = terms_[m.from];
  if (m.term < last) {
    Fail(fmt::format("{:x} speaks in term {} after {}", m.from.value(), m.term.value(),
                     last.value()));
  }
  last = std::max(last, m.term);
}

void RaftCheck::CheckLeader(const Message& m) {
  const auto [known, is_new] = leaders_.emplace(m.term, m.from);
  if (is_new) {
    world_.Trace(fmt::format("raft: {:x} leads in term {}", m.from.value(), m.term.value()));
    world_.Count("leader elected");
  } else if (known->second != m.from) {
    Fail(fmt::format("two leaders in term {}: {:x} and {:x}", m.term.value(), known->second.value(),
                     m.from.value()));
  }
}

// In its term a leader's commit index never falls.
void RaftCheck::CheckCommit(const Message& m) {
  Index& known = committed_[m.term];
  if (m.commit < known) {
    Fail(fmt::format("the commit index of term {} falls from {} to {}", m.term.value(),
                     known.value(), m.commit.value()));
  }
  known = std::max(known, m.commit);
}

// Log matching: index and term name one entry, and by it everything before. Leader completeness:
// who leads later than an entry was applied has no other in its place.
void RaftCheck::CheckEntries(const Message& m) {
  Term before = m.log_term;
  for (const raft::Entry& entry : m.entries) {
    const SeenEntry seen{std::hash<std::string_view>()(entry.data.view()), before};
    const auto [known, is_new] = entries_.emplace(std::pair(entry.index, entry.term), seen);
    if (!is_new &&
        (known->second.hash != seen.hash || known->second.term_before != seen.term_before)) {
      Fail(fmt::format("two entries at index {} of term {}", entry.index.value(),
                       entry.term.value()));
    }
    const auto applied = applied_.find(entry.index);
    if (applied != applied_.end() && applied->second.term != entry.term &&
        m.term > applied->second.known_at) {
      Fail(fmt::format("the leader of term {} has term {} at index {}, applied is {}",
                       m.term.value(), entry.term.value(), entry.index.value(),
                       applied->second.term.value()));
    }
    before = entry.term;
  }
}

void RaftCheck::CheckVote(const Message& m) {
  const auto [known, is_new] = votes_.emplace(std::pair(m.from, m.term), m.to);
  if (!is_new && known->second != m.to) {
    Fail(fmt::format("{:x} votes twice in term {}", m.from.value(), m.term.value()));
  }
}

void RaftCheck::OnApplied(Index index, Term term) {
  const auto [known, is_new] = applied_.emplace(index, Applied{term, term_max_});
  if (!is_new && known->second.term != term) {
    Fail(fmt::format("index {} is applied with terms {} and {}", index.value(),
                     known->second.term.value(), term.value()));
  }
}

// Durable before visible: what a member said is still so after any crash.
void RaftCheck::OnDeath(MemberId member, const WalContents& wal) {
  if (wal.has_replaced) world_.Count("entries replaced by another leader's");
  if (const auto spoken = terms_.find(member);
      spoken != terms_.end() && wal.term < spoken->second) {
    Fail(fmt::format("{:x} spoke in term {}, its log knows {}", member.value(),
                     spoken->second.value(), wal.term.value()));
  }
  const auto vote = votes_.find(std::pair(member, wal.term));
  if (vote != votes_.end() && vote->second != wal.vote) {
    Fail(fmt::format("{:x} voted for {:x} in term {}, its log has {:x}", member.value(),
                     vote->second.value(), wal.term.value(), wal.vote.value()));
  }
  const auto known = acknowledged_.find(member);
  if (known == acknowledged_.end() || known->second.term != wal.term) return;  // may be overwritten
  if (wal.last < known->second.index) {
    Fail(fmt::format("{:x} acknowledged index {}, its log ends at {}", member.value(),
                     known->second.index.value(), wal.last.value()));
  }
}

void RaftCheck::Forget(MemberId member) {
  terms_.erase(member);
  acknowledged_.erase(member);
}

}  // namespace etcd::simulation
