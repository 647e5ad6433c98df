#include "server/transport/out_buffer.h"

#include <algorithm>

namespace etcd::transport {

void OutBuffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t start = flat_.size();
  flat_.append(bytes);
  size_ += bytes.size();
  if (segments_.size() > first_) {
    Segment& last = segments_.back();
    if (last.data == nullptr && last.offset + last.length == start) {
      last.length += bytes.size();
      return;
    }
  }
  segments_.push_back({nullptr, start, bytes.size(), nullptr});
}

void OutBuffer::Append(std::string_view part, const std::shared_ptr<const void>& owner) {
  if (part.size() <= kCopyMax) {
    Append(part);
    return;
  }
  segments_.push_back({part.data(), 0, part.size(), owner});
  size_ += part.size();
}

std::size_t OutBuffer::Gather(iovec* entries, std::size_t count) const {
  std::size_t used = 0;
  for (std::size_t i = first_; i < segments_.size() && used < count; ++i) {
    const Segment& segment = segments_[i];
    const char* base = segment.data != nullptr ? segment.data : flat_.data();
    entries[used++] = {const_cast<char*>(base + segment.offset), segment.length};
  }
  return used;
}

void OutBuffer::Consume(std::size_t bytes) {
  size_ -= bytes;
  if (size_ == 0) {
    Clear();
    return;
  }
  while (bytes > 0) {
    Segment& segment = segments_[first_];
    const std::size_t step = std::min(bytes, segment.length);
    segment.offset += step;
    segment.length -= step;
    bytes -= step;
    if (segment.length == 0) {
      segment.owner.reset();
      ++first_;
    }
  }
}

void OutBuffer::Clear() {
  // A burst must not pin its memory for the life of the loop.
  constexpr std::size_t kKeepBytes = 512 * 1024;
  if (flat_.capacity() > kKeepBytes) {
    flat_ = std::string();
  } else {
    flat_.clear();
  }
  segments_.clear();
  first_ = 0;
  size_ = 0;
}

}  // namespace etcd::transport
