#pragma once

#include <string>
#include <vector>

#include "server/raft/core.h"

// Readable forms for transcripts and failure messages.
namespace etcd::raft {

std::string Describe(MessageType type);
std::string Describe(const Entry& entry);
std::string Describe(const Message& m);
std::string Describe(const HardState& state);
std::string Describe(const SoftState& state);
std::string Describe(const ConfState& state);
std::string Describe(const Ready& ready);  // one line per item, each ended by \n
std::string Describe(const Status& status);
std::vector<std::string> Lines(const std::vector<Message>& messages);  // one Describe each

}  // namespace etcd::raft
