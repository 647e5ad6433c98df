#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include <absl/status/statusor.h>

#include "server/ports/peer_transport.h"
#include "server/raft/types.h"

// Snapshots to send.
namespace etcd::rafthttp {

class StringSource final : public ports::SnapshotSource {
 public:
  StringSource(std::string bytes, std::uint64_t announced)
      : bytes_(std::move(bytes)), announced_(announced) {}
  explicit StringSource(std::string bytes) : StringSource(bytes, bytes.size()) {}

  std::uint64_t size() const override { return announced_; }
  absl::StatusOr<std::size_t> Read(std::span<char> buffer) override {
    const std::size_t count = std::min(buffer.size(), bytes_.size() - at_);
    std::memcpy(buffer.data(), bytes_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  const std::string bytes_;
  const std::uint64_t announced_;
  std::size_t at_ = 0;
};

inline raft::Message SnapMessage(MemberId from, MemberId to) {
  raft::Message message;
  message.type = raft::MessageType::kSnap;
  message.from = from;
  message.to = to;
  message.term = Term(2);
  message.snapshot.data = R"({"Root":{}})";
  message.snapshot.metadata.index = Index(77);
  message.snapshot.metadata.term = Term(2);
  message.snapshot.metadata.conf_state.voters = {from, to};
  return message;
}

}  // namespace etcd::rafthttp
