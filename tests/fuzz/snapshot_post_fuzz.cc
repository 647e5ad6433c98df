#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/rafthttp/snapshot_body.h"
#include "tests/fuzz/target.h"

// The body of POST /raft/snapshot, after the HTTP framing: the first byte says how it is cut.
namespace etcd::fuzz {
namespace {

constexpr std::size_t kMessageBytesMax = 4096;

class Sink final : public ports::SnapshotSink {
 public:
  explicit Sink(std::string& to) : to_(to) {}
  absl::Status Write(std::span<const char> bytes) override {
    to_.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  std::string& to_;
};

// Status and database, or what was refused.
std::pair<int, std::string> Run(std::string_view bytes, std::size_t step) {
  std::string database;
  rafthttp::SnapshotBody body(
      kMessageBytesMax,
      [&](const raft::Message& message) -> absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> {
        CHECK(message.type == raft::MessageType::kSnap) << "another message opened a database";
        return std::make_unique<Sink>(database);
      });
  bool whole = true;
  for (std::size_t at = 0; at < bytes.size() && whole; at += step) {
    whole = body.OnBody(bytes.substr(at, step)).ok();
  }
  const rafthttp::Answer answer = body.Finish(whole);
  CHECK((answer.status == 204) == !body.refusal()) << answer.status;
  return {answer.status, answer.status == 204 ? database : answer.body};
}

}  // namespace

std::vector<std::string> Seeds() {
  raft::Message message;
  message.type = raft::MessageType::kSnap;
  message.to = MemberId(1);
  message.from = MemberId(2);
  message.snapshot.data = R"({"Root":{}})";
  message.snapshot.metadata.index = Index(7);
  message.snapshot.metadata.conf_state.voters = {MemberId(1), MemberId(2)};
  std::string bytes = "\x03";
  base::AppendBigEndian64(bytes, raftcodec::EncodedSize(message));
  raftcodec::AppendTo(bytes, message);
  return {bytes, bytes + std::string(100, 'd')};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = etcd::fuzz::Run(bytes, std::max<std::size_t>(bytes.size(), 1));
  const auto cut = etcd::fuzz::Run(bytes, 1 + data[0]);
  CHECK(whole == cut) << whole.first << " or " << cut.first;
  return 0;
}
