#include "server/transport/h2_http.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/ascii.h"
#include "server/transport/h2_session.h"
#include "server/transport/http_exchange.h"

namespace etcd::transport {
namespace {

constexpr std::uint32_t kHttp2Cancel = 8;  // RFC 9113, 7

// Headers of a connection have no place in HTTP/2 (RFC 9113, 8.2.2).
bool IsConnectionHeader(std::string_view lower) {
  return lower == "connection" || lower == "transfer-encoding" || lower == "keep-alive" ||
         lower == "upgrade" || lower == "proxy-connection";
}

class HttpStream final : public H2Stream,
                         public HttpAnswerWriter,
                         public std::enable_shared_from_this<HttpStream> {
 public:
  using H2Stream::H2Stream;

  void Begin(RequestHead& head) {
    request_.method = head.method;
    request_.target = head.path;
    const std::size_t question = request_.target.find('?');
    request_.path = request_.target.substr(0, question);
    if (question != std::string::npos) request_.query = request_.target.substr(question + 1);
    request_.headers.emplace_back("host", head.authority);
    if (!head.content_type.empty())
      request_.headers.emplace_back("content-type", head.content_type);
    if (head.has_grpc_timeout) request_.headers.emplace_back("grpc-timeout", head.grpc_timeout);
    for (auto& field : head.fields) request_.headers.push_back(std::move(field));
    request_.peer = session()->connection().peer();
    head_request_ = request_.method == "HEAD";
    if (!session()->context().http->Streams(request_)) return;
    StartExchange();
    reader_ = session()->context().http->StartStreaming(std::move(request_), exchange_);
    streamed_ = true;
  }

  // H2Stream
  void OnData(std::string_view bytes) override {
    if (reader_ != nullptr) reader_->OnBody(bytes);
    if (streamed_ || head_written_) return;
    const std::size_t held = request_.body.size();
    const bool fits = held + bytes.size() <= session()->context().options.http_body_bytes_max;
    if (!fits || !session()->HoldRequestBytes(held, held + bytes.size())) {
      session()->HoldRequestBytes(held, 0);
      request_.body.clear();
      WriteHead(413, {}, 0);
      WriteEnd();
      return;
    }
    request_.body.append(bytes);
  }

  void OnEndStream() override {
    if (reader_ != nullptr) reader_->OnBodyEnd();
    if (streamed_ || head_written_) return;
    session()->HoldRequestBytes(request_.body.size(), 0);
    StartExchange();
    session()->context().http->Start(std::move(request_), exchange_);
    request_.body.clear();
  }

  // HttpAnswerWriter
  void WriteHead(int status, HttpHeaders headers, std::optional<std::uint64_t> length) override {
    head_written_ = true;
    for (auto& [name, value] : headers) name = base::AsciiLower(name);
    const std::string status_text = std::to_string(status);
    const std::string length_text = length ? std::to_string(*length) : std::string();
    std::vector<HeaderView> views{{":status", status_text}};
    for (const auto& [name, value] : headers) {
      if (!IsConnectionHeader(name)) views.push_back({name, value});
    }
    if (length) views.push_back({"content-length", length_text});
    const bool with_body = !head_request_ && length != std::uint64_t{0};
    session()->SubmitHeaders(*this, views, with_body);
  }

  void WriteBody(base::Rope bytes) override {
    if (head_request_) {
      exchange_->Sent(bytes.size());
      return;
    }
    counted_bytes_ += bytes.size();
    queue().PushBytes(std::move(bytes));
    Resume();
  }

  void WriteEnd() override {
    EndQueue({});
    Resume();
  }

  void Abandon() override { session()->Reset(*this, kHttp2Cancel); }

 private:
  void OnProgress() override {
    if (exchange_ != nullptr) exchange_->Sent(counted_bytes_ - queue().ready_bytes());
    counted_bytes_ = queue().ready_bytes();
  }

  void OnClosed() override {
    session()->HoldRequestBytes(request_.body.size(), 0);
    reader_.reset();
    if (exchange_ != nullptr) exchange_->Gone();
  }

  void StartExchange() {
    exchange_ = std::make_shared<HttpExchange>(session()->loop().mailbox(), *this,
                                               session()->context().options.http_pending_bytes_max);
  }

  base::HttpRequest request_;
  std::shared_ptr<HttpExchange> exchange_;
  std::shared_ptr<base::HttpBodyReader> reader_;  // of a body that is taken as it comes
  bool streamed_ = false;
  std::size_t counted_bytes_ = 0;
  bool head_written_ = false;
  bool head_request_ = false;
};

}  // namespace

void OpenHttpStream(H2Session& session, std::int32_t stream_id, RequestHead& head,
                    AdoptStream adopt) {
  const auto stream = std::make_shared<HttpStream>(session, stream_id);
  stream->Begin(head);
  adopt(stream);
}

}  // namespace etcd::transport
