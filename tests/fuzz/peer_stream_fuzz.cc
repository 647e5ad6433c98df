#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/check.h"
#include "server/rafthttp/stream_codec.h"
#include "tests/fuzz/target.h"

// Both streams of a hostile peer: the first byte chooses the framing and how the rest is cut.
namespace etcd::fuzz {
namespace {

constexpr std::size_t kMessageBytesMax = 4096;

raft::Message App(std::uint64_t after, std::uint64_t term, std::vector<std::string> payloads) {
  raft::Message message;
  message.type = raft::MessageType::kApp;
  message.to = MemberId(1);
  message.from = MemberId(2);
  message.term = message.log_term = Term(term);
  message.index = message.commit = Index(after);
  for (std::string& payload : payloads) {
    message.entries.push_back(
        {Term(term), Index(++after), raft::EntryType::kNormal, std::move(payload)});
  }
  return message;
}

template <typename Encoder>
std::string Stream(char first) {
  Encoder encoder;
  rafthttp::FrameBuffer out;
  encoder.AppendHeartbeat(out);
  encoder.Append(App(3, 2, {"a", ""}), out);
  encoder.Append(App(5, 2, {std::string(300, 'b')}), out);
  encoder.Append(App(6, 2, {}), out);
  encoder.AppendHeartbeat(out);
  encoder.Append(App(9, 3, {"c"}), out);
  return first + out.Take().Flatten();
}

// Fed in pieces of `step` bytes; the messages until the first error.
std::vector<raft::Message> Feed(bool msgapp, std::string_view bytes, std::size_t step) {
  rafthttp::MsgAppDecoder msgapp_decoder(MemberId(1), MemberId(2), kMessageBytesMax);
  rafthttp::MessageDecoder message_decoder(kMessageBytesMax);
  rafthttp::FrameDecoder& decoder = msgapp ? static_cast<rafthttp::FrameDecoder&>(msgapp_decoder)
                                           : static_cast<rafthttp::FrameDecoder&>(message_decoder);
  std::vector<raft::Message> messages;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (!decoder.Feed(bytes.substr(at, step), messages).ok()) break;
    CHECK(decoder.held_bytes() <= kMessageBytesMax) << decoder.held_bytes();
  }
  return messages;
}

}  // namespace

std::vector<std::string> Seeds() {
  return {Stream<rafthttp::MsgAppEncoder>('\x01'), Stream<rafthttp::MsgAppEncoder>('\x13'),
          Stream<rafthttp::MessageEncoder>('\x02'), Stream<rafthttp::MessageEncoder>('\x20')};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool msgapp = (data[0] & 1) != 0;
  const auto whole = etcd::fuzz::Feed(msgapp, bytes, std::max<std::size_t>(bytes.size(), 1));
  const auto cut = etcd::fuzz::Feed(msgapp, bytes, 1 + (data[0] >> 1));
  CHECK(whole == cut) << "what comes out depends on how it was cut";
  for (const etcd::raft::Message& message : whole) {
    for (const etcd::raft::Entry& entry : message.entries) {
      CHECK(entry.type <= etcd::raft::EntryType::kConfChangeV2) << "an entry of unknown type";
    }
  }
  return 0;
}
