#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/status.h>

#include "server/base/call.h"
#include "server/base/rope.h"
#include "server/transport/out_buffer.h"

namespace etcd::transport {

// The bytes that one HTTP/2 stream has to send: gRPC messages (with their 5-byte prefix) or plain
// body bytes. HTTP/2 takes them in pieces of any size, so many small messages share a DATA frame
// and one large message fills several. Loop thread only.
class SendQueue {
 public:
  void PushMessage(base::Rope message);  // with the prefix; uncompressed
  void PushBytes(base::Rope bytes);
  // A message whose tail is pulled from `source` when there is room for it.
  void PushBody(base::Body body);

  // Bytes that can leave now, pulling up to about `bytes_hint` from the source when the rest has
  // gone. An error of the source is final.
  absl::StatusOr<std::size_t> Available(std::size_t bytes_hint);
  // Nothing is left after those bytes, in the source neither.
  bool EndsAfter(std::size_t bytes) const { return ready_bytes_ == bytes && source_bytes_ == 0; }
  std::size_t ready_bytes() const { return ready_bytes_; }

  // Moves exactly `bytes` <= the last Available to `out`.
  void Pop(std::size_t bytes, OutBuffer& out);

 private:
  struct Entry {
    std::array<char, 5> prefix;
    std::uint8_t prefix_left;  // bytes of the prefix still to send
    base::Rope rope;
    std::size_t slice = 0;   // first slice not fully sent
    std::size_t offset = 0;  // into that slice
  };
  void PopEntry();
  void Push(std::uint64_t message_bytes, bool with_prefix, base::Rope rope);

  std::vector<Entry> entries_;
  std::size_t first_ = 0;  // entries before it are sent
  std::size_t ready_bytes_ = 0;
  std::unique_ptr<base::ByteSource> source_;
  std::uint64_t source_bytes_ = 0;  // left in source_
};

}  // namespace etcd::transport
