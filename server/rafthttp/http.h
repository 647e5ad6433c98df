#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/beast/http/parser.hpp>

#include "server/rafthttp/peer_head.h"

// HTTP/1.1 heads and bodies around Beast's parser.
namespace etcd::rafthttp {

// Takes body bytes as they are parsed, without a copy.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // An error ends the parsing with it.
  virtual absl::Status OnBody(std::string_view bytes) = 0;
};

// Gathers a body of bounded size.
class StringSink final : public BodySink {
 public:
  explicit StringSink(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  absl::Status OnBody(std::string_view bytes) override;  // kResourceExhausted above the bound
  std::string& body() { return body_; }

 private:
  const std::size_t bytes_max_;
  std::string body_;
};

// Beast's Body concept over a BodySink.
struct SinkBody {
  struct value_type {
    BodySink* sink = nullptr;  // null: the body is thrown away
    absl::Status error;
  };

  class reader {
   public:
    template <bool kIsRequest, class Fields>
    reader(boost::beast::http::header<kIsRequest, Fields>&, value_type& value) : value_(value) {}
    void init(const boost::optional<std::uint64_t>&, boost::system::error_code& error) {
      error = {};
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
      std::size_t taken = 0;
      error = {};
      for (auto it = boost::asio::buffer_sequence_begin(buffers);
           it != boost::asio::buffer_sequence_end(buffers); ++it) {
        const boost::asio::const_buffer buffer = *it;
        if (!Take({static_cast<const char*>(buffer.data()), buffer.size()})) {
          error = boost::beast::http::error::body_limit;
          return taken;
        }
        taken += buffer.size();
      }
      return taken;
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    bool Take(std::string_view bytes) {
      if (value_.sink != nullptr) value_.error = value_.sink->OnBody(bytes);
      return value_.error.ok();
    }
    value_type& value_;
  };
};

// One request or response, from bytes as they come.
template <bool kIsRequest>
class HttpParser {
 public:
  explicit HttpParser(std::size_t head_bytes_max);

  // Takes bytes off the front of `bytes`; what is left has to be given again, with more behind it.
  // Returns after the head, so that its owner can set a sink and go on.
  absl::Status Put(std::string_view& bytes);
  // The connection has ended: OK when that is how the body ends.
  absl::Status PutEnd();

  bool head_done() const { return parser_.is_header_done(); }
  bool done() const { return parser_.is_done(); }
  void SetSink(BodySink* sink) { parser_.get().body().sink = sink; }

  // Once the head is done.
  const boost::beast::http::message<kIsRequest, SinkBody>& head() const { return parser_.get(); }
  std::string_view Header(std::string_view name) const;
  // All of them, with names in lower case.
  Headers LowerCaseHeaders() const;
  std::optional<std::uint64_t> content_length() const;
  bool keep_alive() const { return parser_.get().keep_alive(); }

 private:
  boost::beast::http::parser<kIsRequest, SinkBody> parser_;
};
using RequestParser = HttpParser<true>;
using ResponseParser = HttpParser<false>;

inline std::string_view ToStd(boost::beast::string_view text) { return {text.data(), text.size()}; }

// "GET /raft/probing HTTP/1.1" and so on, up to the empty line. `length` of the body, if it is
// known.
std::string RequestHead(std::string_view method, std::string_view host, std::string_view target,
                        const Headers& headers, std::optional<std::uint64_t> length);
// `length`: nullopt: chunked, with no end in sight.
std::string ResponseHead(int status, const Headers& headers, std::optional<std::uint64_t> length,
                         bool keep_alive);
// Head and body.
std::string ToText(const Answer& answer, bool keep_alive);

// "1f4\r\n": what precedes a chunk; "\r\n" follows it.
std::string ChunkHead(std::size_t bytes);

}  // namespace etcd::rafthttp
