#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/transport/raw_client.h"

struct nghttp2_session;

namespace etcd::transport {

// An HTTP/2 client on nghttp2 that shows every detail of the answers and leaves windows and resets
// to the test. Single-threaded: it moves only in RunUntil.
class H2Client {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Stream {
    std::map<std::string, std::string> headers;   // of the first block
    std::map<std::string, std::string> trailers;  // of the second
    std::string body;
    bool has_headers = false;
    bool closed = false;
    std::uint32_t error_code = 0;  // when closed
    std::string outgoing;          // body still to send
    bool end_outgoing = true;
    // The grpc-status, wherever it came; -1 when there is none.
    int GrpcStatus() const;
    std::string GrpcText() const;  // not decoded
  };
  struct Options {
    std::uint32_t stream_window = 65535;
    bool auto_window = true;  // give back what was received
  };

  explicit H2Client(std::uint16_t port) : H2Client(port, Options{}) {}
  H2Client(std::uint16_t port, Options options);
  ~H2Client();
  H2Client(const H2Client&) = delete;
  H2Client& operator=(const H2Client&) = delete;

  // Opens a gRPC call with a body; half-closes after it unless told not to.
  std::int32_t Call(const std::string& path, const std::string& body, Fields extra = {},
                    bool end = true);
  std::int32_t Request(const Fields& fields, const std::string& body, bool end = true);
  // More body of a stream that was left open.
  void SendBody(std::int32_t id, const std::string& body, bool end);
  void Reset(std::int32_t id, std::uint32_t code);
  void Ping();
  void GiveWindow(std::int32_t id, std::int32_t bytes);

  // Moves bytes until the condition holds; false when the patience is over or the connection ended
  // before it did.
  bool RunUntil(const std::function<bool()>& condition);
  bool Finish(std::int32_t id) {
    return RunUntil([&] { return streams_[id].closed; });
  }
  Stream& stream(std::int32_t id) { return streams_[id]; }
  bool connection_closed() const { return raw_.closed(); }
  bool goaway() const { return goaways_ > 0; }
  int goaways() const { return goaways_; }
  std::uint32_t goaway_code() const { return goaway_code_; }
  const std::string& goaway_text() const { return goaway_text_; }
  int pings_answered() const { return pings_answered_; }
  int pings_received() const { return pings_received_; }

 private:
  friend struct H2ClientCallbacks;
  void Flush();

  RawClient raw_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Stream> streams_;
  int goaways_ = 0;
  std::uint32_t goaway_code_ = 0;
  std::string goaway_text_;
  int pings_answered_ = 0;
  int pings_received_ = 0;
};

}  // namespace etcd::transport
