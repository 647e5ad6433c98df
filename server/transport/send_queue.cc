#include "server/transport/send_queue.h"

#include <algorithm>
#include <utility>

#include "server/base/status.h"

namespace etcd::transport {

void SendQueue::PushMessage(base::Rope message) {
  const std::size_t size = message.size();
  Push(size, true, std::move(message));
}

void SendQueue::PushBytes(base::Rope bytes) { Push(0, false, std::move(bytes)); }

void SendQueue::PushBody(base::Body body) {
  const std::uint64_t size = body.size();
  Push(size, true, std::move(body.head));
  source_ = std::move(body.source);
  source_bytes_ = body.source_bytes;
}

void SendQueue::Push(std::uint64_t message_bytes, bool with_prefix, base::Rope rope) {
  Entry entry{};
  if (with_prefix) {
    entry.prefix_left = 5;
    for (std::size_t i = 0; i < 4; ++i) {
      entry.prefix[i + 1] = static_cast<char>((message_bytes >> (24 - 8 * i)) & 0xff);
    }
  }
  ready_bytes_ += entry.prefix_left + rope.size();
  entry.rope = std::move(rope);
  entries_.push_back(std::move(entry));
}

absl::StatusOr<std::size_t> SendQueue::Available(std::size_t bytes_hint) {
  if (ready_bytes_ > 0 || source_bytes_ == 0) return ready_bytes_;
  ASSIGN_OR_RETURN(base::Rope next, source_->Next(bytes_hint));
  if (next.empty() || next.size() > source_bytes_) {
    return base::MakeStatus(absl::StatusCode::kInternal,
                            "a response is not as long as its prefix says");
  }
  source_bytes_ -= next.size();
  if (source_bytes_ == 0) source_.reset();
  PushBytes(std::move(next));
  return ready_bytes_;
}

void SendQueue::Pop(std::size_t bytes, OutBuffer& out) {
  ready_bytes_ -= bytes;
  while (bytes > 0) {
    Entry& entry = entries_[first_];
    if (entry.prefix_left > 0) {
      const std::size_t step = std::min<std::size_t>(bytes, entry.prefix_left);
      out.Append(std::string_view(entry.prefix.data() + 5 - entry.prefix_left, step));
      entry.prefix_left = static_cast<std::uint8_t>(entry.prefix_left - step);
      bytes -= step;
    }
    const auto& slices = entry.rope.slices();
    while (bytes > 0 && entry.slice < slices.size()) {
      const base::Slice& slice = slices[entry.slice];
      const std::size_t step = std::min(bytes, slice.bytes.size() - entry.offset);
      out.Append(slice.bytes.substr(entry.offset, step), slice.owner);
      entry.offset += step;
      bytes -= step;
      if (entry.offset == slice.bytes.size()) {
        ++entry.slice;
        entry.offset = 0;
      }
    }
    if (entry.prefix_left == 0 && entry.slice == slices.size()) PopEntry();
  }
}

void SendQueue::PopEntry() {
  entries_[first_].rope = base::Rope();
  ++first_;
  if (first_ == entries_.size()) {
    entries_.clear();
    first_ = 0;
  } else if (first_ >= 64 && first_ * 2 >= entries_.size()) {
    // A queue that is never empty must not grow for ever.
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

}  // namespace etcd::transport
