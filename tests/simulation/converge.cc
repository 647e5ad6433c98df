#include "tests/simulation/converge.h"

#include <string_view>

#include <absl/strings/escaping.h>
#include <fmt/format.h>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/storage/engine/buckets.h"

namespace etcd::simulation {
namespace {

using engine::Family;

std::string LoadMeta(const engine::KvEngine& engine, std::string_view name) {
  const auto stored = engine.Get(Family::kMeta, engine::MetaKey(engine::kBucketMeta, name));
  CHECK_OK(stored.status());
  return stored->value_or("");
}

// How far the member is; it may run ahead of what raft calls the same entry.
bool IsPrivate(std::string_view key) {
  return key == engine::MetaKey(engine::kBucketMeta, engine::kMetaConsistentIndex) ||
         key == engine::MetaKey(engine::kBucketMeta, engine::kMetaTerm);
}

std::string CompareFamily(const engine::KvEngine& a, const engine::KvEngine& b, Family family) {
  const auto left = a.Scan(family, "", "");
  const auto right = b.Scan(family, "", "");
  while (left->Valid() || right->Valid()) {
    for (engine::Iterator* one : {left.get(), right.get()}) {
      while (family == Family::kMeta && one->Valid() && IsPrivate(one->key())) one->Next();
    }
    if (!left->Valid() && !right->Valid()) return "";
    const bool same = left->Valid() && right->Valid() && left->key() == right->key() &&
                      left->value() == right->value();
    if (!same) {
      const std::string_view key = left->Valid() ? left->key() : right->key();
      return fmt::format("family {}, at or before key {}", static_cast<int>(family),
                         absl::CEscape(absl::string_view(key.data(), key.size())));
    }
    left->Next();
    right->Next();
  }
  return "";
}

}  // namespace

bool HaveConverged(Cluster& cluster, const Ledger& ledger) {
  for (const int machine : cluster.InUse()) {
    SimMember& member = cluster.machine(machine);
    if (!member.is_serving() || member.replica().index < ledger.index_seen()) return false;
    if (LoadMeta(member.engine(), engine::kMetaScheduledCompactRev) !=
        LoadMeta(member.engine(), engine::kMetaFinishedCompactRev)) {
      return false;
    }
  }
  return true;
}

std::string CompareReplicas(Cluster& cluster) {
  const std::vector<int> members = cluster.InUse();
  SimMember& first = cluster.machine(members.front());
  for (const int machine : members) {
    SimMember& other = cluster.machine(machine);
    for (const Family family : {Family::kKey, Family::kRev, Family::kMeta}) {
      const std::string difference = CompareFamily(first.engine(), other.engine(), family);
      if (!difference.empty()) {
        return fmt::format("{} and {} differ: {}", first.name(), other.name(), difference);
      }
    }
  }
  return "";
}

}  // namespace etcd::simulation
