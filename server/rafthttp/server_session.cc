#include "server/rafthttp/server_session.h"

#include <chrono>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/rafthttp/responder.h"

namespace etcd::rafthttp {
namespace {

// Of a whole request, as Go's ReadTimeout of the peer port.
constexpr std::chrono::minutes kRequestTimeout(5);
// Requests ahead of their turn; above it nothing is read.
constexpr std::size_t kAheadMax = 64 << 10;
// Of a body that will not be looked at: read so that its sender hears why.
constexpr std::size_t kDiscardMax = 1 << 20;
// An answer that is not read.
constexpr std::size_t kUnreadMax = 64 << 20;

}  // namespace

ServerSession::ServerSession(Server& server, ConnectionPtr connection)
    : server_(server),
      connection_(std::move(connection)),
      deadline_(server.loop().timers(), [this] {
        const auto self = shared_from_this();
        Close();
        server_.Remove(this);
      }) {}

ServerSession::~ServerSession() { Close(); }

void ServerSession::Start() {
  connection_->SetHandler(this);
  connection_->SetReadTimeout(server_.options().read_timeout);
  deadline_.Arm(server_.loop().now() + server_.options().head_timeout);
  connection_->Start();
}

void ServerSession::Close() {
  deadline_.Disarm();
  ReleaseBody();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
  answering_ = false;
  if (on_gone_) std::exchange(on_gone_, nullptr)();
}

void ServerSession::OnClosed(const absl::Status& /*why*/) {
  const auto self = shared_from_this();
  Close();
  server_.Remove(this);
}

void ServerSession::OnBytes(std::string_view bytes) {
  const auto self = shared_from_this();
  const bool held = !input_.empty();
  if (held) {
    input_.append(bytes);
    bytes = input_;
  }
  const std::size_t size = bytes.size();
  Parse(bytes);
  if (connection_ == nullptr) return;
  held ? input_.erase(0, size - bytes.size()) : input_.assign(bytes);
  if (answering_ && input_.size() > kAheadMax) connection_->SetReading(false);
}

void ServerSession::Parse(std::string_view& bytes) {
  while (!answering_ && !closing_ && connection_ != nullptr && !bytes.empty()) {
    if (parser_ == nullptr) NewRequest();
    const bool had_head = parser_->head_done();
    const std::size_t before = bytes.size();
    if (const absl::Status status = parser_->Put(bytes); !status.ok()) {
      return OnBrokenRequest(status);
    }
    if (!had_head && parser_->head_done()) {
      OnHead();
      if (connection_ == nullptr) return;
      if (route_ == Route::kSnapshot) return HandOverSnapshot(std::exchange(bytes, {}));
    }
    if (parser_ != nullptr && parser_->done()) OnRequest();
    if (bytes.size() == before) return;
  }
}

void ServerSession::NewRequest() {
  parser_ = std::make_unique<RequestParser>(server_.options().head_bytes_max);
  ++request_;
  deadline_.Arm(server_.loop().now() + server_.options().head_timeout);
  refusal_.reset();
  discarded_ = 0;
}

void ServerSession::OnHead() {
  deadline_.Arm(server_.loop().now() + kRequestTimeout);
  method_ = ToStd(parser_->head().method_string());
  path_ = ToStd(parser_->head().target());
  path_.resize(std::min(path_.size(), path_.find('?')));
  route_ = Choose();
  if (connection_ == nullptr) return;
  parser_->SetSink(this);
  if (!parser_->done() && parser_->Header("Expect") == "100-continue" && !refusal_) {
    connection_->Write(base::Rope("HTTP/1.1 100 Continue\r\n\r\n"));
  }
}

ServerSession::Route ServerSession::Choose() {
  if (path_ == "/raft") return CheckRaftPost(Route::kPipeline);
  if (path_ == "/raft/snapshot") return CheckRaftPost(Route::kSnapshot);
  if (path_ == "/raft/probing") return Route::kProbing;
  if (path_.starts_with("/raft/stream/")) {
    return method_ == "GET" ? Route::kStream : Refuse(MethodNotAllowed("GET"));
  }
  if (path_.starts_with("/raft/") || server_.other() == nullptr) {
    return Refuse(ErrorAnswer(404, "404 page not found"));
  }
  body_limit_ = server_.options().body_bytes_max;
  return Route::kOther;
}

ServerSession::Route ServerSession::CheckRaftPost(Route route) {
  if (method_ != "POST") return Refuse(MethodNotAllowed("POST"));
  const PeerHead head = Head();
  if (!CheckCompatibility(head)) return Route::kRefused;
  AddRemote(head);
  if (connection_ == nullptr) return Route::kRefused;
  body_limit_ = server_.options().message_bytes_max;
  if (route == Route::kSnapshot && server_.snapshots().full()) {
    return Refuse(ErrorAnswer(500, "failed to process raft message (too many snapshots at once)"));
  }
  return route;
}

ServerSession::Route ServerSession::Refuse(Answer answer) {
  refusal_ = std::move(answer);
  return Route::kRefused;
}

absl::Status ServerSession::OnBody(std::string_view bytes) {
  if (route_ == Route::kRefused || route_ == Route::kStream || route_ == Route::kProbing) {
    discarded_ += bytes.size();
    if (discarded_ <= kDiscardMax) return absl::OkStatus();
    return base::MakeStatus(absl::StatusCode::kResourceExhausted, "request body too large");
  }
  if (body_.size() + bytes.size() > body_limit_) {
    return base::MakeStatus(absl::StatusCode::kResourceExhausted, "request body too large");
  }
  if (!server_.TakeBodyBytes(bytes.size())) {
    return base::MakeStatus(absl::StatusCode::kUnavailable, "too many bodies at once");
  }
  body_.append(bytes);
  return absl::OkStatus();
}

void ServerSession::OnBrokenRequest(const absl::Status& why) {
  Answer answer;
  if (refusal_) {
    answer = *std::move(refusal_);
  } else if (why.code() == absl::StatusCode::kOutOfRange) {
    answer = ErrorAnswer(431, "431 Request Header Fields Too Large");
  } else if (why.code() == absl::StatusCode::kUnavailable) {
    answer = ErrorAnswer(503, base::MessageOf(why));
  } else if (why.code() == absl::StatusCode::kResourceExhausted && route_ == Route::kPipeline) {
    answer = ErrorAnswer(400, "error reading raft message");
  } else if (why.code() == absl::StatusCode::kResourceExhausted) {
    answer = ErrorAnswer(413, base::MessageOf(why));
  } else {
    answer = ErrorAnswer(400, "400 Bad Request");
  }
  answer.close = true;
  answering_ = true;
  Reply(std::move(answer));
}

// The request is whole.
void ServerSession::OnRequest() {
  deadline_.Disarm();
  connection_->SetReadTimeout(std::nullopt);
  answering_ = true;
  switch (route_) {
    case Route::kStream:
      return AnswerStream();
    case Route::kPipeline:
      return Reply(TakeMessage());
    case Route::kProbing:
      return Reply({.status = 200,
                    .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                    .body = ProbeAnswer(std::chrono::system_clock::now())});
    case Route::kOther:
      return StartOther();
    default:
      return Reply(*std::exchange(refusal_, std::nullopt));
  }
}

void ServerSession::StartOther() {
  base::HttpRequest request;
  request.method = method_;
  request.target = ToStd(parser_->head().target());
  request.path = path_;
  if (request.target.size() > path_.size()) request.query = request.target.substr(path_.size() + 1);
  request.headers = parser_->LowerCaseHeaders();
  request.body = body_;
  request.peer = connection_->peer();
  server_.other()->Start(
      std::move(request),
      std::make_shared<Responder>(server_.loop().mailbox(), weak_from_this(), request_));
}

void ServerSession::Reply(Answer answer) {
  keep_alive_ = parser_ != nullptr && parser_->done() && parser_->keep_alive() && !answer.close;
  connection_->Write(base::Rope(method_ == "HEAD" ? ResponseHead(answer.status, answer.headers,
                                                                 answer.body.size(), keep_alive_)
                                                  : ToText(answer, keep_alive_)));
  RequestDone(keep_alive_);
}

void ServerSession::BeginAnswer(std::uint64_t request, int status, Headers headers,
                                std::optional<std::uint64_t> length) {
  if (!Is(request)) return;
  keep_alive_ = parser_->keep_alive() && (length.has_value() || parser_->head().version() >= 11);
  chunked_ = !length.has_value();
  connection_->Write(base::Rope(ResponseHead(status, headers, length, keep_alive_)));
}

void ServerSession::WriteAnswer(std::uint64_t request, base::Rope bytes) {
  if (!Is(request) || bytes.empty() || method_ == "HEAD") return;
  if (connection_->pending_bytes() + bytes.size() > kUnreadMax) {
    const auto self = shared_from_this();
    Close();
    return server_.Remove(this);
  }
  if (chunked_) connection_->Write(base::Rope(ChunkHead(bytes.size())));
  connection_->Write(std::move(bytes));
  if (chunked_) connection_->Write(base::Rope("\r\n"));
}

void ServerSession::EndAnswer(std::uint64_t request) {
  if (!Is(request)) return;
  if (chunked_) connection_->Write(base::Rope("0\r\n\r\n"));
  chunked_ = false;
  RequestDone(keep_alive_);
  // What came meanwhile.
  const auto self = shared_from_this();
  if (connection_ != nullptr && !input_.empty()) OnBytes({});
}

void ServerSession::OnGone(std::uint64_t request, std::function<void()> gone) {
  if (!Is(request)) return gone();
  on_gone_ = std::move(gone);
}

void ServerSession::RequestDone(bool keep_alive) {
  ReleaseBody();
  parser_ = nullptr;
  answering_ = false;
  if (on_gone_) std::exchange(on_gone_, nullptr)();
  if (!keep_alive) {
    closing_ = true;
    return connection_->CloseAfterWrite();
  }
  connection_->SetReading(true);
  connection_->SetReadTimeout(server_.options().read_timeout);  // idle
}

void ServerSession::ReleaseBody() {
  server_.ReturnBodyBytes(body_.size());
  body_ = std::string();
}

}  // namespace etcd::rafthttp
