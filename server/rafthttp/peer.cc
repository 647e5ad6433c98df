#include "server/rafthttp/peer.h"

#include <utility>

namespace etcd::rafthttp {

Peer::Peer(const Context& context, MemberId id, const std::vector<std::string>& urls)
    : link_(context, id, urls),
      message_writer_(link_, StreamKind::kMessage),
      msgapp_writer_(link_, StreamKind::kMsgApp),
      pipeline_(link_),
      message_reader_(link_, StreamKind::kMessage),
      msgapp_reader_(link_, StreamKind::kMsgApp),
      prober_(link_) {
  message_reader_.Start();
  msgapp_reader_.Start();
  prober_.Start();
}

bool Peer::Send(raft::Message message) {
  if (message.type == raft::MessageType::kApp && msgapp_writer_.attached()) {
    return msgapp_writer_.Queue(std::move(message));
  }
  if (message_writer_.attached()) return message_writer_.Queue(std::move(message));
  return pipeline_.Send(std::move(message));
}

void Peer::Pump() {
  msgapp_writer_.Pump();
  message_writer_.Pump();
}

void Peer::Attach(StreamKind kind, ConnectionPtr connection, std::string head) {
  (kind == StreamKind::kMsgApp ? msgapp_writer_ : message_writer_)
      .Attach(std::move(connection), std::move(head));
  // It dialed, so it is up: no reason to wait out the backoff.
  message_reader_.Hurry();
  msgapp_reader_.Hurry();
}

}  // namespace etcd::rafthttp
