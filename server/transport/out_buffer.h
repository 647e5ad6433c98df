#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <vector>

#include "server/base/rope.h"

namespace etcd::transport {

// Bytes on their way into one socket, in order: small pieces are copied together, large ones are
// held by reference, all leave with one gathering write. Loop thread only.
class OutBuffer {
 public:
  // Below this a copy is cheaper than an entry in the write's vector.
  static constexpr std::size_t kCopyMax = 4096;

  void Append(std::string_view bytes);
  // `part` is a range of the bytes that `owner` keeps alive (null: they live for ever).
  void Append(std::string_view part, const std::shared_ptr<const void>& owner);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Fills at most `count` entries from the front; returns how many. Valid until the next change.
  std::size_t Gather(iovec* entries, std::size_t count) const;
  // Drops bytes from the front.
  void Consume(std::size_t bytes);
  void Clear();

 private:
  struct Segment {
    const char* data;  // null: `offset` counts from the start of flat_
    std::size_t offset;
    std::size_t length;
    std::shared_ptr<const void> owner;
  };

  std::string flat_;
  std::vector<Segment> segments_;
  std::size_t first_ = 0;  // segments before it are consumed
  std::size_t size_ = 0;
};

}  // namespace etcd::transport
