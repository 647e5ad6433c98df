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

std::int64_t LoadRevision(std::string_view bytes) {
  return bytes.size() < 8 ? -1 : static_cast<std::int64_t>(base::LoadBigEndian64(bytes.data()));
}

// Field 2 of leasepb.Lease.
std::int64_t ParseTtl(std::string_view bytes) {
  std::uint64_t tag = 0;
  std::uint64_t value = 0;
  while (base::ConsumeVarint(bytes, tag) && base::ConsumeVarint(bytes, value)) {
    if (tag == 2 << 3) return static_cast<std::int64_t>(value);
  }
  return 0;
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
    if (op.family != Family::kKey || op.is_delete) continue;
    if (op.key.size() < 17) {
      world_.Fail("a record with a key of " + std::to_string(op.key.size()) + " bytes");
      continue;
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
  return out;
}

void Ledger::ParseMeta(const Op& op, Parsed& out) {
  const std::string_view key = op.key;
  if (key.starts_with(kLeaseBucket)) {
    const std::int64_t id = LoadRevision(key.substr(kLeaseBucket.size()));
    out.leases.emplace_back(id, op.is_delete ? std::nullopt : std::optional(ParseTtl(op.value)));
  }
  if (!key.starts_with(kMeta) || op.is_delete) return;
  const std::string_view name = key.substr(kMeta.size());
  if (name == "consistent_index") out.index = base::LoadBigEndian64(op.value.data());
  if (name == "currentRevision") out.current_revision = LoadRevision(op.value);
  if (name == "scheduledCompactRev") out.compacting = LoadRevision(op.value);
}

void Ledger::OnBatch(const engine::WriteBatch& batch) {
  Parsed parsed = Parse(batch);
  const std::uint64_t seen_before = index_seen_;
  for (auto& [revision, changes] : parsed.revisions) {
    if (revision <= head_) {
      CompareReplay(revision, changes);
    } else if (revision == head_ + 1) {
      Append(revision, std::move(changes));
    } else {
      world_.Fail(fmt::format("revision {} follows {}", revision, head_));
    }
  }
  if (parsed.compacting > compacted_) {
    compacted_ = parsed.compacting;
    world_.Count("compaction");
    world_.Trace(fmt::format("ledger: compacted {}", compacted_));
  }
  CheckIndex(parsed);
  ApplyLeases(parsed, seen_before);
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
void Ledger::CheckIndex(const Parsed& parsed) {
  if (parsed.index == 0) {
    if (!parsed.revisions.empty()) world_.Fail("effects without a consistent index");
    return;
  }
  if (parsed.index < index_) {
    world_.Fail(fmt::format("consistent index falls from {} to {}", index_, parsed.index));
  }
  index_ = parsed.index;
  index_seen_ = std::max(index_seen_, index_);
  if (parsed.current_revision == 0) return;
  const auto [at, is_new] = revision_at_index_.emplace(index_, parsed.current_revision);
  if (!is_new && at->second != parsed.current_revision) {
    world_.Fail(fmt::format("index {} gave revision {}, now {}", index_, at->second,
                            parsed.current_revision));
  }
}

void Ledger::ApplyLeases(const Parsed& parsed, std::uint64_t index_before) {
  if (parsed.index <= index_before) return;  // a replay
  for (const auto& [id, ttl] : parsed.leases) {
    if (!ttl) {
      RemoveLease(id, parsed);
      continue;
    }
    Lease& lease = leases_[id];
    if (lease.ttl_seconds != 0 && !lease.removed_at) continue;  // a checkpoint
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
