#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mvccpb/kv.pb.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/storage/engine/kv_engine.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// True when `key` is in the range as clients give it.
bool InRange(std::string_view key, std::string_view begin, std::string_view end);

// What the state machine did, as the backend was told: every revision's changes, in order. It is
// the one history against which all that clients see is checked. It reads etcd's stored schema and
// shares no code with the store. The history of a run never changes: a member that comes back from
// a crash and applies an entry again must come to the same bytes.
class Ledger {
 public:
  struct Change {
    std::string key;
    bool deleted = false;
    mvccpb::KeyValue kv;   // put only
    const Change* before;  // the key's state before this revision; null: it did not exist
  };
  struct Record {
    std::vector<Change> changes;               // in the order of their sub-revisions
    Nanos at{0};                               // first applied
    std::vector<std::int64_t> leases_removed;  // by the same batch
    bool claimed = false;                      // by an acknowledged write
  };
  struct Lease {
    std::int64_t ttl_seconds = 0;
    std::optional<Nanos> removed_at;
    std::int64_t removed_after = 0;  // head when it was removed
  };

  // What one member's backend holds.
  struct Replica {
    std::uint64_t index = 0;
    std::int64_t revision = 1;
    std::int64_t compacted = -1;
  };

  explicit Ledger(World& world) : world_(world) {}

  // Before the engine of `replica` takes it. Every replica that comes to a revision comes to the
  // same bytes; the first one makes it history.
  void OnBatch(Replica& replica, const engine::WriteBatch& batch);
  // A snapshot has replaced everything that the engine of `replica` held: whatever it brings is
  // history already.
  void OnReplacement(Replica& replica, const engine::KvEngine& engine);
  // What was restored from a snapshot that a member served: all that the history holds at its
  // revision, and nothing else.
  void CheckSaved(const engine::KvEngine& engine);
  // What a backend holds, for a member that starts on it.
  Replica ReplicaOf(const engine::KvEngine& engine);
  // The same, where there is one backend only.
  void OnBatch(const engine::WriteBatch& batch) { OnBatch(only_, batch); }

  std::int64_t head() const { return head_; }
  const Record& At(std::int64_t revision) const { return records_.at(revision); }
  Record& At(std::int64_t revision) { return records_.at(revision); }
  bool Has(std::int64_t revision) const { return records_.count(revision) != 0; }
  std::uint64_t index_seen() const { return index_seen_; }  // highest of all replicas
  // Revision of the state after the last entry at or below `index`; 0: not known.
  std::int64_t RevisionAt(std::uint64_t index) const;

  // The key at a revision; null: it did not exist.
  const mvccpb::KeyValue* StateAt(const std::string& key, std::int64_t revision) const;
  std::vector<const mvccpb::KeyValue*> RangeAt(std::string_view begin, std::string_view end,
                                               std::int64_t revision) const;

  // Highest revision that a compaction was ever applied with.
  std::int64_t compacted() const { return compacted_; }
  const std::map<std::int64_t, Lease>& leases() const { return leases_; }
  // Keys attached to the lease at a revision, ascending.
  std::vector<std::string> KeysOfLease(std::int64_t lease, std::int64_t revision) const;

  // Called for each lease that goes, once.
  std::function<void(std::int64_t id, const Lease& lease)> on_lease_removed;
  // Called for each batch with an index: the entry and its term.
  std::function<void(std::uint64_t index, std::uint64_t term)> on_applied;

 private:
  struct Parsed {
    std::map<std::int64_t, std::map<std::int64_t, Change>> revisions;  // main, sub
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    std::int64_t current_revision = 0;
    std::int64_t compacting = -1;
    std::vector<std::pair<std::int64_t, std::optional<std::int64_t>>> leases;  // id, TTL or gone
  };
  Parsed Parse(const engine::WriteBatch& batch);
  Parsed ParseAll(const engine::KvEngine& engine);
  static Replica ReplicaOf(const Parsed& parsed);
  void ParseRecord(const engine::WriteBatch::Op& op, Parsed& out);
  void CheckRecord(std::int64_t revision, std::int64_t sub, const Change& change);
  void ParseMeta(const engine::WriteBatch::Op& op, Parsed& out);
  void Append(std::int64_t revision, std::map<std::int64_t, Change> changes);
  void CompareReplay(std::int64_t revision, const std::map<std::int64_t, Change>& changes);
  void ApplyLeases(const Parsed& parsed);
  void RemoveLease(std::int64_t id, const Parsed& parsed);
  void CheckIndex(Replica& replica, const Parsed& parsed);
  const Change* ChangeAt(const std::string& key, std::int64_t revision) const;

  World& world_;
  std::int64_t head_ = 1;
  Replica only_;
  std::uint64_t index_seen_ = 0;
  std::int64_t compacted_ = -1;
  std::map<std::int64_t, Record> records_;
  // Per key: (revision, change), ascending. Nodes of records_ do not move.
  std::map<std::string, std::vector<std::pair<std::int64_t, const Change*>>> keys_;
  std::map<std::uint64_t, std::int64_t> revision_at_index_;
  std::map<std::int64_t, Lease> leases_;
};

}  // namespace etcd::simulation
