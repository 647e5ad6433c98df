#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <sys/uio.h>

namespace etcd::net {

// What a non-blocking read or write did.
struct IoResult {
  enum class Kind : std::uint8_t {
    kBytes,      // `bytes` moved, at least one
    kWantRead,   // nothing now: try again when the descriptor is readable
    kWantWrite,  // the same for writable
    kEnd,        // the peer closed its side in order
    kError,      // the connection is broken
  };
  Kind kind;
  std::size_t bytes = 0;
};

// A connected, non-blocking byte stream: the seam at which TLS goes between a protocol and its
// descriptor. A loop waits for the descriptor with Readiness, a thread of its own with poll, so one
// implementation serves both. One thread at a time; closes its descriptor when destroyed.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual int descriptor() const = 0;
  // Fewer bytes than there is room for mean that nothing more is there: the caller waits for the
  // descriptor, so nothing may be kept behind it (TLS: read until it wants to wait).
  virtual IoResult Read(std::span<char> into) = 0;
  // At least one byte in at least one entry.
  virtual IoResult Write(const iovec* entries, std::size_t count) = 0;
  // No more writes; the peer reads what was written and then the end.
  virtual void ShutdownWrite() = 0;
};

// Bytes as they are. Takes over `descriptor`.
std::unique_ptr<ByteStream> MakePlainStream(int descriptor);

}  // namespace etcd::net
