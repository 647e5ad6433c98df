#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

// A plain TCP client for tests: bytes out, bytes in, each with a deadline.
namespace etcd::transport {

class RawClient {
 public:
  static constexpr std::chrono::seconds kPatience{10};

  explicit RawClient(std::uint16_t port);
  explicit RawClient(const std::string& unix_path);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False when the server has cut the connection.
  bool Send(std::string_view bytes);
  // Sends what fits without waiting; returns how much.
  std::size_t SendSome(std::string_view bytes);
  // Reads until the text has come, the server closed or the patience is over; all that came.
  std::string ReadUntil(std::string_view text);
  // What comes until the server closes. Sets `closed` when it did.
  std::string ReadToEnd();
  // One read; "" at the end, on an error or when nothing came in time.
  std::string ReadSome(std::chrono::milliseconds wait);
  bool closed() const { return closed_; }
  void ShutdownWrite();
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  bool closed_ = false;
  std::string received_;
};

// Bytes of HTTP/2 frames.
std::string H2Frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream_id,
                    std::string_view payload);
inline constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
std::string H2Start();  // preface and empty SETTINGS
// A literal HPACK field without indexing; name and value shorter than 127 bytes.
std::string HpackField(std::string_view name, std::string_view value);
// The header block of a gRPC request.
std::string GrpcHeaderBlock(std::string_view path);
std::string GrpcMessage(std::string_view body, char flag = 0);

}  // namespace etcd::transport
