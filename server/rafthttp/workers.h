#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include <absl/functional/any_invocable.h>

#include "server/net/loop.h"

namespace etcd::rafthttp {

// Threads of snapshot transfers, one each, which may block on disk and network and give way to
// others (nice). Started and reaped
// on the loop thread; Join from the thread that stops the transport, after the loop's last Start.
class Workers {
 public:
  explicit Workers(net::MailboxPtr mailbox) : mailbox_(std::move(mailbox)) {}
  ~Workers() { Join(); }

  // `name`: at most 15 characters. `work` looks at stopping() and ends soon after it is set.
  void Start(std::string name, absl::AnyInvocable<void()> work);
  const std::atomic<bool>& stopping() const { return stopping_; }
  std::size_t running() const { return threads_.size(); }

  // Thread-safe: what runs ends soon.
  void RequestStop() { stopping_ = true; }
  void Join();

 private:
  const net::MailboxPtr mailbox_;
  std::atomic<bool> stopping_{false};
  std::list<std::thread> threads_;
};

}  // namespace etcd::rafthttp
