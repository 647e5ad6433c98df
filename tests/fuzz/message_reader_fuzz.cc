#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/check.h"
#include "server/base/gzip.h"
#include "server/transport/grpc_codec.h"
#include "server/transport/message_reader.h"
#include "tests/fuzz/target.h"

// gRPC frames of hostile clients. First byte: how the rest is cut into pieces. However it is cut,
// the same messages and the same status must come out.
namespace etcd::fuzz {

std::vector<std::string> Seeds() {
  const std::string packed = base::Gzip("compressed text");
  return {std::string("\x03\0\0\0\0\5hello\0\0\0\0\0\0\0\0\0\1x", 18),
          std::string("\x07\1\0\0\0", 5) + static_cast<char>(packed.size()) + packed,
          std::string("\x01\0\0\1\0\0", 6),
          std::string("\x05\2\0\0\0\1a", 7),
          "\x02"
          "3S",
          "\x02YQ=="};
}

namespace {

constexpr std::size_t kMessageBytesMax = 1000;

std::pair<std::vector<std::string>, absl::StatusCode> Read(std::string_view bytes,
                                                           std::size_t step) {
  transport::MessageReader reader(kMessageBytesMax);
  reader.AcceptGzip();
  std::vector<std::string> messages;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const absl::Status status = reader.Feed(bytes.substr(at, step), [&](std::string_view message) {
      CHECK(message.size() <= kMessageBytesMax) << message.size();
      messages.emplace_back(message);
      return true;
    });
    if (!status.ok()) return {messages, status.code()};
    CHECK(reader.held_bytes() <= kMessageBytesMax + 5) << reader.held_bytes();
  }
  return {messages, absl::StatusCode::kOk};
}

}  // namespace
}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace transport = etcd::transport;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = etcd::fuzz::Read(bytes, std::max<std::size_t>(bytes.size(), 1));
  const auto pieces = etcd::fuzz::Read(bytes, std::size_t{1} + data[0]);
  CHECK(whole == pieces) << "differs when cut every " << 1 + data[0];
  // The small text forms, on the same bytes.
  const auto decoded = transport::DecodeBase64(bytes);
  if (decoded)
    CHECK(transport::DecodeBase64(transport::EncodeBase64(*decoded)) == decoded) << "base64";
  const auto timeout = transport::ParseTimeout(bytes);
  CHECK(!timeout || timeout->count() >= 0) << "timeout";
  CHECK(transport::IsPrintableAscii(transport::PercentEncode(bytes))) << "percent";
  return 0;
}
