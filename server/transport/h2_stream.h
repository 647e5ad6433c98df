#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/transport/send_queue.h"

namespace etcd::transport {

class H2Session;

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

// One request of an HTTP/2 connection. Owned by its session; a handler may hold it for longer, then
// session() is null. Loop thread only.
class H2Stream {
 public:
  H2Stream(H2Session& session, std::int32_t id) : session_(&session), id_(id) {}
  virtual ~H2Stream() = default;
  H2Stream(const H2Stream&) = delete;
  H2Stream& operator=(const H2Stream&) = delete;

  virtual void OnData(std::string_view bytes) = 0;
  virtual void OnEndStream() = 0;
  // Reset, answered in full, or the connection is gone.
  void Close();

  std::int32_t id() const { return id_; }
  bool request_ended() const { return request_ended_; }
  void MarkRequestEnded() { request_ended_ = true; }

  // What content-length announced, if it was there. More or less than that is malformed.
  void ExpectBody(std::optional<std::uint64_t> bytes) { body_left_ = bytes; }
  bool CountBody(std::uint64_t bytes) {
    if (!body_left_) return true;
    if (bytes > *body_left_) return false;
    *body_left_ -= bytes;
    return true;
  }
  bool body_is_whole() const { return body_left_.value_or(0) == 0; }

  // For the session's data frames.
  enum class Pull : std::uint8_t { kData, kWait, kEnd, kAbort };
  // How many bytes (at most `bytes_max`) go into the next frame; kEnd: they are the last ones.
  Pull NextFrame(std::size_t bytes_max, std::size_t& bytes);
  void WriteFrame(std::size_t bytes, OutBuffer& out);
  // Trailers that follow the last byte; empty: the last frame ends the stream.
  const HeaderFields& trailers() const { return trailers_; }

 protected:
  virtual void OnClosed() = 0;
  // After bytes have left: PendingBytes shrank.
  virtual void OnProgress() {}

  H2Session* session() const { return session_; }
  SendQueue& queue() { return queue_; }
  // Bytes were pushed, or the end was marked.
  void Resume();
  // Nothing more is pushed after this.
  void EndQueue(HeaderFields trailers);
  bool ended() const { return ended_; }
  // Charges what waits in the queue to the server's response budget.
  void CountAgainstBudget() { budgeted_ = true; }

 private:
  void SettleBudget(std::size_t bytes_now);

  H2Session* session_;  // null after Close
  std::int32_t id_;
  SendQueue queue_;
  HeaderFields trailers_;
  std::optional<std::uint64_t> body_left_;
  std::size_t charged_bytes_ = 0;
  bool budgeted_ = false;
  bool ended_ = false;
  bool waiting_ = false;  // HTTP/2 has asked for bytes when there were none
  bool request_ended_ = false;
};

}  // namespace etcd::transport
