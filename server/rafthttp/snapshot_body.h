#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "server/ports/peer_receiver.h"
#include "server/raft/types.h"
#include "server/rafthttp/http.h"

namespace etcd::rafthttp {

// Reads the body of POST /raft/snapshot as it comes (raft-peer-storage.md 3.7):
//
//   u64be length | raftpb.Message (kSnap) | database until the end of the body
//
// No I/O of its own. The message is decoded once it is whole; the database is never held.
class SnapshotBody final : public BodySink {
 public:
  // Checks the message and opens the place where the database goes.
  using Begin =
      absl::AnyInvocable<absl::StatusOr<std::unique_ptr<ports::SnapshotSink>>(raft::Message)>;

  SnapshotBody(std::size_t message_bytes_max, Begin begin)
      : message_bytes_max_(message_bytes_max), begin_(std::move(begin)) {}

  // An error means that refusal() has the answer.
  absl::Status OnBody(std::string_view bytes) override;
  // The body has ended, `whole`: as its sender announced. The answer to the sender.
  Answer Finish(bool whole);

  const std::optional<Answer>& refusal() const { return refusal_; }
  // Of the message; 0 until it is known.
  MemberId from() const { return from_; }
  std::size_t database_bytes() const { return database_bytes_; }

 private:
  absl::Status OnMessage();
  absl::Status Refuse(int status, std::string_view text, std::string_view why = {});

  const std::size_t message_bytes_max_;
  Begin begin_;
  std::string head_;                           // length and message, until they are whole
  std::unique_ptr<ports::SnapshotSink> sink_;  // set: the message was accepted
  std::optional<Answer> refusal_;
  MemberId from_;
  std::size_t database_bytes_ = 0;
};

}  // namespace etcd::rafthttp
