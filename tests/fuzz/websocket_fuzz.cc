#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/gateway/json_splitter.h"
#include "server/api/gateway/websocket_frames.h"
#include "server/base/check.h"
#include "tests/fuzz/target.h"

// Frames of a hostile WebSocket client, and the JSON in them. However the bytes are cut, the
// messages are the same, and no more is held than the bound allows.
namespace etcd::fuzz {
namespace {

using api::gateway::WebSocketDecoder;
using Outcome = WebSocketDecoder::Outcome;

constexpr std::size_t kMessageBytesMax = 200;

std::vector<std::string> Messages(std::string_view input, std::size_t step) {
  WebSocketDecoder decoder(kMessageBytesMax);
  std::vector<std::string> messages;
  while (!input.empty()) {
    decoder.Add(input.substr(0, step));
    input.remove_prefix(std::min(step, input.size()));
    while (true) {
      std::string payload;
      const Outcome outcome = decoder.Next(payload);
      if (outcome == Outcome::kNeedMore) break;
      messages.push_back(std::to_string(static_cast<int>(outcome)) + payload);
      if (outcome == Outcome::kBroken) return messages;
      CHECK(payload.size() <= kMessageBytesMax) << "too long";
    }
  }
  return messages;
}

std::vector<std::string> Values(std::string_view input, std::size_t step) {
  api::gateway::JsonSplitter splitter;
  std::vector<std::string> values;
  while (!input.empty()) {
    splitter.Add(input.substr(0, step));
    input.remove_prefix(std::min(step, input.size()));
    while (auto value = splitter.Next()) values.push_back(*std::move(value));
  }
  values.push_back(splitter.rest());
  return values;
}

std::string Frame(unsigned first, std::string_view payload) {
  std::string out = {
      static_cast<char>(first), static_cast<char>(0x80 | payload.size()), 1, 2, 3, 4};
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(payload[i] ^ out[2 + i % 4]);
  }
  return out;
}

}  // namespace

std::vector<std::string> Seeds() {
  return {
      Frame(0x81, R"({"create_request":{"key":"Zm9v"}} {"cancel_request":{"watch_id":5}})"),
      Frame(0x01, "{\"a\":") + Frame(0x89, "ping") + Frame(0x80, "1}") + Frame(0x88, "\x03\xe8"),
      R"({"a":"\"}","b":[1,{"c":null}]} true 12 "x")"};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace etcd::fuzz;  // NOLINT(google-build-using-namespace)
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  CHECK(Messages(input, 1) == Messages(input, size + 1)) << "cut";
  const std::vector<std::string> values = Values(input, 1);
  CHECK(values == Values(input, size + 1)) << "cut";
  std::string joined;
  for (const std::string& value : values) joined += value;
  CHECK(joined == input) << "lost";
  return 0;
}
