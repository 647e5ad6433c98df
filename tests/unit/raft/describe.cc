#include "tests/unit/raft/describe.h"

#include <cctype>
#include <sstream>

namespace etcd::raft {
namespace {

// ReadIndex rounds are binary; everything else that tests use is text.
std::string Text(std::string_view bytes) {
  if (bytes.size() == 8 && std::iscntrl(static_cast<unsigned char>(bytes.back())) != 0) {
    std::uint64_t round = 0;
    for (std::size_t i = 8; i-- > 0;) round = round << 8 | static_cast<unsigned char>(bytes[i]);
    return "#" + std::to_string(round);
  }
  return std::string(bytes);
}

std::string Ids(const std::vector<MemberId>& ids) {
  std::string out;
  for (const MemberId id : ids) out += (out.empty() ? "" : " ") + std::to_string(id.value());
  return "(" + out + ")";
}

const char* NameOf(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "precandidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "?";
}

const char* NameOf(ProgressState state) {
  switch (state) {
    case ProgressState::kProbe:
      return "probe";
    case ProgressState::kReplicate:
      return "replicate";
    case ProgressState::kSnapshot:
      return "snapshot";
  }
  return "?";
}

}  // namespace

std::string Describe(MessageType type) {
  switch (type) {
    case MessageType::kProp:
      return "Prop";
    case MessageType::kApp:
      return "App";
    case MessageType::kAppResp:
      return "AppResp";
    case MessageType::kVote:
      return "Vote";
    case MessageType::kVoteResp:
      return "VoteResp";
    case MessageType::kSnap:
      return "Snap";
    case MessageType::kHeartbeat:
      return "Heartbeat";
    case MessageType::kHeartbeatResp:
      return "HeartbeatResp";
    case MessageType::kUnreachable:
      return "Unreachable";
    case MessageType::kSnapStatus:
      return "SnapStatus";
    case MessageType::kTransferLeader:
      return "TransferLeader";
    case MessageType::kTimeoutNow:
      return "TimeoutNow";
    case MessageType::kReadIndex:
      return "ReadIndex";
    case MessageType::kReadIndexResp:
      return "ReadIndexResp";
    case MessageType::kPreVote:
      return "PreVote";
    case MessageType::kPreVoteResp:
      return "PreVoteResp";
  }
  return "?";
}

std::string Describe(const Entry& entry) {
  std::ostringstream out;
  out << entry.term << '/' << entry.index;
  if (entry.type != EntryType::kNormal) out << " conf";
  if (!entry.data.empty()) out << " \"" << entry.data.view() << '"';
  return out.str();
}

std::string Describe(const Message& m) {
  std::ostringstream out;
  out << m.from << "->" << m.to << ' ' << Describe(m.type);
  if (m.term) out << " term " << m.term;
  const bool positions = m.type == MessageType::kApp || m.type == MessageType::kVote ||
                         m.type == MessageType::kPreVote;
  if (positions) out << " log " << m.log_term << '/' << m.index;
  if (m.type == MessageType::kAppResp || m.type == MessageType::kReadIndexResp) {
    out << " index " << m.index;
  }
  if (m.type == MessageType::kApp || m.type == MessageType::kHeartbeat)
    out << " commit " << m.commit;
  if (m.reject) out << " reject";
  if (m.reject && m.type == MessageType::kAppResp) {
    out << " hint " << m.log_term << '/' << m.reject_hint;
  }
  if (!m.context.empty()) out << " ctx " << Text(m.context);
  if (!m.snapshot.empty()) {
    out << " snapshot " << m.snapshot.metadata.term << '/' << m.snapshot.metadata.index << ' '
        << Describe(m.snapshot.metadata.conf_state);
  }
  for (const Entry& entry : m.entries) out << " [" << Describe(entry) << ']';
  return out.str();
}

std::string Describe(const HardState& state) {
  std::ostringstream out;
  out << "term " << state.term << " vote " << state.vote << " commit " << state.commit;
  return out.str();
}

std::string Describe(const SoftState& state) {
  std::ostringstream out;
  out << NameOf(state.role) << ", leader " << state.leader;
  return out.str();
}

std::string Describe(const ConfState& state) {
  std::string out = "voters " + Ids(state.voters);
  if (!state.learners.empty()) out += " learners " + Ids(state.learners);
  return out;
}

std::string Describe(const Ready& ready) {
  std::ostringstream out;
  if (ready.soft_state) out << "  soft: " << Describe(*ready.soft_state) << '\n';
  if (ready.hard_state) out << "  hard: " << Describe(*ready.hard_state) << '\n';
  if (ready.must_sync) out << "  sync\n";
  for (const Entry& entry : ready.entries) out << "  write: " << Describe(entry) << '\n';
  if (!ready.snapshot.empty()) out << "  install: " << ready.snapshot.metadata.index << '\n';
  for (const Entry& entry : ready.committed) out << "  apply: " << Describe(entry) << '\n';
  for (const Message& m : ready.messages) out << "  now: " << Describe(m) << '\n';
  for (const Message& m : ready.messages_after_persist) out << "  then: " << Describe(m) << '\n';
  for (const ReadState& read : ready.read_states) {
    out << "  read: " << read.context << " at " << read.index << '\n';
  }
  return out.str();
}

std::string Describe(const Status& status) {
  std::ostringstream out;
  out << status.id << ": " << Describe(status.soft_state) << ", " << Describe(status.hard_state)
      << ", log [" << status.first_index << ".." << status.last_index << "], persisted "
      << status.persisted << ", applied " << status.applied << ", " << Describe(status.conf_state)
      << '\n';
  if (status.transferee) out << "  hands over to " << status.transferee << '\n';
  for (const auto& [id, row] : status.progress) {
    if (id == status.id) continue;
    out << "  " << id << ": " << NameOf(row.state) << " match " << row.match << " next " << row.next
        << (row.is_learner ? " learner" : "") << (row.paused ? " paused" : "")
        << (row.recently_active ? "" : " silent");
    if (row.pending_snapshot) out << " pending snapshot " << row.pending_snapshot;
    out << '\n';
  }
  return out.str();
}

std::vector<std::string> Lines(const std::vector<Message>& messages) {
  std::vector<std::string> out;
  for (const Message& m : messages) out.push_back(Describe(m));
  return out;
}

}  // namespace etcd::raft
