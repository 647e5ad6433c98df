#include "server/rafthttp/workers.h"

#include <pthread.h>
#include <utility>

namespace etcd::rafthttp {

void Workers::Start(std::string name, absl::AnyInvocable<void()> work) {
  const auto place = threads_.emplace(threads_.end());
  *place = std::thread([this, place, name = std::move(name), work = std::move(work)]() mutable {
    pthread_setname_np(pthread_self(), name.c_str());
    work();
    work = nullptr;
    // Reaped where the list is used. When the loop has ended, Join does it.
    mailbox_->Post([this, place] {
      place->join();
      threads_.erase(place);
    });
  });
}

void Workers::Join() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace etcd::rafthttp
