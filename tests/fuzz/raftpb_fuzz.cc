#include <string>
#include <string_view>
#include <vector>

#include "server/base/check.h"
#include "server/raftcodec/raftpb.h"
#include "tests/fuzz/target.h"

// raftpb messages from a hostile peer.
namespace etcd::fuzz {

std::vector<std::string> Seeds() {
  raft::Message append;
  append.type = raft::MessageType::kApp;
  append.to = MemberId(UINT64_MAX - 1);
  append.term = Term(300);
  append.entries.push_back({Term(1), Index(2), raft::EntryType::kConfChange, "context"});
  append.entries.push_back({Term(1), Index(3), raft::EntryType::kNormal, {}});
  append.context = "context";
  raft::Message snap = append;
  snap.type = raft::MessageType::kSnap;
  snap.snapshot.data = "{}";
  snap.snapshot.metadata.conf_state.voters = {MemberId(1), MemberId(2)};
  return {raftcodec::Encode(append), raftcodec::Encode(snap)};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace raftcodec = etcd::raftcodec;
  const auto message = raftcodec::DecodeMessage({reinterpret_cast<const char*>(data), size});
  if (!message.ok()) return 0;
  std::string encoded = raftcodec::Encode(*message);
  CHECK(encoded.size() == raftcodec::EncodedSize(*message)) << encoded.size();
  auto again = raftcodec::DecodeMessage(encoded);
  CHECK_OK(again.status());
  // A snapshot is written in a kSnap only.
  if (message->type != etcd::raft::MessageType::kSnap) again->snapshot = message->snapshot;
  CHECK(*again == *message) << "changed by a round trip";
  return 0;
}
