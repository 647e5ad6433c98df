#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/rafthttp/connection.h"
#include "server/rafthttp/dialer.h"
#include "server/rafthttp/http.h"
#include "server/rafthttp/link.h"
#include "server/rafthttp/stream_codec.h"

namespace etcd::rafthttp {

// The receiving side of one stream: dials the peer, asks for the stream, reads it, and does so
// again when it breaks, at first soon, then slower. Loop thread only.
class StreamReader final : public Connection::Handler, private BodySink {
 public:
  StreamReader(Link& link, StreamKind kind);
  ~StreamReader() override { Close(); }

  void Start() { DialNow(); }
  void Close();
  // Dials at once, if it was waiting: the peer has shown that it is there.
  void Hurry();

  void OnBytes(std::string_view bytes) override;
  void OnClosed(const absl::Status& why) override;

 private:
  absl::Status OnBody(std::string_view bytes) override;
  void DialNow();
  void OnConnected(ConnectionPtr connection);
  absl::Status Parse(std::string_view& bytes);
  absl::Status OnHead();
  absl::Status CheckVersion() const;
  void OnRefused();
  void OnCompatibilityRefused(std::string_view text);
  // Back to waiting. `action`: "dial" or "read", as in etcd's logs.
  void Failed(std::string_view action, const absl::Status& why);
  void Reset();

  Link& link_;
  const StreamKind kind_;
  net::Timer redial_;
  std::chrono::nanoseconds backoff_;
  std::optional<config::Url> url_;  // being used
  std::shared_ptr<Dial> dial_;
  ConnectionPtr connection_;
  std::optional<ResponseParser> parser_;
  std::string input_;  // not parsed yet
  StringSink refusal_{4096};
  std::unique_ptr<FrameDecoder> decoder_;  // set: the stream is established
  std::vector<raft::Message> received_;    // of the read under way
  bool stopped_ = false;                   // for good
};

}  // namespace etcd::rafthttp
