#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/config/urls.h"
#include "server/net/address.h"
#include "server/net/stream.h"

namespace etcd::rafthttp {

// A stream on a thread of its own: reads and writes wait, no longer than the timeout without a
// byte, and end soon after `stopping` is set.
class BlockingStream {
 public:
  BlockingStream(std::unique_ptr<net::ByteStream> stream, std::chrono::nanoseconds timeout,
                 const std::atomic<bool>& stopping)
      : stream_(std::move(stream)), timeout_(timeout), stopping_(stopping) {}

  // Resolves, connects. kUnavailable when no address answers within `timeout`.
  static absl::StatusOr<std::unique_ptr<net::ByteStream>> Connect(
      const config::Url& url, const net::Lookup& lookup, std::chrono::nanoseconds timeout,
      const std::atomic<bool>& stopping);

  void SetTimeout(std::chrono::nanoseconds timeout) { timeout_ = timeout; }
  // At least one byte; 0: the end.
  absl::StatusOr<std::size_t> Read(std::span<char> into);
  absl::Status WriteAll(std::string_view bytes);
  // Reads and throws away what still comes, for a moment: closing with bytes unread would make the
  // peer lose the answer (RFC 9112 9.6).
  void Linger();

 private:
  absl::Status Wait(net::IoResult::Kind want) const;

  const std::unique_ptr<net::ByteStream> stream_;
  std::chrono::nanoseconds timeout_;
  const std::atomic<bool>& stopping_;
};

}  // namespace etcd::rafthttp
