#include "server/rafthttp/blocking_stream.h"

#include <array>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "server/base/status.h"
#include "server/rafthttp/url_stream.h"

namespace etcd::rafthttp {
namespace {

using std::chrono::steady_clock;

// How often a wait looks at `stopping`.
constexpr std::chrono::milliseconds kSlice(100);

absl::Status Lost(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, why);
}

absl::Status Poll(int descriptor, short events, std::chrono::nanoseconds timeout,
                  const std::atomic<bool>& stopping) {
  const auto deadline = steady_clock::now() + timeout;
  while (!stopping) {
    pollfd entry{descriptor, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(kSlice.count()));
    if (ready > 0) return absl::OkStatus();
    if (steady_clock::now() >= deadline) return Lost("i/o timeout");
  }
  return Lost("transport is stopped");
}

}  // namespace

absl::StatusOr<std::unique_ptr<net::ByteStream>> BlockingStream::Connect(
    const config::Url& url, const net::Lookup& lookup, std::chrono::nanoseconds timeout,
    const std::atomic<bool>& stopping) {
  RETURN_IF_ERROR(CheckScheme(url));
  ASSIGN_OR_RETURN(const net::Endpoint endpoint, EndpointOf(url));
  ASSIGN_OR_RETURN(const std::vector<net::Address> addresses, lookup(endpoint));
  absl::Status last = Lost("no address for " + url.host);
  for (const net::Address& address : addresses) {
    const absl::StatusOr<int> begun = net::BeginConnect(address);
    if (!begun.ok()) {
      last = begun.status();
      continue;
    }
    last = Poll(*begun, POLLOUT, timeout, stopping);
    if (last.ok()) last = net::ConnectResult(*begun);
    if (last.ok()) return MakeClientStream(*begun, url);
    ::close(*begun);
  }
  return last;
}

absl::Status BlockingStream::Wait(net::IoResult::Kind want) const {
  const short events = want == net::IoResult::Kind::kWantWrite ? POLLOUT : POLLIN;
  return Poll(stream_->descriptor(), events, timeout_, stopping_);
}

absl::StatusOr<std::size_t> BlockingStream::Read(std::span<char> into) {
  while (true) {
    const net::IoResult result = stream_->Read(into);
    switch (result.kind) {
      case net::IoResult::Kind::kBytes:
        return result.bytes;
      case net::IoResult::Kind::kEnd:
        return std::size_t{0};
      case net::IoResult::Kind::kError:
        return Lost("connection reset by peer");
      default:
        RETURN_IF_ERROR(Wait(result.kind));
    }
  }
}

absl::Status BlockingStream::WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    const net::IoResult result = stream_->Write(&piece, 1);
    if (result.kind == net::IoResult::Kind::kBytes) {
      bytes.remove_prefix(result.bytes);
    } else if (result.kind == net::IoResult::Kind::kError ||
               result.kind == net::IoResult::Kind::kEnd) {
      return Lost("broken pipe");
    } else {
      RETURN_IF_ERROR(Wait(result.kind));
    }
  }
  return absl::OkStatus();
}

void BlockingStream::Linger() {
  stream_->ShutdownWrite();
  const auto deadline = steady_clock::now() + std::chrono::seconds(1);
  timeout_ = std::chrono::seconds(1);
  std::array<char, 64 << 10> nowhere;
  while (steady_clock::now() < deadline) {
    const auto got = Read(nowhere);
    if (!got.ok() || *got == 0) return;
  }
}

}  // namespace etcd::rafthttp
