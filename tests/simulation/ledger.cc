#include "tests/simulation/ledger.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/base/bytes.h"

namespace etcd::simulation {
namespace {

using engine::Family;
using Op = engine::WriteBatch::Op;

constexpr std::string_view kMeta("meta\0", 5);
constexpr std::string_view kLeaseBucket("lease\0", 6);
constexpr std::string_view kAlarmBucket("alarm\0", 6);
constexpr std::uint64_t kCorrupt = 2;

std::int64_t LoadRevision(std::string_view bytes) {
  return bytes.size() < 8 ? -1 : static_cast<std::int64_t>(base::LoadBigEndian64(bytes.data()));
}

// Field 2 of a message of numbers: the TTL of leasepb.Lease, the kind of an alarm.
std::uint64_t ParseSecond(std::string_view bytes) {
  std::uint64_t tag = 0;
  std::uint64_t value = 0;
  while (base::ConsumeVarint(bytes, tag) && base::ConsumeVarint(bytes, value)) {
    if (tag == 2 << 3) return value;
  }
  return 0;
}

std::int64_t ParseTtl(std::string_view bytes) {
  return static_cast<std::int64_t>(ParseSecond(bytes));
}

bool SameKv(const mvccpb::KeyValue& a, const mvccpb::KeyValue& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

}  // namespace

bool InRange(std::string_view key, std::string_view begin, std::string_view end) {
  if (end.empty()) return key == begin;
  if (key < begin) return false;
  return end == std::string_view("\0", 1) || key < end;
}

// ---- Batches

Ledger::Parsed Ledger::Parse(const engine::WriteBatch& batch) {
  Parsed out;
  for (const Op& op : batch.ops()) {
    if (op.family == Family::kMeta) ParseMeta(op, out);
    if (op.family == Family::kKey && !op.is_delete) ParseRecord(op, out);
  }
  return out;
}

void Ledger::ParseRecord(const Op& op, Parsed& out) {
  if (op.key.size() < 17) {
    return world_.Fail("a record with a key of " + std::to_string(op.key.size()) + " bytes");
  }
  Change change{};
  mvccpb::KeyValue kv;
  if (!kv.ParseFromString(op.value)) world_.Fail("a record that is no KeyValue");
  change.key = kv.key();
  change.deleted = op.key.size() == 18;
  if (!change.deleted) change.kv = std::move(kv);
  const std::int64_t sub = LoadRevision(std::string_view(op.key).substr(9));
  out.revisions[LoadRevision(op.key)][sub] = std::move(change);
}

void Ledger::ParseMeta(const Op& op, Parsed& out) {
  const std::string_view key = op.key;
  if (key.starts_with(kLeaseBucket)) {
    const std::int64_t id = LoadRevision(key.substr(kLeaseBucket.size()));
    out.leases.emplace_back(id, op.is_delete ? std::nullopt : std::optional(ParseTtl(op.value)));
  }
  // All backends hold the same: this ledger sees to it.
  if (key.starts_with(kAlarmBucket) && !op.is_delete &&
      ParseSecond(key.substr(kAlarmBucket.size())) == kCorrupt) {
    world_.Fail("alarm CORRUPT is raised, and nothing is corrupt");
  }
  if (!key.starts_with(kMeta) || op.is_delete) return;
  const std::string_view name = key.substr(kMeta.size());
  if (name == "consistent_index") out.index = base::LoadBigEndian64(op.value.data());
  if (name == "term") out.term = base::LoadBigEndian64(op.value.data());
  if (name == "currentRevision") out.current_revision = LoadRevision(op.value);
  if (name == "scheduledCompactRev") out.compacting = LoadRevision(op.value);
}

void Ledger::OnBatch(Replica& replica, const engine::WriteBatch& batch) {
  Parsed parsed = Parse(batch);
  for (auto& [revision, changes] : parsed.revisions) {
    if (revision > replica.revision + 1) {
      world_.Fail(fmt::format("revision {} follows {}", revision, replica.revision));
    }
    replica.revision = std::max(replica.revision, revision);
    if (revision <= head_) {
      CompareReplay(revision, changes);
    } else {
      Append(revision, std::move(changes));
    }
  }
  replica.compacted = std::max(replica.compacted, parsed.compacting);
  if (parsed.compacting > compacted_) {
    compacted_ = parsed.compacting;
    world_.Count("compaction");
    world_.Trace(fmt::format("ledger: compacted {}", compacted_));
  }
  CheckIndex(replica, parsed);
  ApplyLeases(parsed);
}

Ledger::Parsed Ledger::ParseAll(const engine::KvEngine& engine) {
  Parsed out;
  for (const Family family : {Family::kKey, Family::kMeta}) {
    for (const auto at = engine.Scan(family, "", ""); at->Valid(); at->Next()) {
      const Op op{family, false, std::string(at->key()), std::string(at->value())};
      family == Family::kKey ? ParseRecord(op, out) : ParseMeta(op, out);
    }
  }
  return out;
}

// A new backend does not name the current revision, nor does an image made for Go's etcd
// (raft-peer-storage.md 8.4).
Ledger::Replica Ledger::ReplicaOf(const Parsed& parsed) {
  const std::int64_t last = parsed.revisions.empty() ? 1 : parsed.revisions.rbegin()->first;
  return {parsed.index, std::max({last, parsed.compacting, parsed.current_revision}),
          parsed.compacting};
}

Ledger::Replica Ledger::ReplicaOf(const engine::KvEngine& engine) {
  return ReplicaOf(ParseAll(engine));
}

void Ledger::OnReplacement(Replica& replica, const engine::KvEngine& engine) {
  const Parsed parsed = ParseAll(engine);
  world_.Count("backend replaced by a snapshot");
  world_.Trace(fmt::format("ledger: a snapshot takes a member from index {} to {}", replica.index,
                           parsed.index));
  if (parsed.index < replica.index) {
    world_.Fail(fmt::format("a snapshot takes a member back from index {} to {}", replica.index,
                            parsed.index));
  }
  for (const auto& [revision, changes] : parsed.revisions) {
    for (const auto& [sub, change] : changes) CheckRecord(revision, sub, change);
  }
  replica = ReplicaOf(parsed);
}

void Ledger::CheckSaved(const engine::KvEngine& engine) {
  const Parsed parsed = ParseAll(engine);
  for (const auto& [revision, changes] : parsed.revisions) {
    for (const auto& [sub, change] : changes) CheckRecord(revision, sub, change);
  }
  const std::int64_t head = ReplicaOf(parsed).revision;
  const std::int64_t expected = RevisionAt(parsed.index);
  if (expected != 0 && head != expected) {
    world_.Fail(fmt::format("a saved snapshot of index {} has revision {}, not {}", parsed.index,
                            head, expected));
  }
  // A compaction keeps what lives.
  for (const mvccpb::KeyValue* kv : RangeAt("", std::string_view("\0", 1), head)) {
    const auto found = parsed.revisions.find(kv->mod_revision());
    const bool has = found != parsed.revisions.end() &&
                     std::any_of(found->second.begin(), found->second.end(),
                                 [&](const auto& item) { return item.second.key == kv->key(); });
    if (!has) {
      world_.Fail(fmt::format("a saved snapshot at revision {} lacks {}", head, kv->key()));
    }
  }
}

// Compactions take records out of a revision, so that they are looked at one by one.
void Ledger::CheckRecord(std::int64_t revision, std::int64_t sub, const Change& change) {
  const auto known = records_.find(revision);
  const auto at = static_cast<std::size_t>(sub);
  if (known == records_.end() || at >= known->second.changes.size() ||
      known->second.changes[at].key != change.key ||
      known->second.changes[at].deleted != change.deleted ||
      !SameKv(known->second.changes[at].kv, change.kv)) {
    world_.Fail(fmt::format("a snapshot brings another revision {}", revision));
  }
}

void Ledger::Append(std::int64_t revision, std::map<std::int64_t, Change> changes) {
  Record& record = records_[revision];
  record.at = world_.now();
  record.changes.reserve(changes.size());
  std::int64_t expected_sub = 0;
  for (auto& [sub, change] : changes) {
    if (sub != expected_sub++) world_.Fail(fmt::format("revision {}: no sub {}", revision, sub));
    change.before = ChangeAt(change.key, head_);
    if (change.deleted && (change.before == nullptr || change.before->deleted)) {
      world_.Fail(fmt::format("revision {} deletes {}, which is not there", revision, change.key));
    }
    record.changes.push_back(std::move(change));
  }
  for (const Change& change : record.changes) {
    keys_[change.key].emplace_back(revision, &change);
  }
  head_ = revision;
  const Change& first = record.changes.front();
  world_.Trace(fmt::format("ledger: revision {}: {} changes, first {} {}", revision,
                           record.changes.size(), first.deleted ? "delete" : "put", first.key));
}

void Ledger::CompareReplay(std::int64_t revision, const std::map<std::int64_t, Change>& changes) {
  const Record& known = records_.at(revision);
  bool same = known.changes.size() == changes.size();
  std::size_t i = 0;
  for (const auto& [sub, change] : changes) {
    if (!same) break;
    const Change& other = known.changes[i++];
    same =
        other.key == change.key && other.deleted == change.deleted && SameKv(other.kv, change.kv);
  }
  if (!same) world_.Fail(fmt::format("history: revision {} was rewritten", revision));
  world_.Count("revision applied again");
}

// The index is in every batch that an entry causes, never falls within a process, and always comes
// with the same revision.
void Ledger::CheckIndex(Replica& replica, const Parsed& parsed) {
  if (parsed.index == 0) {
    if (!parsed.revisions.empty()) world_.Fail("effects without a consistent index");
    return;
  }
  if (parsed.index < replica.index) {
    world_.Fail(fmt::format("consistent index falls from {} to {}", replica.index, parsed.index));
  }
  replica.index = parsed.index;
  index_seen_ = std::max(index_seen_, parsed.index);
  if (on_applied) on_applied(parsed.index, parsed.term);
  if (parsed.current_revision == 0) return;
  const auto [at, is_new] = revision_at_index_.emplace(parsed.index, parsed.current_revision);
  if (!is_new && at->second != parsed.current_revision) {
    world_.Fail(fmt::format("index {} gave revision {}, now {}", parsed.index, at->second,
                            parsed.current_revision));
  }
}

std::int64_t Ledger::RevisionAt(std::uint64_t index) const {
  const auto after = revision_at_index_.upper_bound(index);
  return after == revision_at_index_.begin() ? 0 : std::prev(after)->second;
}

// Clients never grant an id twice, so what is known already is a replay, on whichever replica.
void Ledger::ApplyLeases(const Parsed& parsed) {
  for (const auto& [id, ttl] : parsed.leases) {
    if (!ttl) {
      RemoveLease(id, parsed);
      continue;
    }
    Lease& lease = leases_[id];
    if (lease.ttl_seconds != 0 || lease.removed_at) continue;  // a checkpoint, or a replay
    lease = {*ttl, std::nullopt, 0};
    world_.Trace(fmt::format("ledger: lease {} granted for {} s", id, *ttl));
  }
}

void Ledger::RemoveLease(std::int64_t id, const Parsed& parsed) {
  Lease& lease = leases_[id];
  if (lease.removed_at) return;
  lease.removed_at = world_.now();
  lease.removed_after = head_;
  world_.Trace(fmt::format("ledger: lease {} removed", id));
  for (const auto& [revision, changes] : parsed.revisions) {
    if (Has(revision)) At(revision).leases_removed.push_back(id);
  }
  if (const auto left = KeysOfLease(id, head_); !left.empty()) {
    world_.Fail(fmt::format("lease {} went, its key {} stays", id, left.front()));
  }
  if (on_lease_removed) on_lease_removed(id, lease);
}

// ---- States

const Ledger::Change* Ledger::ChangeAt(const std::string& key, std::int64_t revision) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return nullptr;
  const auto& versions = found->second;
  const auto after = std::upper_bound(
      versions.begin(), versions.end(), revision,
      [](std::int64_t wanted, const auto& version) { return wanted < version.first; });
  return after == versions.begin() ? nullptr : std::prev(after)->second;
}

const mvccpb::KeyValue* Ledger::StateAt(const std::string& key, std::int64_t revision) const {
  const Change* change = ChangeAt(key, revision);
  return change == nullptr || change->deleted ? nullptr : &change->kv;
}

std::vector<const mvccpb::KeyValue*> Ledger::RangeAt(std::string_view begin, std::string_view end,
                                                     std::int64_t revision) const {
  std::vector<const mvccpb::KeyValue*> out;
  for (const auto& [key, versions] : keys_) {
    if (!InRange(key, begin, end)) continue;
    if (const mvccpb::KeyValue* kv = StateAt(key, revision); kv != nullptr) out.push_back(kv);
  }
  return out;
}

std::vector<std::string> Ledger::KeysOfLease(std::int64_t lease, std::int64_t revision) const {
  std::vector<std::string> out;
  for (const auto& [key, versions] : keys_) {
    const mvccpb::KeyValue* kv = StateAt(key, revision);
    if (kv != nullptr && kv->lease() == lease) out.push_back(key);
  }
  return out;
}

}  // namespace etcd::simulation
