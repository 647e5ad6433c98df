#include "server/transport/http1_session.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>

#include "server/base/ascii.h"
#include "server/base/status.h"

namespace etcd::transport {
namespace {

namespace http = boost::beast::http;

constexpr std::chrono::seconds kHalfClosedPatience(5);

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::string_view ReasonOf(int status) {
  return View(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))));
}

bool SameName(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() && base::AsciiLower(name) == lower;
}

// "Tue, 15 Nov 1994 08:12:31 GMT", made once a second per thread.
const std::string& HttpDate() {
  thread_local std::time_t made_at = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    made_at = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    char buffer[40];
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &utc));
  }
  return text;
}

// Without the body.
template <typename Message>
base::HttpRequest HeadOf(const Message& message, const std::string& peer) {
  base::HttpRequest request;
  request.method = View(message.method_string());
  request.target = View(message.target());
  const std::size_t question = request.target.find('?');
  request.path = request.target.substr(0, question);
  if (question != std::string::npos) request.query = request.target.substr(question + 1);
  for (const auto& field : message) {
    request.headers.emplace_back(base::AsciiLower(View(field.name_string())), View(field.value()));
  }
  request.peer = peer;
  return request;
}

}  // namespace

// Where body bytes go: to the reader of a request that streams, else they are kept.
struct Http1Session::BodyTarget {
  std::string whole;
  std::shared_ptr<base::HttpBodyReader> reader;
  bool streamed = false;
  std::size_t discarded = 0;  // bytes that came after the answer was complete

  void Add(std::string_view bytes) {
    if (reader != nullptr) {
      reader->OnBody(bytes);
    } else if (streamed) {
      discarded += bytes.size();
    } else {
      whole.append(bytes);
    }
  }
};

// A body type for Beast.
struct Http1Session::StreamedBody {
  using value_type = BodyTarget;

  class reader {
   public:
    template <bool is_request, typename Fields>
    reader(http::header<is_request, Fields>& /*head*/, value_type& target) : target_(target) {}
    void init(const boost::optional<std::uint64_t>& /*length*/, boost::system::error_code& error) {
      error = {};
    }
    template <typename Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
      error = {};
      std::size_t bytes = 0;
      for (auto it = boost::asio::buffer_sequence_begin(buffers);
           it != boost::asio::buffer_sequence_end(buffers); ++it) {
        const boost::asio::const_buffer piece(*it);
        target_.Add({static_cast<const char*>(piece.data()), piece.size()});
        bytes += piece.size();
      }
      return bytes;
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    value_type& target_;
  };
};

struct Http1Session::Parser {
  http::request_parser<StreamedBody> beast;
  base::HttpRequest request;  // once the head is there
  bool has_head = false;
  bool continue_sent = false;
  BodyTarget& body() { return beast.get().body(); }
};

Http1Session::Http1Session(Connection& connection)
    : connection_(connection), timer_(connection.loop().timers(), [this] { OnTimer(); }) {
  // From here on the session's own deadline holds: the whole head of the first request.
  timer_.Arm(connection.loop().now() + connection.context().options.handshake_timeout);
}

Http1Session::~Http1Session() = default;

bool Http1Session::OnBytes(std::string_view bytes) {
  if (closing_ && exchange_ == nullptr) return true;
  if (upgrade_) {
    if (const auto tunnel = tunnel_) tunnel->OnBody(bytes);
    return true;
  }
  input_.append(bytes);
  return Parse();
}

// Takes requests off the input while none is being answered, and the body of the one that is.
bool Http1Session::Parse() {
  in_parse_ = true;
  while (!closing_ && !input_.empty() && (exchange_ == nullptr || parser_ != nullptr)) {
    if (parser_ == nullptr) NewParser();
    if (!ParseStep()) break;
  }
  in_parse_ = false;
  return !(closing_ && parser_ != nullptr);  // a streamed body is broken, or does not end
}

void Http1Session::NewParser() {
  const ServerOptions& limits = connection_.context().options;
  parser_ = std::make_unique<Parser>();
  parser_->beast.header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
  parser_->beast.body_limit(limits.http_body_bytes_max);
  timer_.Arm(connection_.loop().now() + limits.handshake_timeout);
}

bool Http1Session::ParseStep() {
  boost::system::error_code error;
  const std::size_t taken =
      parser_->beast.put(boost::asio::buffer(input_.data(), input_.size()), error);
  input_.erase(0, taken);
  if (error && error != http::error::need_more) {
    OnParseError(error == http::error::header_limit ? 431
                 : error == http::error::body_limit ? 413
                                                    : 400);
    return false;
  }
  if (parser_->beast.is_header_done() && !std::exchange(parser_->has_head, true)) OnHead();
  if (parser_ == nullptr || closing_) return false;
  if (parser_->beast.is_done()) {
    OnRequestEnd();
    return true;
  }
  if (parser_->body().discarded > kDiscardMax) {
    closing_ = true;
    return false;
  }
  if (parser_->has_head && exchange_ == nullptr) ArmIdle();  // while the body comes
  return taken > 0 && error != http::error::need_more;
}

void Http1Session::OnParseError(int status) {
  if (exchange_ != nullptr) {
    closing_ = true;  // the answer has begun, or will
  } else if (status == 431) {
    Refuse(431, "Request Header Fields Too Large");
  } else if (status == 413) {
    Refuse(413, "Request Entity Too Large");
  } else {
    Refuse(400, "Bad Request");
  }
}

void Http1Session::OnHead() {
  connection_.Established();
  timer_.Disarm();
  const auto& message = parser_->beast.get();
  head_request_ = message.method() == http::verb::head;
  version_1_0_ = message.version() < 11;
  keep_alive_ = message.keep_alive();
  head_written_ = chunked_ = bodyless_ = false;
  if (!version_1_0_ && message.find(http::field::host) == message.end()) {
    Refuse(400, "Bad Request: missing required Host header");
    return;
  }
  parser_->request = HeadOf(message, connection_.peer());
  if (!parser_->beast.is_done() && SameName(View(message[http::field::expect]), "100-continue")) {
    queue_.PushBytes(base::Rope("HTTP/1.1 100 Continue\r\n\r\n"));
    connection_.WantFlush();
  }
  if (connection_.context().http->Streams(parser_->request)) StartStreaming();
}

void Http1Session::StartExchange() {
  exchange_ = std::make_shared<HttpExchange>(connection_.loop().mailbox(), *this,
                                             connection_.context().options.http_pending_bytes_max);
}

void Http1Session::StartStreaming() {
  StartExchange();
  // "h2c" is offered by clients that go on without it.
  upgrade_ = parser_->beast.upgrade() &&
             SameName(View(parser_->beast.get()[http::field::upgrade]), "websocket");
  parser_->beast.body_limit(boost::none);
  auto reader = connection_.context().http->StartStreaming(std::move(parser_->request), exchange_);
  if (!upgrade_) {
    parser_->body().streamed = true;
    parser_->body().reader = std::move(reader);
    return;
  }
  parser_.reset();
  tunnel_ = std::move(reader);
  const std::string first = std::exchange(input_, {});
  if (tunnel_ != nullptr && !first.empty()) tunnel_->OnBody(first);
}

void Http1Session::OnRequestEnd() {
  const std::unique_ptr<Parser> done = std::move(parser_);
  if (done->body().streamed) {
    if (done->body().reader != nullptr) done->body().reader->OnBodyEnd();
    return;
  }
  StartExchange();
  done->request.body = std::move(done->body().whole);
  connection_.context().http->Start(std::move(done->request), exchange_);
}

void Http1Session::Refuse(int status, std::string_view text) {
  closing_ = true;
  parser_.reset();
  input_.clear();
  std::string body = std::to_string(status) + " " + std::string(text);
  queue_.PushBytes(base::Rope("HTTP/1.1 " + std::to_string(status) + " " +
                              std::string(ReasonOf(status)) +
                              "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: "
                              "close\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body));
  connection_.WantFlush();
}

void Http1Session::WriteHead(int status, HttpHeaders headers, std::optional<std::uint64_t> length) {
  head_written_ = true;
  const bool upgraded = status == 101 && upgrade_;
  bodyless_ = !upgraded && (status == 204 || status == 304 || status < 200);
  const bool chunked = !length && !version_1_0_ && !bodyless_ && !upgraded;
  if (!length && version_1_0_) keep_alive_ = false;  // the end of the body is the end of all
  if (closing_ || peer_ended_ || (upgrade_ && !upgraded)) keep_alive_ = false;
  std::string reason(ReasonOf(status));
  if (reason == "<unknown-status>") reason = "status code " + std::to_string(status);
  std::string head = "HTTP/1.1 " + std::to_string(status) + " " + reason + "\r\n";
  bool has_date = false;
  for (const auto& [name, value] : headers) {
    has_date = has_date || SameName(name, "date");
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (!has_date) head.append("Date: ").append(HttpDate()).append("\r\n");
  if (length && !bodyless_) head += "Content-Length: " + std::to_string(*length) + "\r\n";
  if (chunked) head += "Transfer-Encoding: chunked\r\n";
  if (!keep_alive_) {
    head += "Connection: close\r\n";
  } else if (version_1_0_) {
    head += "Connection: keep-alive\r\n";
  }
  head += "\r\n";
  chunked_ = chunked && !head_request_;
  if (head_request_) bodyless_ = true;
  queue_.PushBytes(base::Rope(std::move(head)));
  connection_.WantFlush();
}

void Http1Session::WriteBody(base::Rope bytes) {
  if (bodyless_) {
    exchange_->Sent(bytes.size());
    return;
  }
  unsent_body_bytes_ += bytes.size();
  if (chunked_) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string size;
    for (std::size_t left = bytes.size(); left > 0; left >>= 4) size.insert(0, 1, kHex[left & 15]);
    queue_.PushBytes(base::Rope(size + "\r\n"));
    bytes.Append(std::string("\r\n"));
  }
  queue_.PushBytes(std::move(bytes));
  connection_.WantFlush();
}

void Http1Session::WriteEnd() {
  if (chunked_) queue_.PushBytes(base::Rope("0\r\n\r\n"));
  const std::shared_ptr<HttpExchange> done = std::move(exchange_);
  exchange_ = nullptr;
  done->Sent(unsent_body_bytes_);
  unsent_body_bytes_ = 0;
  if (!keep_alive_ || upgrade_) closing_ = true;
  EndReading();
  done->Gone();
  if (!closing_) ArmIdle();
  connection_.WantFlush();
  if (!in_parse_ && !closing_) Parse();
}

void Http1Session::Abandon() { connection_.Close(); }

void Http1Session::Fill(OutBuffer& out, std::size_t bytes_hint) {
  const std::size_t bytes = std::min(queue_.ready_bytes(), bytes_hint);
  queue_.Pop(bytes, out);
  const std::size_t left = queue_.ready_bytes();
  if (exchange_ != nullptr && left < unsent_body_bytes_) {
    const std::size_t sent = unsent_body_bytes_ - left;
    unsent_body_bytes_ = left;
    exchange_->Sent(sent);
  }
}

bool Http1Session::OnEnd() {
  if (exchange_ == nullptr) return false;
  // A client that closes looks just like one that only will not ask any more. An answer that has
  // begun and goes on is a stream whose reader left; a short one is given the time to come.
  if (head_written_) return false;
  peer_ended_ = closing_ = true;
  timer_.Arm(connection_.loop().now() + kHalfClosedPatience);
  return true;
}

void Http1Session::Drain() {
  closing_ = true;
  keep_alive_ = false;
  connection_.WantFlush();
}

void Http1Session::ArmIdle() {
  timer_.Arm(connection_.loop().now() + connection_.context().options.http_idle_timeout);
}

void Http1Session::OnTimer() { connection_.Close(); }

// What still comes of the request goes nowhere.
void Http1Session::EndReading() {
  tunnel_.reset();
  if (parser_ != nullptr) parser_->body().reader.reset();
}

void Http1Session::OnClosed() {
  timer_.Disarm();
  EndReading();
  if (exchange_ == nullptr) return;
  const std::shared_ptr<HttpExchange> gone = std::move(exchange_);
  exchange_ = nullptr;
  gone->Gone();
}

}  // namespace etcd::transport
