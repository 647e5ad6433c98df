#include "server/rafthttp/workers.h"

#include <pthread.h>
#include <sys/resource.h>
#include <utility>

namespace etcd::rafthttp {
namespace {

// A transfer is in no hurry; requests of clients are.
constexpr int kNice = 10;

}  // namespace

void Workers::Start(std::string name, absl::AnyInvocable<void()> work) {
  const auto place = threads_.emplace(threads_.end());
  *place = std::thread([this, place, name = std::move(name), work = std::move(work)]() mutable {
    pthread_setname_np(pthread_self(), name.c_str());
    // Linux: of this thread alone. Where it is not allowed, the transfer competes as an equal.
    (void)setpriority(PRIO_PROCESS, 0, kNice);
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
