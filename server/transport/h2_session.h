#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "server/net/timer_queue.h"
#include "server/transport/connection.h"
#include "server/transport/field_rules.h"
#include "server/transport/frame_scanner.h"
#include "server/transport/h2_stream.h"
#include "server/transport/ping_policy.h"
#include "server/transport/protocol.h"
#include "server/transport/request_head.h"

struct nghttp2_session;

namespace etcd::transport {

// A header to send. `constant`: both views live for ever, so that they need not be copied.
struct HeaderView {
  std::string_view name;
  std::string_view value;
  bool constant = false;
};

// The last few closed streams.
class RecentStreams {
 public:
  void Add(std::int32_t id) { ids_[next_++ % ids_.size()] = id; }
  bool Contains(std::int32_t id) const {
    return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  }

 private:
  std::array<std::int32_t, 32> ids_{};
  std::size_t next_ = 0;
};

// HTTP/2 on one connection, by nghttp2: frames, HPACK, flow control and the order in which streams
// send are its work; ours are limits, keepalive and the calls. Loop thread only.
class H2Session final : public Protocol {
 public:
  explicit H2Session(Connection& connection);
  ~H2Session() override;
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // Protocol
  bool OnBytes(std::string_view bytes) override;
  bool OnEnd() override { return false; }
  void Fill(OutBuffer& out, std::size_t bytes_hint) override;
  bool Finished() const override;
  bool Overloaded() const override;
  void Drain() override;
  void OnClosed() override;

  // For streams. All are safe inside callbacks of nghttp2.
  void SubmitHeaders(H2Stream& stream, std::span<const HeaderView> headers, bool with_body);
  void Reset(H2Stream& stream, std::uint32_t error_code);
  void ResumeData(H2Stream& stream);
  void WantFlush() { connection_.WantFlush(); }
  // False: incomplete requests hold too many bytes already.
  bool HoldRequestBytes(std::size_t before, std::size_t now);

  Connection& connection() { return connection_; }
  ServerContext& context() { return connection_.context(); }
  ClientLoop& loop() { return connection_.loop(); }

 private:
  friend struct H2Callbacks;
  void Configure();
  void OnRequestHead(std::int32_t stream_id, bool end_stream);
  std::shared_ptr<H2Stream> Open(std::int32_t stream_id);
  // The request is malformed: its stream is reset, and no more of it reaches a handler.
  void Refuse(std::int32_t stream_id);
  void OnPing(bool ack);
  void OnKeepalive();
  void SayGoodbye(std::int32_t last_stream_id);
  void OnDrainTimer();

  Connection& connection_;
  nghttp2_session* session_ = nullptr;
  absl::flat_hash_map<std::int32_t, std::shared_ptr<H2Stream>> streams_;
  FrameScanner scanner_;
  std::int32_t last_stream_id_ = 0;  // highest that the client opened
  std::int32_t reset_by_peer_ = 0;   // the last one
  RecentStreams ended_by_peer_;      // by END_STREAM or RST_STREAM: nothing may follow
  RecentStreams ended_by_us_;        // frames may still be on their way
  RequestHead head_;                 // of the request being received
  FieldRules rules_;                 // of the header list being received
  bool head_open_ = false;           // its block is not complete
  std::size_t held_request_bytes_ = 0;
  OutBuffer* filling_ = nullptr;  // during Fill
  std::size_t fill_bytes_max_ = 0;
  PingPolicy ping_policy_;
  net::Timer head_timer_;
  net::Timer keepalive_timer_;
  net::Timer drain_timer_;
  net::Loop::Time last_read_;
  net::Loop::Time ping_sent_;  // of the ping under way
  bool ping_under_way_ = false;
  bool expelled_ = false;  // GOAWAY for bad behaviour was submitted
  bool draining_ = false;
  bool drained_ = false;  // the final GOAWAY was submitted
};

}  // namespace etcd::transport
