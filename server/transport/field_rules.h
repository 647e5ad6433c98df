#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace etcd::transport {

// Which header lists of requests are malformed (RFC 9113, 8.1 to 8.3), for one list at a time.
// nghttp2 has the same rules but for one: it refuses an :authority with a scheme in it, which Go's
// servers take and etcdctl sends to endpoints that are given as URLs.
class FieldRules {
 public:
  enum class Verdict : std::uint8_t { kTake, kIgnore, kMalformed };

  // The list that follows is the head of a request or its trailers.
  void Begin(bool is_head);
  Verdict Check(std::string_view name, std::string_view value);
  // After the last field; `end_stream`: nothing follows the list.
  bool IsComplete(bool end_stream) const;
  std::optional<std::uint64_t> content_length() const { return content_length_; }

 private:
  Verdict CheckPseudo(std::string_view name, std::string_view value);
  Verdict CheckRegular(std::string_view name, std::string_view value);
  Verdict TakeLength(std::string_view value);

  bool is_head_ = true;
  bool regular_seen_ = false;  // pseudo fields come first
  unsigned seen_ = 0;          // bits of the pseudo fields
  std::optional<std::uint64_t> content_length_;
};

}  // namespace etcd::transport
