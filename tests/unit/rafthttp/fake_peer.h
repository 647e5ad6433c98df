#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/unit/rafthttp/peer_fixture.h"
#include "tests/unit/rafthttp/raw_http.h"

namespace etcd::rafthttp {

// A peer that a test plays by hand: it takes the dials of the member.
class FakePeer : public ::testing::Test {
 protected:
  explicit FakePeer(const TransportOptions& options = FastOptions()) : member(1, options) {
    member.transport().AddPeer(kFake, {listener.url()});
  }
  // The next connection that asks for `target`; answers probes on the way.
  RawConnection AwaitDial(std::string_view target) {
    while (true) {
      RawConnection connection = listener.Accept();
      const std::string head = connection.ReadUntil("\r\n\r\n");
      if (head.find(target) != std::string::npos) {
        last_head = head;
        return connection;
      }
      if (head.empty()) return connection;
    }
  }
  RawConnection AnswerDial(std::string_view target, std::string_view answer) {
    RawConnection connection = AwaitDial(target);
    connection.Send(answer);
    return connection;
  }
  // Asks the member for a stream, as the peer would.
  RawConnection AskForStream(std::string_view kind, bool small_buffer = false) const {
    RawConnection stream = RawConnection::Dial(member.port());
    if (small_buffer) stream.SmallReceiveBuffer();
    stream.Send(Request("GET /raft/stream/" + std::string(kind) + "/2",
                        "X-Server-Version: 3.6.16\r\nX-Min-Cluster-Version: 3.0.0\r\n"
                        "X-Etcd-Cluster-ID: c1\r\nX-Raft-To: 1\r\n"));
    stream.ReadUntil("\r\n\r\n");
    return stream;
  }

  static constexpr MemberId kFake{2};
  RawListener listener;
  TestMember member;
  std::string last_head;
};

inline constexpr std::string_view kGoodHead =
    "HTTP/1.1 200 OK\r\nX-Etcd-Cluster-Id: c1\r\nX-Server-Version: 3.6.16\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

}  // namespace etcd::rafthttp
