#include "bench/load/http2_client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

namespace etcd::bench {
namespace {

constexpr std::size_t kGrpcPrefix = 5;      // compressed flag, big-endian length
constexpr std::int32_t kWindow = 64 << 20;  // large lists must not wait for window updates

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "bench: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void AppendFrame(std::string& out, std::string_view message) {
  const auto size = static_cast<std::uint32_t>(message.size());
  const std::array<char, kGrpcPrefix> prefix = {
      0, static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
      static_cast<char>(size)};
  out.append(prefix.data(), prefix.size());
  out.append(message);
}

// -1: nobody listens, with errno.
int ConnectedSocket(const std::string& host, std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit = {1, 0};  // bounds connect() too
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

nghttp2_nv Header(std::string_view name, std::string_view value) {
  // nghttp2 does not write through these pointers.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct Callbacks {
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user) {
    auto* self = static_cast<Connection*>(user);
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value), value_size);
    const auto it = self->streams_.find(frame->hd.stream_id);
    if (it == self->streams_.end()) return 0;
    if (key == "grpc-status") it->second->trailer.status = std::atoi(std::string(text).c_str());
    if (key == "grpc-message") it->second->trailer.text = text;
    return 0;
  }

  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                    std::size_t size, void* user) {
    auto* self = static_cast<Connection*>(user);
    const auto it = self->streams_.find(id);
    if (it == self->streams_.end()) return 0;
    it->second->in.append(reinterpret_cast<const char*>(data), size);
    if (it->second->on_message) self->Consume(*it->second);
    return 0;
  }

  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    auto* self = static_cast<Connection*>(user);
    const auto it = self->streams_.find(id);
    if (it == self->streams_.end()) return 0;
    const std::unique_ptr<Connection::Stream> stream = std::move(it->second);
    self->streams_.erase(it);
    if (!stream->done) return 0;
    // Also of what was sent after the server's GOAWAY.
    stream->trailer.refused = code == NGHTTP2_REFUSED_STREAM;
    std::string_view message = stream->in;
    message.remove_prefix(std::min(message.size(), kGrpcPrefix));
    stream->done(stream->trailer, message);
    return 0;
  }

  static ssize_t Read(nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t room,
                      std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Connection::Stream*>(source->ptr);
    const std::size_t size = std::min(room, stream.out.size() - stream.sent);
    if (size == 0 && !stream.half_close) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(out, stream.out.data() + stream.sent, size);
    stream.sent += size;
    if (stream.sent == stream.out.size()) {
      stream.out.clear();
      stream.sent = 0;
      if (stream.half_close) *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(size);
  }
};

Loop::Loop() : epoll_(epoll_create1(0)) {}
Loop::~Loop() { ::close(epoll_); }

void Loop::RunUntil(const std::function<bool()>& done) {
  while (!done()) RunOnce(std::chrono::seconds(1));
}

bool Loop::RunUntil(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    RunOnce(left);
  }
  return true;
}

void Loop::RunUntil(std::chrono::steady_clock::time_point time) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(time - std::chrono::steady_clock::now());
    RunOnce(std::max(left, std::chrono::milliseconds(0)));
    if (left.count() <= 0) return;
  }
}

void Loop::RunOnce(std::chrono::milliseconds wait) {
  std::array<epoll_event, 256> events;
  const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                           static_cast<int>(wait.count()));
  for (int i = 0; i < n; ++i) {
    auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
    connection->OnReadable();
    connection->Flush();
  }
}

Connection::Connection(Loop& loop, const std::string& host, std::uint16_t port)
    : Connection(loop, host + ":" + std::to_string(port), ConnectedSocket(host, port)) {
  Flush();
}

std::unique_ptr<Connection> Connection::TryConnect(Loop& loop, const std::string& host,
                                                   std::uint16_t port) {
  const int fd = ConnectedSocket(host, port);
  if (fd < 0) return nullptr;
  return std::unique_ptr<Connection>(
      new Connection(loop, host + ":" + std::to_string(port), fd));  // the constructor is private
}

Connection::Connection(Loop& loop, std::string authority, int fd)
    : loop_(loop), authority_(std::move(authority)), fd_(fd) {
  if (fd_ < 0) Die("connect");
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnClose);
  nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  const std::array<nghttp2_settings_entry, 2> settings = {
      {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kWindow)},
       {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kWindow);

  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = this;
  epoll_ctl(loop_.fd(), EPOLL_CTL_ADD, fd_, &event);
}

Connection::~Connection() {
  nghttp2_session_del(session_);
  ::close(fd_);
}

std::int32_t Connection::Submit(std::string_view path, std::unique_ptr<Stream> stream) {
  const std::array<nghttp2_nv, 7> headers = {
      Header(":method", "POST"),
      Header(":scheme", "http"),
      Header(":path", path),
      Header(":authority", authority_),
      Header("content-type", "application/grpc"),
      Header("te", "trailers"),
      Header("user-agent", "etcd-bench"),
  };
  nghttp2_data_provider provider{};
  provider.source.ptr = stream.get();
  provider.read_callback = Callbacks::Read;
  const std::int32_t id =
      nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(), &provider, nullptr);
  if (id < 0) Die("submit");
  streams_.emplace(id, std::move(stream));
  return id;
}

void Connection::Call(std::string_view path, std::string_view message, UnaryDone done) {
  auto stream = std::make_unique<Stream>();
  AppendFrame(stream->out, message);
  stream->half_close = true;
  stream->done = std::move(done);
  Submit(path, std::move(stream));
}

void Connection::CallStream(std::string_view path, std::string_view message, OnMessage on_message,
                            UnaryDone done) {
  auto stream = std::make_unique<Stream>();
  AppendFrame(stream->out, message);
  stream->half_close = true;
  stream->on_message = std::move(on_message);
  stream->done = std::move(done);
  Submit(path, std::move(stream));
}

std::int32_t Connection::OpenStream(std::string_view path, OnMessage on_message, UnaryDone done) {
  auto stream = std::make_unique<Stream>();
  stream->on_message = std::move(on_message);
  stream->done = std::move(done);
  return Submit(path, std::move(stream));
}

void Connection::Send(std::int32_t stream, std::string_view message) {
  const auto it = streams_.find(stream);
  if (it == streams_.end()) return;
  AppendFrame(it->second->out, message);
  nghttp2_session_resume_data(session_, stream);
}

void Connection::Cancel(std::int32_t stream) {
  const auto it = streams_.find(stream);
  if (it == streams_.end()) return;
  // The stream object stays until the session closes it: a frame of it may be half sent.
  it->second->on_message = [](std::string_view) {};
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
}

void Connection::Consume(Stream& stream) {
  std::string_view in = stream.in;
  while (in.size() >= kGrpcPrefix) {
    std::size_t size = 0;
    for (std::size_t i = 1; i < kGrpcPrefix; ++i) {
      size = (size << 8) | static_cast<std::uint8_t>(in[i]);
    }
    if (in.size() < kGrpcPrefix + size) break;
    stream.on_message(in.substr(kGrpcPrefix, size));
    in.remove_prefix(kGrpcPrefix + size);
  }
  stream.in.erase(0, stream.in.size() - in.size());
}

void Connection::Flush() {
  if (broken_) return;
  while (true) {
    if (unsent_.empty()) {
      const std::uint8_t* data = nullptr;
      ssize_t size = 0;
      while (unsent_.size() < (64 << 10) &&
             (size = nghttp2_session_mem_send(session_, &data)) > 0) {
        unsent_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
      }
      if (unsent_.empty()) break;
    }
    const ssize_t n = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EAGAIN) break;
      Break("send");
      return;
    }
    unsent_.erase(0, static_cast<std::size_t>(n));
  }
  const bool want_write = !unsent_.empty();
  if (want_write == want_write_) return;
  want_write_ = want_write;
  epoll_event event{};
  event.events = EPOLLIN | (want_write ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  event.data.ptr = this;
  epoll_ctl(loop_.fd(), EPOLL_CTL_MOD, fd_, &event);
}

void Connection::Break(const char* what) {
  if (!on_broken_) Die(what);
  broken_ = true;
  epoll_ctl(loop_.fd(), EPOLL_CTL_DEL, fd_, nullptr);
  on_broken_();
}

void Connection::OnReadable() {
  if (broken_) return;
  std::array<std::uint8_t, 128 << 10> buffer;
  const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    Break(n == 0 ? "the server closed the connection" : "recv");
    return;
  }
  if (nghttp2_session_mem_recv(session_, buffer.data(), static_cast<std::size_t>(n)) < 0) {
    Die("broken frames");
  }
}

}  // namespace etcd::bench
