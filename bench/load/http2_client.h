#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <absl/functional/any_invocable.h>

struct nghttp2_session;

// A gRPC client that costs little, so that on a machine shared with the server the server is what
// is measured. One thread, one epoll loop, any number of connections.
namespace etcd::bench {

class Connection;

// The loop of one thread: dispatches readiness to connections.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until `done()` is true, checking after each round of events.
  void RunUntil(const std::function<bool()>& done);
  // The same, but returns false when `limit` has passed first.
  bool RunUntil(const std::function<bool()>& done, std::chrono::milliseconds limit);
  // Runs until `time` (at most a millisecond later).
  void RunUntil(std::chrono::steady_clock::time_point time);
  int fd() const { return epoll_; }

 private:
  void RunOnce(std::chrono::milliseconds wait);

  int epoll_;
};

// One HTTP/2 connection. Unless OnBroken is set, exits the process with a message when the
// connection fails: a benchmark over broken connections has no figure.
class Connection {
 public:
  // How a call ended: grpc-status (-1: none received) and grpc-message, still percent-encoded.
  struct Trailer {
    int status = -1;
    std::string text;
    bool refused = false;  // the server did not look at it: gRPC's clients send it elsewhere
  };
  // The message bytes of a unary call, and its end.
  using UnaryDone = absl::AnyInvocable<void(const Trailer& trailer, std::string_view message)>;
  using OnMessage = std::function<void(std::string_view message)>;

  Connection(Loop& loop, const std::string& host, std::uint16_t port);
  // Null when nobody listens there, or no answer came within a second. Set OnBroken before anything
  // else.
  static std::unique_ptr<Connection> TryConnect(Loop& loop, const std::string& host,
                                                std::uint16_t port);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Called once when the server closes the connection; open calls get no answer then.
  void OnBroken(std::function<void()> broken) { on_broken_ = std::move(broken); }

  void Call(std::string_view path, std::string_view message, UnaryDone done);
  // A server-streaming call: messages in order, then the end (with no message).
  void CallStream(std::string_view path, std::string_view message, OnMessage on_message,
                  UnaryDone done);
  // Opens a bidirectional stream; messages of the server go to `on_message`. `done` is called when
  // the server ends it.
  std::int32_t OpenStream(std::string_view path, OnMessage on_message, UnaryDone done = nullptr);
  void Send(std::int32_t stream, std::string_view message);
  // Resets the stream; its callback is not called again.
  void Cancel(std::int32_t stream);

  // Writes what is queued; called by the loop after each round of events.
  void Flush();
  void OnReadable();

 private:
  friend struct Callbacks;
  Connection(Loop& loop, std::string authority, int fd);
  struct Stream {
    std::string out;  // framed bytes to send
    std::size_t sent = 0;
    bool half_close = false;  // unary: the request ends after `out`
    std::string in;           // bytes received, from the start of an unfinished message
    Trailer trailer;
    UnaryDone done;
    OnMessage on_message;
  };

  void Break(const char* what);
  std::int32_t Submit(std::string_view path, std::unique_ptr<Stream> stream);
  void Consume(Stream& stream);

  Loop& loop_;
  std::string authority_;
  int fd_ = -1;
  bool want_write_ = false;
  bool broken_ = false;
  std::function<void()> on_broken_;
  std::string unsent_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
};

}  // namespace etcd::bench
