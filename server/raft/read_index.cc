#include <algorithm>
#include <cstdint>
#include <utility>

#include "server/raft/core.h"
#include "server/raft/quorum.h"

// Linearizable reads without log entries (thesis 6.4): remember the commit index, make sure by a
// round of heartbeats that this member was still the leader after the read arrived, answer.
//
// A round's number travels as the heartbeat's context (8 bytes, little endian) and is never used
// twice in a term, so an answer that comes late cannot confirm a later read (etcd issue 20418).
namespace etcd::raft {
namespace {

std::string EncodeRound(std::uint64_t round) {
  std::string out(8, '\0');
  for (char& byte : out) {
    byte = static_cast<char>(round & 0xff);
    round >>= 8;
  }
  return out;
}

// 0, which is no round, for anything that EncodeRound did not write.
std::uint64_t DecodeRound(const std::string& context) {
  if (context.size() != 8) return 0;
  std::uint64_t round = 0;
  for (auto it = context.rbegin(); it != context.rend(); ++it) {
    round = (round << 8) | static_cast<unsigned char>(*it);
  }
  return round;
}

}  // namespace

bool Core::ReadIndex(std::string context) {
  if (auto* leader = std::get_if<Leader>(&role_)) {
    AcceptRead(*leader, config_.id, std::move(context));
    return true;
  }
  if (!leader()) return false;
  Message m = Make(MessageType::kReadIndex, leader());
  m.term = Term();
  m.entries.push_back(Entry{{}, {}, EntryType::kNormal, std::move(context)});
  Send(std::move(m));
  return true;
}

void Core::HandleReadRequest(Message m) {
  if (m.entries.empty()) return;
  if (auto* leader = std::get_if<Leader>(&role_)) {
    AcceptRead(*leader, m.from, std::string(m.entries.front().data.view()));
  } else if (this->leader()) {
    m.to = this->leader();
    Send(std::move(m));
  }
}

void Core::HandleReadResponse(Message m) {
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != m.from || m.entries.empty()) return;
  read_states_.push_back({m.index, std::string(m.entries.front().data.view())});
}

void Core::AcceptRead(Leader& leader, MemberId from, std::string context) {
  PendingRead read = {from, std::move(context), log_.committed(), 0};
  // A new leader knows the latest commit index only after an entry of its own term committed. This
  // holds for a single voter too: its recorded commit index may lag behind what it acknowledged.
  if (log_.term_at(log_.committed()) != term_) {
    leader.reads_before_first_commit.push_back(std::move(read));
    return;
  }
  if (!leader.round_open) {
    leader.round_open = true;
    ++leader.round;
  }
  read.round = leader.round;
  leader.reads.push_back(std::move(read));
  ReleaseReads(leader);  // a single voter needs nobody's word
}

void Core::AdmitWaitingReads(Leader& leader) {
  auto waiting = std::exchange(leader.reads_before_first_commit, {});
  for (PendingRead& read : waiting) AcceptRead(leader, read.from, std::move(read.context));
}

// Taken by every heartbeat broadcast: "" when no read waits.
std::string Core::NextRoundContext(Leader& leader) {
  if (leader.reads.empty()) {
    leader.round_open = false;
    return {};
  }
  if (!leader.round_open) ++leader.round;
  leader.round_open = false;
  return EncodeRound(leader.round);
}

void Core::FlushReads(Leader& leader) {
  if (!leader.round_open) return;
  if (leader.reads.empty()) {
    leader.round_open = false;  // already answered
    return;
  }
  BroadcastHeartbeat(leader);
}

void Core::ConfirmRound(Leader& leader, Progress& progress, const std::string& context) {
  const std::uint64_t round = DecodeRound(context);
  if (round <= progress.acked_round || round > leader.round) return;
  progress.acked_round = round;
  ReleaseReads(leader);
}

void Core::ReleaseReads(Leader& leader) {
  if (leader.reads.empty()) return;
  std::vector<std::uint64_t> acked;
  acked.reserve(conf_.voters.size());
  for (const MemberId voter : conf_.voters) {
    acked.push_back(voter == config_.id ? leader.round : leader.progress.at(voter).acked_round);
  }
  const std::uint64_t confirmed = MajorityValue(std::move(acked));
  while (!leader.reads.empty() && leader.reads.front().round <= confirmed) {
    AnswerRead(std::move(leader.reads.front()));
    leader.reads.pop_front();
  }
}

void Core::AnswerRead(PendingRead read) {
  if (read.from == config_.id) {
    read_states_.push_back({read.index, std::move(read.context)});
    return;
  }
  Message m = Make(MessageType::kReadIndexResp, read.from);
  m.index = read.index;
  m.entries.push_back(Entry{{}, {}, EntryType::kNormal, std::move(read.context)});
  Send(std::move(m));
}

}  // namespace etcd::raft
