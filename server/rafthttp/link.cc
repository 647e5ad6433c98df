#include "server/rafthttp/link.h"

#include "server/base/log.h"
#include "server/rafthttp/message_check.h"

namespace etcd::rafthttp {
namespace {

// Why the node must not see the message; "": it may.
std::string_view WhyDropped(const Context& context, const raft::Message& message) {
  if (message.to != context.self.id) return "cannot process message to mismatch member";
  if (!message.from) return "message without a sender";
  if (message.type == raft::MessageType::kSnap) return "a snapshot without its database";
  if (!IsPeerMessage(message.type)) return "message type is not for peers";
  if (context.receiver.IsRemoved(message.from)) return "cannot process message from removed member";
  return {};
}

}  // namespace

void Deliver(const Context& context, MemberId sender, std::vector<raft::Message> messages) {
  std::erase_if(messages, [&](const raft::Message& message) {
    const std::string_view why = WhyDropped(context, message);
    if (why.empty()) return false;
    LOG_DEBUG("dropped a message", {"reason", why}, {"message-type", TypeName(message.type)},
              {"remote-peer-id", base::FormatHex(sender.value())});
    return true;
  });
  if (!messages.empty()) context.receiver.Receive(std::move(messages));
}

}  // namespace etcd::rafthttp
