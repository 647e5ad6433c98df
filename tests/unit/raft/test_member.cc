#include "tests/unit/raft/test_member.h"

#include <functional>
#include <sstream>
#include <utility>

#include "server/base/check.h"

namespace etcd::raft {

// ---- Disk ----

Term Disk::term_at(Index index) const {
  const SnapshotMetadata& metadata = snapshot.metadata;
  if (index == metadata.index) return metadata.term;
  if (index < metadata.index || index > last_index()) return Term();
  return entries[index - metadata.index - 1].term;
}

bool Disk::Covers(Index index, Term term) const {
  return index <= snapshot.metadata.index || term_at(index) == term;
}

void Disk::WriteEntry(const Entry& entry) {
  const Index base = snapshot.metadata.index;
  if (entry.index <= base) return;
  CHECK(entry.index <= last_index() + 1) << "gap in the log file at " << entry.index;
  entries.resize(entry.index - base - 1);
  entries.push_back(entry);
}

// Order of the WAL: snapshot, entries, state.
void Disk::Write(const Ready& ready) {
  if (!ready.snapshot.empty()) {
    snapshot = ready.snapshot;
    entries.clear();
  }
  for (const Entry& entry : ready.entries) WriteEntry(entry);
  if (ready.hard_state) hard_state = *ready.hard_state;
  CHECK(hard_state.commit <= last_index()) << "commit index ahead of the log file";
  if (ready.must_sync) synced_commit = hard_state.commit;
}

// ---- StateMachine ----

ConfChange ParseConfChange(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::string verb;
  std::uint64_t id = 0;
  in >> verb >> id;
  ConfChange change;
  change.node_id = MemberId(id);
  if (verb == "learner") change.type = ConfChangeType::kAddLearnerNode;
  if (verb == "remove") change.type = ConfChangeType::kRemoveNode;
  return change;
}

void StateMachine::Apply(const Entry& entry) {
  CHECK(entry.index == applied + 1) << "entry " << entry.index << " applied after " << applied;
  applied = entry.index;
  applied_term = entry.term;
  hash = (hash ^ std::hash<std::string_view>()(entry.data.view()) ^ entry.term.value()) *
         0x100000001b3ULL;
  if (entry.type == EntryType::kNormal && !entry.data.empty()) {
    data.emplace_back(entry.data.view());
  }
}

std::string StateMachine::Save() const { return std::to_string(hash); }

void StateMachine::Load(const Snapshot& snapshot) {
  applied = snapshot.metadata.index;
  applied_term = snapshot.metadata.term;
  conf = snapshot.metadata.conf_state;
  hash = std::stoull(snapshot.data);
  data.clear();
}

// ---- TestMember ----

TestMember::TestMember(Config config, std::uint64_t seed, const std::vector<MemberId>& voters,
                       const std::vector<MemberId>& learners)
    : config_(config), random_(seed) {
  Index next(1);
  const auto found = [&](const char* verb, MemberId id) {
    disk_.entries.push_back(
        {Term(1), next, EntryType::kConfChange, verb + (" " + std::to_string(id.value()))});
    ++next;
  };
  for (const MemberId id : voters) found("add", id);
  for (const MemberId id : learners) found("learner", id);
  if (!disk_.entries.empty()) disk_.hard_state = {Term(1), MemberId(), disk_.last_index()};
  disk_.synced_commit = disk_.hard_state.commit;
  Restart();
  RunAll();
  Checkpoint();
}

InitialState TestMember::Load() const {
  InitialState initial;
  initial.hard_state = disk_.hard_state;
  initial.snapshot = disk_.snapshot.metadata;
  initial.entries = disk_.entries;
  initial.applied = machine_.applied;
  initial.conf_state = machine_.conf;
  return initial;
}

void TestMember::Restart() {
  machine_ = durable_machine_;
  core_ = std::make_unique<Core>(config_, Load(), random_);
}

void TestMember::SendAll(std::vector<Message>& messages) {
  for (Message& m : messages) {
    if (m.type == MessageType::kSnap) m.snapshot = CurrentSnapshot();
    outbox.push_back(std::move(m));
  }
  messages.clear();
}

bool TestMember::Take() {
  if (!core_->HasReady()) return false;
  Ready ready = core_->TakeReady();
  for (const Entry& entry : ready.committed) {
    CHECK(disk_.Covers(entry.index, entry.term))
        << "member " << id() << " was given entry " << entry.index << " before it was on disk";
  }
  taken_.push_back(ready);
  SendAll(ready.messages);
  return true;
}

bool TestMember::Persist() {
  if (taken_.empty()) return false;
  Ready ready = std::move(taken_.front());
  taken_.pop_front();
  disk_.Write(ready);
  if (!ready.snapshot.empty()) {
    durable_machine_.Load(ready.snapshot);
    apply_queue_.push_back({{}, ready.snapshot});
  }
  for (ReadState& read : ready.read_states) waiting_reads_.push_back(std::move(read));
  for (Entry& entry : ready.committed) apply_queue_.push_back({std::move(entry), {}});
  core_->OnPersisted(ready.number);
  SendAll(ready.messages_after_persist);
  return true;
}

bool TestMember::Apply() {
  const bool some = !apply_queue_.empty();
  if (some) {
    const ApplyItem item = std::move(apply_queue_.front());
    apply_queue_.pop_front();
    if (!item.snapshot.empty()) {
      machine_.Load(item.snapshot);
    } else {
      machine_.Apply(item.entry);
      applied_log.push_back(item.entry);
      if (item.entry.type == EntryType::kConfChange) {
        machine_.conf = core_->ApplyConfChange(ParseConfChange(item.entry.data));
      }
    }
    core_->OnApplied(machine_.applied);
  }
  std::erase_if(waiting_reads_, [this](const ReadState& read) {
    if (read.index > machine_.applied) return false;
    reads.push_back(read);
    return true;
  });
  return some;
}

void TestMember::RunAll() {
  while (Take() || Persist() || Apply()) {
  }
}

void TestMember::Crash(std::size_t written, std::size_t torn, bool keep_commit) {
  for (; written > 0 && !taken_.empty(); --written) {
    disk_.Write(taken_.front());
    if (!taken_.front().snapshot.empty()) durable_machine_.Load(taken_.front().snapshot);
    taken_.pop_front();
  }
  if (!taken_.empty() && taken_.front().snapshot.empty()) {
    const std::vector<Entry>& entries = taken_.front().entries;
    for (std::size_t i = 0; i < std::min(torn, entries.size()); ++i) disk_.WriteEntry(entries[i]);
  }
  if (!keep_commit) disk_.hard_state.commit = disk_.synced_commit;
  core_.reset();
  taken_.clear();
  apply_queue_.clear();
  waiting_reads_.clear();
}

Snapshot TestMember::CurrentSnapshot() const {
  Snapshot snapshot;
  snapshot.metadata = {machine_.conf, machine_.applied, machine_.applied_term};
  snapshot.data = machine_.Save();
  return snapshot;
}

void TestMember::TakeSnapshot(std::uint64_t keep) {
  const Index at = machine_.applied;
  if (at <= disk_.snapshot.metadata.index) return;
  const auto drop = static_cast<std::ptrdiff_t>(at - disk_.snapshot.metadata.index);
  disk_.entries.erase(disk_.entries.begin(), disk_.entries.begin() + drop);
  disk_.snapshot = CurrentSnapshot();
  Checkpoint();
  if (at > Index(keep)) core_->CompactLog(at - keep);
}

}  // namespace etcd::raft
