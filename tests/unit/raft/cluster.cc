#include "tests/unit/raft/cluster.h"

#include <algorithm>
#include <sstream>

#include "tests/unit/raft/describe.h"

namespace etcd::raft {

// ---- Invariants ----

void Invariants::Violated(const std::string& what) { violations_.push_back(what); }

// A vote that left is a promise, also over a crash.
void Invariants::OnMessageSent(const Message& m) {
  if (m.type != MessageType::kVoteResp || m.reject) return;
  const auto [vote, first] = votes_.try_emplace({m.from, m.term}, m.to);
  if (!first && vote->second != m.to) Violated("two votes in a term: " + Describe(m));
}

void Invariants::OnCrash(MemberId id) {
  Seen& seen = seen_[id];
  seen = Seen{.term = {},
              .committed = {},
              .applied = {},
              .applied_entries = seen.applied_entries,
              .reads = seen.reads};
}

void Invariants::OnReadStarted(MemberId id, const std::string& context) {
  reads_[{id, context}] = committed();
}

void Invariants::Check(TestMember& member,
                       const std::map<MemberId, std::unique_ptr<TestMember>>& all) {
  const Core& core = member.core();
  Seen& seen = seen_[member.id()];
  std::ostringstream at;
  at << "member " << member.id() << ": ";
  if (core.term() < seen.term) Violated(at.str() + "term went back");
  if (core.committed() < seen.committed) Violated(at.str() + "commit index went back");
  if (core.applied() < seen.applied) Violated(at.str() + "applied index went back");
  if (core.applied() > core.committed()) Violated(at.str() + "applied ahead of commit");
  if (core.role() == Role::kLeader) CheckLeader(member);
  CheckCommits(member, seen.committed, all);
  seen.term = core.term();
  seen.committed = core.committed();
  seen.applied = core.applied();
  const StateMachine& machine = member.machine();
  const auto [hash, first] = hashes_.try_emplace(machine.applied, machine.hash);
  if (!first && hash->second != machine.hash) Violated(at.str() + "state machines differ");
  for (; seen.reads < member.reads.size(); ++seen.reads) {
    const ReadState& read = member.reads[seen.reads];
    ++reads_answered_;
    if (read.index < reads_.at({member.id(), read.context})) {
      Violated(at.str() + "stale read " + read.context);
    }
  }
}

void Invariants::CheckLeader(const TestMember& member) {
  const Core& core = member.core();
  const auto [leader, first] = leaders_.try_emplace(core.term(), member.id());
  if (leader->second != member.id()) {
    Violated("two leaders in term " + std::to_string(core.term().value()));
  }
  if (!first) return;
  // Leader completeness: what earlier terms committed is in its log.
  for (const Committed& item : committed_) {
    const Index index = item.entry.index;
    if (item.by >= core.term() || index < core.first_index()) continue;
    if (core.term_at(index) != item.entry.term) {
      Violated("leader of term " + std::to_string(core.term().value()) + " lacks committed " +
               Describe(item.entry));
    }
  }
}

void Invariants::CheckCommits(const TestMember& member, Index from,
                              const std::map<MemberId, std::unique_ptr<TestMember>>& all) {
  const Core& core = member.core();
  for (Index i = from + 1; i <= core.committed(); ++i) {
    const bool compacted = i < core.first_index();
    if (i > committed()) {
      if (compacted) {
        Violated("snapshot of uncommitted entries");
        return;
      }
      committed_.push_back({core.entry_at(i), core.term()});
      CheckOnQuorumOfDisks(member, i, all);
    } else if (!compacted && core.entry_at(i) != committed_[i.value() - 1].entry) {
      Violated("members disagree: " + Describe(core.entry_at(i)) + " and " +
               Describe(committed_[i.value() - 1].entry));
    }
    if (!compacted && i > core.first_index()) CheckEntry(core.entry_at(i), core.term_at(i - 1));
  }
}

// Who knows a commit first must have counted: a majority has the entry durably, itself included
// only if it has (etcd issue 14370).
void Invariants::CheckOnQuorumOfDisks(const TestMember& member, Index index,
                                      const std::map<MemberId, std::unique_ptr<TestMember>>& all) {
  const Core& core = member.core();
  std::size_t durable = 0;
  for (const MemberId voter : core.conf_state().voters) {
    const auto it = all.find(voter);
    if (it != all.end() && it->second->disk().Covers(index, core.term_at(index))) ++durable;
  }
  if (durable * 2 <= core.conf_state().voters.size()) {
    Violated("entry " + std::to_string(index.value()) + " committed by " +
             std::to_string(member.id().value()) + " is on " + std::to_string(durable) + " disks");
  }
}

// Log matching: (index, term) names one entry and all that precede it.
void Invariants::CheckEntry(const Entry& entry, Term previous) {
  const auto [it, first] = entries_.try_emplace({entry.index, entry.term}, entry.data, previous);
  if (!first && it->second != std::pair(entry.data, previous)) {
    Violated("two entries at " + Describe(entry));
  }
}

// ---- Cluster ----

Cluster::Cluster(const ClusterOptions& options) : options_(options) {
  std::vector<MemberId> voters;
  std::vector<MemberId> learners;
  for (std::uint64_t id = 1; id <= options.voters + options.learners; ++id) {
    (id <= options.voters ? voters : learners).push_back(MemberId(id));
  }
  for (std::uint64_t id = 1; id <= options.voters + options.learners; ++id) {
    Config config = options.config;
    config.id = MemberId(id);
    members_[config.id] =
        std::make_unique<TestMember>(config, options.seed * 1000 + id, voters, learners);
  }
  for (const auto& [id, member] : members_) Check(*member);
}

TestMember& Cluster::Join(std::uint64_t id) {
  Config config = options_.config;
  config.id = MemberId(id);
  auto& slot = members_[config.id];
  slot = std::make_unique<TestMember>(config, options_.seed * 1000 + id, std::vector<MemberId>(),
                                      std::vector<MemberId>());
  return *slot;
}

// A snapshot that is lost is reported to its sender, as the transport would.
void Cluster::Lose(const Message& m) {
  if (m.type != MessageType::kSnap) return;
  const auto sender = members_.find(m.from);
  if (sender != members_.end() && sender->second->alive()) {
    sender->second->core().ReportSnapshot(m.to, /*ok=*/false);
  }
}

void Cluster::Collect() {
  for (auto& [id, member] : members_) {
    for (Message& m : member->outbox) {
      invariants_.OnMessageSent(m);
      if (IsCut(m.from, m.to)) {
        Lose(m);
      } else {
        flying.push_back(std::move(m));
      }
    }
    member->outbox.clear();
  }
}

void Cluster::Deliver(std::size_t position) {
  const Message m = std::move(flying[position]);
  flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(position));
  const auto to = members_.find(m.to);
  if (to == members_.end() || !to->second->alive() || IsCut(m.from, m.to)) return Lose(m);
  if (on_delivery) on_delivery(m);
  to->second->core().Step(m);
  Check(*to->second);
  if (m.type != MessageType::kSnap) return;
  const auto from = members_.find(m.from);
  if (from != members_.end() && from->second->alive()) {
    from->second->core().ReportSnapshot(m.to, /*ok=*/true);
  }
}

void Cluster::Drop(std::size_t position) {
  const Message m = std::move(flying[position]);
  flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(position));
  Lose(m);
}

void Cluster::Isolate(std::uint64_t id) {
  for (const auto& [other, member] : members_) {
    Cut(id, other.value());
    Cut(other.value(), id);
  }
}

void Cluster::Settle() {
  for (bool busy = true; busy;) {
    busy = false;
    for (auto& [id, member] : members_) {
      while (member->alive() && (member->Take() || member->Persist() || member->Apply())) {
        Check(*member);
      }
    }
    Collect();
    for (; !flying.empty(); busy = true) Deliver(0);
  }
}

void Cluster::Tick(int ticks) {
  for (; ticks > 0; --ticks) {
    for (auto& [id, member] : members_) {
      if (member->alive()) member->core().Tick();
    }
    Settle();
  }
}

void Cluster::Elect(std::uint64_t id) {
  core(id).Campaign();
  Settle();
}

std::uint64_t Cluster::leader() const {
  const TestMember* best = nullptr;
  for (const auto& [id, member] : members_) {
    if (!member->alive() || member->core().role() != Role::kLeader) continue;
    if (best == nullptr || member->core().term() > best->core().term()) best = member.get();
  }
  return best == nullptr ? 0 : best->id().value();
}

std::uint64_t Cluster::WaitForLeader() {
  for (int i = 0; i < 200; ++i) {
    Tick(1);
    const std::uint64_t id = leader();
    if (id != 0 && !IsCut(MemberId(id), MemberId(id))) return id;
  }
  return 0;
}

bool Cluster::Read(std::uint64_t id, const std::string& context) {
  invariants_.OnReadStarted(MemberId(id), context);
  return core(id).ReadIndex(context);
}

}  // namespace etcd::raft
