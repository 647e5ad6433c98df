#include "server/net/resolver.h"

#include <pthread.h>
#include <thread>
#include <utility>

namespace etcd::net {
namespace {

std::string NameOf(const Endpoint& endpoint) { return endpoint.host + ' ' + endpoint.port; }

}  // namespace

void Resolver::Ask(const Endpoint& endpoint, Done done) {
  std::vector<Done>& waiting = waiting_[NameOf(endpoint)];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  queue_.push_back(endpoint);
  StartNext();
}

void Resolver::StartNext() {
  if (queue_.empty() || threads_ >= threads_max_) return;
  ++threads_;
  std::thread([this, alive = alive_, mailbox = mailbox_, lookup = lookup_,
               endpoint = std::move(queue_.front())]() noexcept {
    pthread_setname_np(pthread_self(), "resolve");
    mailbox->Post([this, alive, name = NameOf(endpoint), answer = lookup(endpoint)] {
      if (*alive) OnAnswer(name, answer);
    });
  }).detach();
  queue_.pop_front();
}

void Resolver::OnAnswer(const std::string& name, const Answer& answer) {
  --threads_;
  const auto alive = alive_;  // a callback may destroy this
  auto found = waiting_.extract(name);
  StartNext();
  for (Done& done : found.mapped()) {
    if (*alive) done(answer);
  }
}

}  // namespace etcd::net
