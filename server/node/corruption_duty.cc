#include "server/node/corruption_duty.h"

#include <algorithm>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/node/corruption.h"
#include "server/node/entries.h"

namespace etcd::node {

struct CorruptionDuty::HeadRound {
  OwnHash before;
  mvcc::HashResult after;
  std::vector<PeerHash> peers;
};

struct CorruptionDuty::CompactionRound {
  std::vector<mvcc::HashResult> unchecked;  // newest first
  std::size_t next = 0;
};

CorruptionDuty::CorruptionDuty(Shared& shared, Propose propose, ReadIndex read_index)
    : shared_(shared),
      hashes_(shared),
      propose_(std::move(propose)),
      read_index_(std::move(read_index)),
      next_heads_(shared.ports.raft.clock().Now() + shared.options.corrupt_check_interval),
      next_compactions_(shared.ports.raft.clock().Now() +
                        shared.options.compact_hash_check_interval) {
  if (shared.options.corrupt_check_interval.count() > 0) {
    LOG_INFO("enabled corruption checking", {"local-member-id", base::FormatHex(shared.id.value())},
             {"interval", shared.options.corrupt_check_interval});
  }
}

void CorruptionDuty::OnTick() {
  if (shared_.is_stopping.load() || shared_.halted()) return;
  HaltWhenCorrupt();
  const auto now = shared_.ports.raft.clock().Now();
  const auto heads = shared_.options.corrupt_check_interval;
  if (heads.count() > 0 && !comparing_heads_ && now >= next_heads_) {
    next_heads_ = now + heads;
    if (is_leader()) CheckHeads();
  }
  const auto compactions = shared_.options.compact_hash_check_interval;
  if (compactions.count() > 0 && !comparing_compactions_ && now >= next_compactions_) {
    next_compactions_ = now + compactions;
    if (is_leader()) CheckCompactions();
  }
}

// The data can only get worse; the next start asks the others for theirs.
void CorruptionDuty::HaltWhenCorrupt() {
  if (!shared_.options.halt_when_corrupt) return;
  if (!shared_.alarms.view()->contains({shared_.id, apply::kAlarmCorrupt})) return;
  shared_.Halt("the data of this member differs from that of the others",
               base::DataLoss("alarm CORRUPT is raised for this member"));
}

// ---- Heads

void CorruptionDuty::CheckHeads() {
  comparing_heads_ = true;
  auto round = std::make_shared<HeadRound>();
  hashes_.Head([this, round](absl::StatusOr<OwnHash> hash) {
    if (!hash.ok()) return EndHeads(round, hash.status());
    round->before = *hash;
    AskForHead(round);
  });
}

// What the peers have applied by now, this member has when the read comes back: were one ahead
// then, its data would be of another history.
void CorruptionDuty::AskForHead(const std::shared_ptr<HeadRound>& round) {
  hashes_.Peers(round->before.hash_revision, MemberId(),
                [this, round](std::vector<PeerHash> peers) {
                  round->peers = std::move(peers);
                  read_index_([this, round](absl::Status read) {
                    shared_.ports.raft.Post([this, round, read = std::move(read)] {
                      if (!read.ok()) return EndHeads(round, read);
                      hashes_.Head([this, round](absl::StatusOr<OwnHash> hash) {
                        if (hash.ok()) round->after = *hash;
                        EndHeads(round, hash.status());
                      });
                    });
                  });
                });
}

void CorruptionDuty::EndHeads(const std::shared_ptr<HeadRound>& round, const absl::Status& status) {
  comparing_heads_ = false;
  if (!status.ok()) {
    LOG_WARN("failed to check hash KV", {"error", status});
    return;
  }
  const auto wrong = CheckHeadHashes(shared_.id, round->before, round->after, round->peers);
  if (wrong.has_value()) Raise(*wrong);
}

// ---- Compactions

void CorruptionDuty::CheckCompactions() {
  comparing_compactions_ = true;
  LOG_INFO("starting compact hash check", {"local-member-id", base::FormatHex(shared_.id.value())},
           {"timeout", shared_.options.request_timeout()});
  auto round = std::make_shared<CompactionRound>();
  round->unchecked = shared_.store->CompactionHashes();
  std::erase_if(round->unchecked,
                [this](const mvcc::HashResult& hash) { return hash.hash_revision <= checked_; });
  std::sort(round->unchecked.begin(), round->unchecked.end(),
            [](const auto& a, const auto& b) { return a.hash_revision > b.hash_revision; });
  CheckCompaction(round);
}

// From the newest to the first that all members can be compared in, or in which one differs.
void CorruptionDuty::CheckCompaction(const std::shared_ptr<CompactionRound>& round) {
  if (round->next == round->unchecked.size() || shared_.is_stopping.load()) {
    return EndCompactions(round->next);
  }
  const mvcc::HashResult own = round->unchecked[round->next++];
  hashes_.Peers(own.hash_revision, MemberId(), [this, round, own](std::vector<PeerHash> peers) {
    if (peers.empty()) return CheckCompaction(round);
    const CompactHashVerdict verdict = CheckCompactionHashes(shared_.id, own, peers);
    if (verdict.all_agree) checked_ = std::max(checked_, own.hash_revision);
    for (const MemberId member : verdict.alarms) Raise(member);
    if (verdict.is_final) return EndCompactions(round->next);
    CheckCompaction(round);
  });
}

// As in etcd the next round comes one interval after the end of this one.
void CorruptionDuty::EndCompactions(std::size_t checked) {
  LOG_INFO("finished compaction hash check", {"number-of-hashes-checked", checked});
  comparing_compactions_ = false;
  next_compactions_ =
      shared_.ports.raft.clock().Now() + shared_.options.compact_hash_check_interval;
}

void CorruptionDuty::Raise(MemberId member) {
  if (shared_.alarms.view()->contains({member, apply::kAlarmCorrupt})) return;
  propose_([member](RequestId id) { return EncodeRaiseAlarm(id, member, apply::kAlarmCorrupt); },
           [](const apply::Result&) {});  // the next round tries again
}

}  // namespace etcd::node
