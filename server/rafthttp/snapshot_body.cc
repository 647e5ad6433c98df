#include "server/rafthttp/snapshot_body.h"

#include <algorithm>
#include <utility>

#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/rafthttp/message_check.h"

namespace etcd::rafthttp {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::string_view kDecodeFailed = "failed to decode raft message";
constexpr std::string_view kProcessFailed = "failed to process raft message";
constexpr std::string_view kSaveFailed = "failed to save KV snapshot";
constexpr std::string_view kEnd = "EOF";
constexpr std::string_view kUnexpectedEnd = "unexpected EOF";

}  // namespace

absl::Status SnapshotBody::Refuse(int status, std::string_view text, std::string_view why) {
  std::string body(text);
  if (!why.empty()) body.append(" (").append(why).append(")");
  sink_ = nullptr;  // what was written goes
  head_.clear();
  if (!refusal_) refusal_ = ErrorAnswer(status, body);
  refusal_->close = true;
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, body);
}

absl::Status SnapshotBody::OnBody(std::string_view bytes) {
  if (refusal_) return Refuse(refusal_->status, refusal_->body);
  while (sink_ == nullptr) {
    std::size_t need = kLengthBytes;
    if (head_.size() >= kLengthBytes) {
      const std::uint64_t length = base::LoadBigEndian64(head_.data());
      if (length > message_bytes_max_) {
        return Refuse(400, kDecodeFailed, "rafthttp: error limit exceeded");
      }
      need += static_cast<std::size_t>(length);
    }
    const std::size_t taken = std::min(need - head_.size(), bytes.size());
    head_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (head_.size() < need) return absl::OkStatus();
    // The length alone is the whole of an empty message too, which no kSnap is.
    if (need > kLengthBytes || base::LoadBigEndian64(head_.data()) == 0) {
      RETURN_IF_ERROR(OnMessage());
    }
  }
  if (bytes.empty()) return absl::OkStatus();
  database_bytes_ += bytes.size();
  if (const absl::Status written = sink_->Write(bytes); !written.ok()) {
    return Refuse(500, kSaveFailed, base::MessageOf(written));
  }
  return absl::OkStatus();
}

absl::Status SnapshotBody::OnMessage() {
  auto message = DecodeFromPeer(std::string_view(head_).substr(kLengthBytes), Channel::kSnapshot);
  if (!message.ok()) return Refuse(400, kDecodeFailed, kUnexpectedEnd);
  head_ = std::string();
  from_ = message->from;
  if (message->type != raft::MessageType::kSnap) return Refuse(400, "wrong raft message type");
  auto sink = begin_(*std::move(message));
  if (!sink.ok()) return Refuse(500, kProcessFailed, base::MessageOf(sink.status()));
  sink_ = *std::move(sink);
  return absl::OkStatus();
}

Answer SnapshotBody::Finish(bool whole) {
  if (!refusal_ && sink_ == nullptr) {
    // As Go's reader calls it when not one byte of the length, or of the message, came.
    const bool at_start = head_.empty() || head_.size() == kLengthBytes;
    base::IgnoreError(Refuse(400, kDecodeFailed, at_start ? kEnd : kUnexpectedEnd),
                      "refusal_ says it");
  }
  if (!refusal_ && !whole) {
    base::IgnoreError(Refuse(500, kSaveFailed, kUnexpectedEnd), "refusal_ says it");
  }
  if (refusal_) return *refusal_;
  const absl::Status finished = sink_->Finish();
  if (!finished.ok()) {
    base::IgnoreError(Refuse(500, kSaveFailed, base::MessageOf(finished)), "refusal_ says it");
    return *refusal_;
  }
  sink_ = nullptr;
  return {.status = 204, .headers = {}, .body = {}, .close = false};
}

}  // namespace etcd::rafthttp
