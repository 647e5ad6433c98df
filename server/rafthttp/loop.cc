#include "server/rafthttp/loop.h"

#include <pthread.h>

#include <boost/asio/post.hpp>

#include "server/base/check.h"

namespace etcd::rafthttp {

bool Mailbox::Post(base::Task task) {
  const std::lock_guard lock(mu_);
  if (loop_ == nullptr) return false;
  tasks_.push_back(std::move(task));
  if (!std::exchange(wake_pending_, true)) loop_->Wake();
  return true;
}

bool Mailbox::TakeAll(std::vector<base::Task>& into) {
  const std::lock_guard lock(mu_);
  wake_pending_ = false;
  into.swap(tasks_);
  return !into.empty();
}

bool Mailbox::empty() {
  const std::lock_guard lock(mu_);
  return tasks_.empty();
}

void Mailbox::Close() {
  std::vector<base::Task> dropped;  // destroyed without the lock: a destructor may come back here
  const std::lock_guard lock(mu_);
  loop_ = nullptr;
  dropped.swap(tasks_);
}

Loop::Loop()
    : mailbox_(std::make_shared<Mailbox>(this)),
      asio_timer_(io_),
      now_(std::chrono::steady_clock::now()),
      read_buffer_(std::make_unique<std::array<char, 256 << 10>>()) {
  work_.emplace(io_.get_executor());
}

Loop::~Loop() { CHECK(!thread_.joinable()) << "loop destroyed while it runs"; }

void Loop::Start() {
  thread_ = std::thread([this]() noexcept {
    pthread_setname_np(pthread_self(), "peers");
    io_.run();
  });
}

void Loop::Join() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
  mailbox_->Close();
  // Waits that were canceled still hold their connections.
  io_.restart();
  io_.poll();
}

void Loop::Wake() {
  boost::asio::post(io_, [this] { Run([] {}); });
}

void Loop::Enter() { now_ = std::chrono::steady_clock::now(); }

void Loop::Settle() {
  if (mailbox_->TakeAll(running_)) {
    for (base::Task& task : running_) task();
    running_.clear();
  }
  flushing_.swap(dirty_);
  for (const auto& connection : flushing_) connection->Flush();
  flushing_.clear();
  ArmTimer();
  // What came up meanwhile waits for one round of the other descriptors.
  if (!dirty_.empty() || !mailbox_->empty()) Wake();
}

void Loop::ArmTimer() {
  const std::optional<Time> earliest = timers_.Earliest();
  // A timer that was moved to later fires early once and is armed again: that saves a system call
  // for each read.
  if (!earliest || (armed_for_ && *armed_for_ <= *earliest)) return;
  armed_for_ = earliest;
  asio_timer_.expires_at(*earliest);
  asio_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // moved
    armed_for_.reset();
    Run([this] { timers_.RunDue(now_); });
  });
}

void Loop::MarkDirty(std::shared_ptr<Flushable> connection) {
  dirty_.push_back(std::move(connection));
}

}  // namespace etcd::rafthttp
