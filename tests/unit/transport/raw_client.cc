#include "tests/unit/transport/raw_client.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/base/check.h"

namespace etcd::transport {
namespace {

void AppendBytes(std::string& out, std::uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

}  // namespace

RawClient::RawClient(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
      << "connect: " << errno;
  const int one = 1;  // small frames must not wait for acknowledgements
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

RawClient::RawClient(const std::string& unix_path)
    : descriptor_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
  CHECK(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
      << "connect: " << errno;
}

RawClient::~RawClient() { ::close(descriptor_); }

bool RawClient::Send(std::string_view bytes) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!bytes.empty() && !closed_) {
    const std::size_t sent = SendSome(bytes);
    bytes.remove_prefix(sent);
    if (sent == 0 && !closed_) {
      pollfd entry{descriptor_, POLLOUT, 0};
      ::poll(&entry, 1, 100);
      if (std::chrono::steady_clock::now() > deadline) return false;
    }
  }
  return !closed_;
}

std::size_t RawClient::SendSome(std::string_view bytes) {
  const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno != EAGAIN) closed_ = true;
  return 0;
}

std::string RawClient::ReadSome(std::chrono::milliseconds wait) {
  pollfd entry{descriptor_, POLLIN, 0};
  if (::poll(&entry, 1, static_cast<int>(wait.count())) <= 0) return {};
  std::string buffer(64 * 1024, '\0');
  const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    closed_ = true;
    return {};
  }
  buffer.resize(static_cast<std::size_t>(got));
  return buffer;
}

std::string RawClient::ReadUntil(std::string_view text) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::size_t at = received_.find(text);
  while (at == std::string::npos && std::chrono::steady_clock::now() < deadline) {
    received_ += ReadSome(std::chrono::milliseconds(100));
    at = received_.find(text);
    if (closed_) break;
  }
  const std::size_t end = at == std::string::npos ? received_.size() : at + text.size();
  std::string result = received_.substr(0, end);
  received_.erase(0, end);
  return result;
}

std::string RawClient::ReadToEnd() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!closed_ && std::chrono::steady_clock::now() < deadline) {
    received_ += ReadSome(std::chrono::milliseconds(100));
  }
  return std::move(received_);
}

void RawClient::ShutdownWrite() { ::shutdown(descriptor_, SHUT_WR); }

std::string H2Frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream_id,
                    std::string_view payload) {
  std::string frame;
  AppendBytes(frame, static_cast<std::uint32_t>(payload.size()), 3);
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  AppendBytes(frame, static_cast<std::uint32_t>(stream_id), 4);
  return frame.append(payload);
}

std::string H2Start() { return std::string(kH2Preface) + H2Frame(4, 0, 0, ""); }

std::string HpackField(std::string_view name, std::string_view value) {
  std::string field(1, '\0');
  field.push_back(static_cast<char>(name.size()));
  field.append(name);
  field.push_back(static_cast<char>(value.size()));
  return field.append(value);
}

std::string GrpcHeaderBlock(std::string_view path) {
  return HpackField(":method", "POST") + HpackField(":scheme", "http") + HpackField(":path", path) +
         HpackField(":authority", "localhost") + HpackField("content-type", "application/grpc") +
         HpackField("te", "trailers");
}

std::string GrpcMessage(std::string_view body, char flag) {
  std::string message(1, flag);
  AppendBytes(message, static_cast<std::uint32_t>(body.size()), 4);
  return message.append(body);
}

}  // namespace etcd::transport
