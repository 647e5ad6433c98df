#include "server/node/corruption.h"

#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::node {
namespace {

std::string Hex(MemberId id) { return base::FormatHex(id.value()); }

// Of the two members that an initial check compares.
void LogInitial(std::string_view message, MemberId self, const mvcc::HashResult& own,
                const PeerHash& peer, std::vector<base::LogField> more) {
  std::vector<base::LogField> fields = {{"local-member-id", Hex(self)},
                                        {"local-member-revision", own.hash_revision},
                                        {"local-member-compact-revision", own.compact_revision},
                                        {"local-member-hash", own.hash},
                                        {"remote-peer-id", Hex(peer.id)},
                                        {"remote-peer-endpoints", peer.urls}};
  for (base::LogField& field : more) fields.push_back(std::move(field));
  base::EmitLog(base::LogLevel::kWarn, message, std::move(fields), std::source_location::current());
}

void LogNoInitialAnswer(MemberId self, const mvcc::HashResult& own, const PeerHash& peer) {
  const std::vector<base::LogField> error = {{"error", peer.hash.status()}};
  switch (ErrcOf(peer.hash.status()).value_or(Errc::kOk)) {
    case Errc::kFutureRevision:
      return LogInitial("cannot fetch hash from slow remote peer", self, own, peer, error);
    case Errc::kCompacted:
      return LogInitial("cannot fetch hash from remote peer; local member is behind", self, own,
                        peer, error);
    case Errc::kClusterIdMismatch:
      return LogInitial("cluster ID mismatch", self, own, peer, error);
    default:
      return;  // AskPeerHashes has said so
  }
}

// The three rules of the leader for one peer; true: it breaks one.
bool BreaksHeadRule(const OwnHash& before, const mvcc::HashResult& after, const PeerHash& peer) {
  bool broken = false;
  if (peer.hash->current > after.current) {
    LOG_WARN("revision from follower must be less than or equal to leader's",
             {"leader-revision", after.current}, {"follower-revision", peer.hash->current},
             {"follower-peer-id", Hex(peer.id)});
    broken = true;
  }
  if (peer.hash->compact_revision > after.compact_revision) {
    LOG_WARN("compact revision from follower must be less than or equal to leader's",
             {"leader-compact-revision", after.compact_revision},
             {"follower-compact-revision", peer.hash->compact_revision},
             {"follower-peer-id", Hex(peer.id)});
    broken = true;
  }
  if (peer.hash->compact_revision == before.compact_revision && peer.hash->hash != before.hash &&
      !before.nothing_lives) {
    LOG_WARN("same compact revision then hashes must match",
             {"leader-compact-revision", after.compact_revision}, {"leader-hash", before.hash},
             {"follower-compact-revision", peer.hash->compact_revision},
             {"follower-hash", peer.hash->hash}, {"follower-peer-id", Hex(peer.id)});
    broken = true;
  }
  return broken;
}

using Groups = std::map<std::uint32_t, std::vector<MemberId>>;  // members by hash

// Adds those that can be compared with the leader; how many.
std::size_t GroupPeers(MemberId self, const mvcc::HashResult& own, std::span<const PeerHash> peers,
                       Groups& groups) {
  std::size_t compared = 0;
  for (const PeerHash& peer : peers) {
    std::string reason;
    if (!peer.hash.ok()) {
      reason = "no response";
    } else if (peer.hash->compact_revision != own.compact_revision) {
      reason =
          fmt::format("the peer's CompactRevision {} doesn't match leader's CompactRevision {}",
                      peer.hash->compact_revision.value(), own.compact_revision.value());
    }
    if (!reason.empty()) {
      LOG_WARN("Skipped peer's hash", {"number-of-peers", peers.size()}, {"leader-id", Hex(self)},
               {"peer-id", Hex(peer.id)}, {"reason", reason});
      continue;
    }
    ++compared;
    groups[peer.hash->hash].push_back(peer.id);
  }
  return compared;
}

std::string Join(const std::vector<MemberId>& ids) {
  std::string out;
  for (const MemberId id : ids) out += (out.empty() ? "" : ",") + Hex(id);
  return out;
}

// Members that differ: the majority is right, if there is one.
CompactHashVerdict JudgeDifference(MemberId self, const mvcc::HashResult& own, std::size_t members,
                                   Groups groups) {
  CompactHashVerdict verdict{.is_final = true};
  const std::size_t quorum = members / 2 + 1;
  const bool has_quorum =
      std::erase_if(groups, [&](const auto& group) { return group.second.size() >= quorum; }) > 0;
  if (!has_quorum) {
    LOG_ERROR(
        "Detected compaction hash mismatch but cannot identify the corrupted members, so "
        "intentionally set the memberID as 0",
        {"leader-id", Hex(self)}, {"leader-revision", own.hash_revision},
        {"leader-compact-revision", own.compact_revision}, {"leader-hash", own.hash});
    verdict.alarms.emplace_back();
  }
  for (const auto& [hash, ids] : groups) {
    if (has_quorum) verdict.alarms.insert(verdict.alarms.end(), ids.begin(), ids.end());
    LOG_ERROR("Detected compaction hash mismatch", {"leader-id", Hex(self)},
              {"leader-revision", own.hash_revision},
              {"leader-compact-revision", own.compact_revision}, {"leader-hash", own.hash},
              {"peer-hash", hash}, {"peer-ids", Join(ids)}, {"quorum-exist", has_quorum});
  }
  return verdict;
}

}  // namespace

absl::StatusOr<OwnHash> HashOfHead(const mvcc::Store& store) {
  ASSIGN_OR_RETURN(const mvcc::HashResult hash, store.HashKv(Revision(0)));
  constexpr std::string_view kZero("\0", 1);  // every key
  const absl::StatusOr<mvcc::RangeResult> living =
      store.Range({.range = {kZero, kZero}, .revision = hash.hash_revision, .count_only = true});
  // Compacted meanwhile: the peers cannot be compared either.
  return OwnHash(hash, !living.ok() || living->count == 0);
}

absl::Status CheckInitialHash(MemberId self, const OwnHash& own, std::span<const PeerHash> peers) {
  bool differs = false;
  for (const PeerHash& peer : peers) {
    if (!peer.hash.ok()) {
      LogNoInitialAnswer(self, own, peer);
      continue;
    }
    if (peer.hash->hash == own.hash) continue;
    const bool comparable = peer.hash->compact_revision == own.compact_revision;
    if (comparable && own.nothing_lives) {
      LogInitial("hashes of an empty store cannot be compared", self, own, peer, {});
      continue;
    }
    differs = differs || comparable;
    LogInitial(comparable ? "found different hash values from remote peer"
                          : "found different compact revision values from remote peer",
               self, own, peer,
               {{"remote-peer-revision", peer.hash->current},
                {"remote-peer-compact-revision", peer.hash->compact_revision},
                {"remote-peer-hash", peer.hash->hash}});
  }
  if (differs) return base::DataLoss(Hex(self) + " found data inconsistency with peers");
  LOG_INFO("initial corruption checking passed; no corruption", {"local-member-id", Hex(self)});
  return absl::OkStatus();
}

std::optional<MemberId> CheckHeadHashes(MemberId self, const OwnHash& before,
                                        const mvcc::HashResult& after,
                                        std::span<const PeerHash> peers) {
  std::optional<MemberId> wrong;
  if (after.hash != before.hash && after.hash_revision == before.hash_revision &&
      after.compact_revision == before.compact_revision) {
    LOG_WARN("found hash mismatch", {"revision-1", before.hash_revision},
             {"compact-revision-1", before.compact_revision}, {"hash-1", before.hash},
             {"revision-2", after.hash_revision}, {"compact-revision-2", after.compact_revision},
             {"hash-2", after.hash});
    wrong = self;
  }
  std::size_t checked = 0;
  for (const PeerHash& peer : peers) {
    if (!peer.hash.ok()) continue;
    ++checked;
    if (BreaksHeadRule(before, after, peer) && !wrong.has_value()) wrong = peer.id;
  }
  LOG_INFO("finished peer corruption check", {"number-of-peers-checked", checked});
  return wrong;
}

CompactHashVerdict CheckCompactionHashes(MemberId self, const mvcc::HashResult& own,
                                         std::span<const PeerHash> peers) {
  Groups groups = {{own.hash, {self}}};
  const std::size_t compared = GroupPeers(self, own, peers, groups);
  if (groups.size() > 1) return JudgeDifference(self, own, peers.size() + 1, std::move(groups));
  if (compared == peers.size()) {
    LOG_INFO("successfully checked hash on whole cluster", {"number-of-peers-checked", compared},
             {"revision", own.hash_revision}, {"compactRevision", own.compact_revision});
    return {.is_final = true, .all_agree = true, .alarms = {}};
  }
  LOG_WARN("successfully checked hash on partial members", {"number-of-peers-checked", compared},
           {"number-of-peers", peers.size()}, {"revision", own.hash_revision},
           {"compactRevision", own.compact_revision});
  return {};
}

absl::Status CheckEqualHashes(const OwnHash& own, std::span<const PeerHash> peers) {
  absl::Status unknown;
  for (const PeerHash& peer : peers) {
    const bool comparable = peer.hash.ok() && peer.hash->compact_revision == own.compact_revision;
    const bool equal = comparable && peer.hash->hash == own.hash;
    if (equal) continue;
    if (!comparable || own.nothing_lives) {
      unknown = base::MakeStatus(absl::StatusCode::kUnavailable,
                                 "the data of member " + Hex(peer.id) + " cannot be compared");
    } else {
      return base::MakeStatus(absl::StatusCode::kFailedPrecondition,
                              "the data of member " + Hex(peer.id) + " differs from the leader's");
    }
  }
  return unknown;
}

}  // namespace etcd::node
