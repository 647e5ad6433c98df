#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <sys/uio.h>

#include <absl/status/statusor.h>

#include "server/config/urls.h"

namespace etcd::rafthttp {

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

// A connected, non-blocking byte stream. The loop waits for its descriptor with Asio, a snapshot
// thread with poll, so one implementation serves both. One thread at a time; closes its descriptor
// when destroyed.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual int descriptor() const = 0;
  // Fewer bytes than there is room for mean that nothing more is there: the caller waits for the
  // descriptor, so nothing may be kept behind it (TLS: read until it wants to wait).
  virtual IoResult Read(std::span<char> into) = 0;
  virtual IoResult Write(const iovec* entries, std::size_t count) = 0;
};

// The seam for TLS: the only place where a descriptor becomes a stream. It takes over `descriptor`,
// also when it fails. `url` is what was dialed or listened on: its scheme decides.
absl::StatusOr<std::unique_ptr<ByteStream>> MakeClientStream(int descriptor,
                                                             const config::Url& url);
absl::StatusOr<std::unique_ptr<ByteStream>> MakeServerStream(int descriptor,
                                                             const config::Url& url);
// Whether this build can speak the scheme of the URL.
absl::Status CheckScheme(const config::Url& url);

// The outcome of a non-blocking connect, once the descriptor is writable.
absl::Status ConnectResult(int descriptor);
// TCP_NODELAY, and keepalives every 30 s (server-surface.md 4.4).
void SetTcpOptions(int descriptor);

}  // namespace etcd::rafthttp
