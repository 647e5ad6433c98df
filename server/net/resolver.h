#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "server/net/address.h"
#include "server/net/loop.h"

namespace etcd::net {

// Looks names up for a loop, on threads of its own: the system's resolver blocks, for many seconds
// when its servers do not answer, and one such name must not hold up the others. Remembers nothing:
// a name that moved is found at the next question. Loop thread only.
//
// Threads are not joined: a lookup cannot be broken off, and an end of the process that waits for
// name servers is worse. What they touch they own; an answer that comes too late is dropped.
class Resolver {
 public:
  using Answer = absl::StatusOr<std::vector<Address>>;
  using Done = absl::AnyInvocable<void(const Answer&)>;

  // At most `threads_max` lookups at a time; more names wait. Names are those of the peers, so
  // their number is bounded.
  Resolver(MailboxPtr mailbox, Lookup lookup, std::size_t threads_max = 16)
      : mailbox_(std::move(mailbox)), lookup_(std::move(lookup)), threads_max_(threads_max) {}
  ~Resolver() { *alive_ = false; }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `done` is called on the loop, once, never before Ask has returned; not after the resolver is
  // gone. Who asks for a name that is being looked up gets that answer.
  void Ask(const Endpoint& endpoint, Done done);

 private:
  void StartNext();
  void OnAnswer(const std::string& name, const Answer& answer);

  const MailboxPtr mailbox_;
  const Lookup lookup_;
  const std::size_t threads_max_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::size_t threads_ = 0;
  absl::btree_map<std::string, std::vector<Done>> waiting_;  // by host and port
  std::deque<Endpoint> queue_;                               // those of waiting_ without a thread
};

}  // namespace etcd::net
