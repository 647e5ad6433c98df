#include "server/rafthttp/http.h"

#include <ctime>
#include <limits>
#include <string>

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

#include "server/base/ascii.h"
#include "server/base/ids.h"
#include "server/base/status.h"

namespace etcd::rafthttp {
namespace {

namespace http = boost::beast::http;

std::string_view ReasonOf(int status) {
  return ToStd(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))));
}

// "Tue, 15 Nov 1994 08:12:31 GMT"
std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

void AppendHeaders(const Headers& headers, std::string& out) {
  for (const auto& [name, value] : headers) {
    out.append(name).append(": ").append(value).append("\r\n");
  }
}

absl::Status ToStatus(const boost::system::error_code& error) {
  // The head's limit has an answer of its own (431).
  const auto code = error == http::error::header_limit ? absl::StatusCode::kOutOfRange
                                                       : absl::StatusCode::kInvalidArgument;
  return base::MakeStatus(code, error.message());
}

}  // namespace

absl::Status StringSink::OnBody(std::string_view bytes) {
  if (bytes.size() > bytes_max_ - body_.size()) {
    return base::MakeStatus(absl::StatusCode::kResourceExhausted, "request body too large");
  }
  body_.append(bytes);
  return absl::OkStatus();
}

template <bool kIsRequest>
HttpParser<kIsRequest>::HttpParser(std::size_t head_bytes_max) {
  parser_.header_limit(static_cast<std::uint32_t>(head_bytes_max));
  // Sinks have their own. Not boost::none: Beast 1.74 takes that for less than any length.
  parser_.body_limit(std::numeric_limits<std::uint64_t>::max());
}

template <bool kIsRequest>
absl::Status HttpParser<kIsRequest>::Put(std::string_view& bytes) {
  while (!bytes.empty() && !done()) {
    const bool had_head = head_done();
    parser_.eager(had_head);
    boost::system::error_code error;
    const std::size_t taken = parser_.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(taken);
    if (!parser_.get().body().error.ok()) return parser_.get().body().error;
    if (error == http::error::need_more) return absl::OkStatus();
    if (error) return ToStatus(error);
    if (taken == 0 || had_head != head_done()) return absl::OkStatus();
  }
  return absl::OkStatus();
}

template <bool kIsRequest>
absl::Status HttpParser<kIsRequest>::PutEnd() {
  if (done()) return absl::OkStatus();
  boost::system::error_code error;
  if (head_done() && parser_.need_eof()) parser_.put_eof(error);
  if (done() && !error) return absl::OkStatus();
  return base::MakeStatus(absl::StatusCode::kUnavailable, "unexpected EOF");
}

template <bool kIsRequest>
std::string_view HttpParser<kIsRequest>::Header(std::string_view name) const {
  return ToStd(parser_.get()[boost::beast::string_view(name.data(), name.size())]);
}

template <bool kIsRequest>
Headers HttpParser<kIsRequest>::LowerCaseHeaders() const {
  Headers headers;
  for (const auto& field : head()) {
    headers.emplace_back(base::AsciiLower(ToStd(field.name_string())),
                         std::string(ToStd(field.value())));
  }
  return headers;
}

template <bool kIsRequest>
std::optional<std::uint64_t> HttpParser<kIsRequest>::content_length() const {
  const auto length = parser_.content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

template class HttpParser<true>;
template class HttpParser<false>;

std::string RequestHead(std::string_view method, std::string_view host, std::string_view target,
                        const Headers& headers, std::optional<std::uint64_t> length) {
  std::string head;
  head.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: ").append(host);
  head.append("\r\n");
  AppendHeaders(headers, head);
  if (length) head += "Content-Length: " + std::to_string(*length) + "\r\n";
  return head + "\r\n";
}

std::string ResponseHead(int status, const Headers& headers, std::optional<std::uint64_t> length,
                         bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(ReasonOf(status)).append("\r\n");
  AppendHeaders(headers, head);
  head += "Date: " + HttpDate() + "\r\n";
  if (!length) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (status != 204) {
    head += "Content-Length: " + std::to_string(*length) + "\r\n";
  }
  if (!keep_alive) head += "Connection: close\r\n";
  return head + "\r\n";
}

std::string ToText(const Answer& answer, bool keep_alive) {
  return ResponseHead(answer.status, answer.headers, answer.body.size(), keep_alive) + answer.body;
}

std::string ChunkHead(std::size_t bytes) { return base::FormatHex(bytes) + "\r\n"; }

}  // namespace etcd::rafthttp
