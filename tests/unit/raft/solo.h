#pragma once

#include <utility>
#include <vector>

#include "server/raft/core.h"

namespace etcd::raft {

// One core under a microscope: a test plays all other members by hand.
class Solo {
 public:
  struct Options {
    std::vector<std::uint64_t> voters = {1, 2, 3};
    std::vector<std::uint64_t> learners = {};
    std::vector<std::uint64_t> terms = {};  // of the entries 1, 2, ...
    HardState hard_state = {};              // its commit is also the applied index
    Config config = {};                     // id is 1
    std::uint64_t seed = 1;
  };

  Solo() : Solo(Options()) {}
  explicit Solo(const Options& options)
      : random(options.seed), core(ConfigOf(options), StateOf(options), random) {}

  // Takes a Ready, reports it written and applied, returns what it sent, in order.
  std::vector<Message> Flush() {
    Ready ready = core.TakeReady();
    core.OnPersisted(ready.number);
    for (const Entry& entry : ready.committed) core.OnApplied(entry.index);
    for (Message& m : ready.messages_after_persist) ready.messages.push_back(std::move(m));
    for (ReadState& read : ready.read_states) reads.push_back(std::move(read));
    return std::move(ready.messages);
  }
  // The same until nothing is left.
  std::vector<Message> FlushAll() {
    std::vector<Message> all;
    while (core.HasReady()) {
      for (Message& m : Flush()) all.push_back(std::move(m));
    }
    return all;
  }
  void Ticks(int n) {
    while (n-- > 0) core.Tick();
  }

  static Message From(std::uint64_t from, MessageType type, std::uint64_t term) {
    Message m;
    m.type = type;
    m.from = MemberId(from);
    m.to = MemberId(1);
    m.term = Term(term);
    return m;
  }
  static Message Append(std::uint64_t from, std::uint64_t term, Index previous, Term previous_term,
                        std::vector<Entry> entries, Index commit) {
    Message m = From(from, MessageType::kApp, term);
    m.index = previous;
    m.log_term = previous_term;
    m.entries = std::move(entries);
    m.commit = commit;
    return m;
  }
  static Message Acknowledge(std::uint64_t from, std::uint64_t term, Index index) {
    Message m = From(from, MessageType::kAppResp, term);
    m.index = index;
    return m;
  }
  static Entry MakeEntry(std::uint64_t term, std::uint64_t index, Payload data = {}) {
    return {Term(term), Index(index), EntryType::kNormal, std::move(data)};
  }
  std::vector<std::uint64_t> Terms() const {
    std::vector<std::uint64_t> out;
    for (Index i = core.first_index(); i <= core.last_index(); ++i) {
      out.push_back(core.term_at(i).value());
    }
    return out;
  }
  // Wins the next election by the votes of all.
  void Lead() {
    while (core.role() == Role::kFollower) core.Tick();
    // One round with pre-vote more than without; what a leader sends stays to be taken.
    while (core.role() != Role::kLeader) {
      for (const Message& m : FlushAll()) GrantVote(m);
    }
  }

  base::SeededRandom random;
  Core core;
  std::vector<ReadState> reads;

 private:
  static Config ConfigOf(const Options& options) {
    Config config = options.config;
    config.id = MemberId(1);
    return config;
  }
  static InitialState StateOf(const Options& options) {
    InitialState state;
    state.hard_state = options.hard_state;
    state.applied = options.hard_state.commit;
    for (const std::uint64_t term : options.terms) {
      state.entries.push_back(MakeEntry(term, state.entries.size() + 1));
    }
    for (const std::uint64_t id : options.voters) state.conf_state.voters.emplace_back(id);
    for (const std::uint64_t id : options.learners) state.conf_state.learners.emplace_back(id);
    return state;
  }
  void GrantVote(const Message& m) {
    const bool pre = m.type == MessageType::kPreVote;
    if (!pre && m.type != MessageType::kVote) return;
    core.Step(From(m.to.value(), pre ? MessageType::kPreVoteResp : MessageType::kVoteResp,
                   m.term.value()));
  }
};

// A leader whose empty entry is committed; term and last index are 1.
struct Led : Solo {
  explicit Led(const Options& options = {}) : Solo(options) {
    Lead();
    FlushAll();
    for (const std::uint64_t id : options.voters) {
      if (id != 1) core.Step(Acknowledge(id, 1, Index(1)));
    }
    for (const std::uint64_t id : options.learners) core.Step(Acknowledge(id, 1, Index(1)));
    FlushAll();
  }
};

}  // namespace etcd::raft
