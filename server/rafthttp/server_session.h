#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/rafthttp/connection.h"
#include "server/rafthttp/http.h"
#include "server/rafthttp/peer_head.h"
#include "server/rafthttp/server.h"

namespace etcd::rafthttp {

// One accepted connection, request after request, until it becomes a stream or a snapshot transfer
// (then it belongs to a peer or a thread). Loop thread only.
class ServerSession final : public Connection::Handler,
                            public std::enable_shared_from_this<ServerSession>,
                            private BodySink {
 public:
  ServerSession(Server& server, ConnectionPtr connection);
  ~ServerSession() override;

  void Start();
  void Close();
  // No request is being answered: the session may be closed to make room.
  bool half_open() const { return !answering_; }

  void OnBytes(std::string_view bytes) override;
  void OnClosed(const absl::Status& why) override;

  // Of the request number `request`, by its responder; ignored when it is over.
  void BeginAnswer(std::uint64_t request, int status, Headers headers,
                   std::optional<std::uint64_t> length);
  void WriteAnswer(std::uint64_t request, base::Rope bytes);
  void EndAnswer(std::uint64_t request);
  void OnGone(std::uint64_t request, std::function<void()> gone);

 private:
  enum class Route : std::uint8_t { kStream, kPipeline, kSnapshot, kProbing, kOther, kRefused };

  absl::Status OnBody(std::string_view bytes) override;
  void Parse(std::string_view& bytes);
  void NewRequest();
  void OnHead();
  Route Choose();
  Route CheckRaftPost(Route route);
  Route Refuse(Answer answer);
  void OnRequest();
  void OnBrokenRequest(const absl::Status& why);

  bool CheckCompatibility(const PeerHead& head);
  void AddRemote(const PeerHead& head);
  PeerHead Head() const;
  std::string Sender(const PeerHead& head) const;
  void AnswerStream();
  std::optional<Answer> CheckStream(const PeerHead& head, const StreamPath& path);
  Answer TakeMessage();
  void HandOverSnapshot(std::string_view rest);
  void StartOther();

  void Reply(Answer answer);
  void RequestDone(bool keep_alive);
  void ReleaseBody();
  void LogRefused(std::string_view message, std::string_view cause);
  bool Is(std::uint64_t request) const { return answering_ && request == request_; }

  Server& server_;
  ConnectionPtr connection_;  // null: handed over
  net::Timer deadline_;       // of the head, then of the whole request
  std::unique_ptr<RequestParser> parser_;
  std::string input_;  // not parsed yet
  Route route_ = Route::kOther;
  std::string method_;
  std::string path_;
  std::size_t body_limit_ = 0;
  std::string body_;
  std::size_t discarded_ = 0;
  std::optional<Answer> refusal_;  // given once the body is in
  std::uint64_t request_ = 0;
  bool answering_ = false;  // a whole request is with its handler
  bool chunked_ = false;    // the answer
  bool keep_alive_ = false;
  bool closing_ = false;  // after what was written; nothing more is parsed
  std::function<void()> on_gone_;
};

}  // namespace etcd::rafthttp
