#include <string>
#include <string_view>
#include <vector>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/raftcodec/raftpb.h"
#include "tests/fuzz/target.h"
#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/raw_http.h"

// Bytes of a hostile stranger on the peer port: every handler of the raft protocol, and what is
// passed on. The member must end every such connection and go on serving.
namespace etcd::fuzz {
namespace {

using rafthttp::RawConnection;
using rafthttp::Request;

constexpr std::string_view kGood =
    "X-Server-Version: 3.6.16\r\nX-Min-Cluster-Version: 3.0.0\r\nX-Etcd-Cluster-ID: c1\r\n"
    "X-Server-From: 2\r\nX-Raft-To: 1\r\nX-PeerURLs: http://127.0.0.1:1\r\n";

// Started once: a member per input would be all that is measured.
rafthttp::TestMember& Member() {
  static rafthttp::TestMember& member = *[] {
    rafthttp::TransportOptions options = rafthttp::FastOptions();
    options.message_bytes_max = options.snapshot_message_bytes_max = 10'000;
    return new rafthttp::TestMember(1, options);
  }();
  return member;
}

}  // namespace

std::vector<std::string> Seeds() {
  const raft::Message append =
      rafthttp::Append(MemberId(2), MemberId(1), 3, {"a", std::string(100, 'b')});
  raft::Message snap = append;
  snap.type = raft::MessageType::kSnap;
  snap.entries.clear();
  snap.snapshot.metadata.index = Index(9);
  std::string body;
  base::AppendBigEndian64(body, raftcodec::EncodedSize(snap));
  raftcodec::AppendTo(body, snap);
  body.append("database");
  return {
      Request("POST /raft", kGood, raftcodec::Encode(append)) + Request("GET /raft/probing", ""),
      Request("POST /raft/snapshot", kGood, body),
      "POST /raft/snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" +
          std::string(kGood) + "\r\n" + base::FormatHex(body.size()) + "\r\n" + body +
          "\r\n0\r\n\r\n",
      Request("GET /raft/stream/message/2", kGood) + Request("GET /raft/stream/msgapp/2", kGood),
      Request("POST /leases", "", "lease") + Request("GET /members?x=1", "Connection: close\r\n"),
  };
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using etcd::rafthttp::RawConnection;
  static int runs = 0;
  const std::uint16_t port = etcd::fuzz::Member().port();
  {
    RawConnection connection = RawConnection::Dial(port);
    connection.Send({reinterpret_cast<const char*>(data), size});
    connection.ShutdownWrite();
    connection.ReadAll();
    CHECK(connection.ended()) << "the connection is still open";
  }
  if (++runs % 64 == 0) {
    RawConnection connection = RawConnection::Dial(port);
    connection.Send(etcd::rafthttp::Request("GET /alive", "Connection: close\r\n"));
    CHECK(connection.ReadAll().ends_with("GET /alive ")) << "the member stopped serving";
  }
  return 0;
}
