#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/crc32c.h"
#include "server/raftcodec/raftpb.h"
#include "server/raftcodec/walpb.h"
#include "tests/fuzz/target.h"

// The .snap reader on hostile bytes. First byte 0: the file as it is; else the rest is its payload
// and gets the right CRC, so that it reaches the decoder.
namespace etcd::fuzz {

std::vector<std::string> Seeds() {
  raft::Snapshot snapshot;
  snapshot.data = R"({"Root":{"Path":"/","Children":{}},"CurrentIndex":1,"CurrentVersion":2})";
  snapshot.metadata.conf_state.voters = {MemberId(1), MemberId(UINT64_MAX)};
  snapshot.metadata.conf_state.learners = {MemberId(3)};
  snapshot.metadata.index = Index(41);
  snapshot.metadata.term = Term(2);
  return {std::string(1, '\0') + raftcodec::EncodeSnapFile(snapshot),
          std::string(1, '\1') + raftcodec::Encode(snapshot)};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace base = etcd::base;
  namespace raftcodec = etcd::raftcodec;
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] != 0) {
    std::string framed;
    base::AppendVarintField(framed, 1, base::UpdateCrc32c(0, file));
    base::AppendBytesField(framed, 2, file);
    file = framed;
  }
  const auto snapshot = raftcodec::DecodeSnapFile(file);
  if (!snapshot.ok()) return 0;
  // What is accepted is written and read again as the same.
  const auto again = raftcodec::DecodeSnapFile(raftcodec::EncodeSnapFile(*snapshot));
  CHECK_OK(again.status());
  CHECK(*again == *snapshot) << "changed by a round trip";
  return 0;
}
