#include "server/net/loop.h"

#include <pthread.h>

#include <boost/asio/post.hpp>

#include "server/base/check.h"

namespace etcd::net {
namespace {

thread_local const Loop* current_loop = nullptr;

}  // namespace

bool Mailbox::TryPost(base::Task task) {
  const std::lock_guard lock(mu_);
  if (loop_ == nullptr) return false;
  batch_.functions.push_back(std::move(task));
  WakeLocked();
  return true;
}

void Mailbox::Push(std::shared_ptr<LoopTask> task) {
  const std::lock_guard lock(mu_);
  if (loop_ == nullptr) return;
  batch_.tasks.push_back(std::move(task));
  WakeLocked();
}

void Mailbox::PostAfter(std::chrono::nanoseconds delay, base::Task task) {
  Post(
      [this, delay, task = std::move(task)]() mutable { loop_->RunAfter(delay, std::move(task)); });
}

void Mailbox::WakeLocked() {
  if (wake_pending_) return;
  wake_pending_ = true;
  // On the loop thread the running handler settles before the loop sleeps.
  if (current_loop != loop_ || !loop_->in_handler_) loop_->Wake();
}

bool Mailbox::OnLoopThread() const {
  // Unlocked on purpose: only the loop's own thread can find its own address here.
  return current_loop != nullptr && current_loop->mailbox_.get() == this;
}

bool Mailbox::TakeAll(Batch& into) {
  const std::lock_guard lock(mu_);
  wake_pending_ = false;
  into.tasks.swap(batch_.tasks);
  into.functions.swap(batch_.functions);
  return !into.tasks.empty() || !into.functions.empty();
}

bool Mailbox::empty() {
  const std::lock_guard lock(mu_);
  return batch_.tasks.empty() && batch_.functions.empty();
}

void Mailbox::Close() {
  Batch dropped;  // destroyed after the lock is released: a task's destructor may come back here
  const std::lock_guard lock(mu_);
  loop_ = nullptr;
  dropped.tasks.swap(batch_.tasks);
  dropped.functions.swap(batch_.functions);
}

Loop::Loop(std::size_t read_buffer_bytes)
    : mailbox_(std::make_shared<Mailbox>(this)),
      asio_timer_(io_),
      now_(std::chrono::steady_clock::now()),
      read_buffer_bytes_(read_buffer_bytes),
      read_buffer_(std::make_unique<char[]>(read_buffer_bytes)) {
  work_.emplace(io_.get_executor());
}

Loop::~Loop() { CHECK(!thread_.joinable()) << "loop destroyed while it runs"; }

void Loop::Start(std::string thread_name) {
  thread_ = std::thread([this, name = std::move(thread_name)]() noexcept {
    pthread_setname_np(pthread_self(), name.c_str());
    current_loop = this;
    io_.run();
    current_loop = nullptr;
  });
}

void Loop::Join() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
  mailbox_->Close();
  ended_ = true;
  // Waits that were canceled still hold their connections.
  io_.restart();
  io_.poll();
}

void Loop::RunAfter(std::chrono::nanoseconds delay, base::Task task) {
  delayed_.emplace_front();
  const auto place = delayed_.begin();
  *place = std::make_unique<Timer>(timers_, [this, place, held = std::move(task)]() mutable {
    base::Task due = std::move(held);
    delayed_.erase(place);
    due();
  });
  (*place)->Arm(now_ + delay);
}

void Loop::Wake() {
  boost::asio::post(io_, [this] { Run([] {}); });
}

void Loop::Enter() {
  in_handler_ = true;
  now_ = std::chrono::steady_clock::now();
}

void Loop::Settle() {
  if (mailbox_->TakeAll(running_)) {
    for (const auto& task : running_.tasks) task->RunOnLoop();
    running_.tasks.clear();
    for (base::Task& function : running_.functions) function();
    running_.functions.clear();
  }
  flushing_.swap(dirty_);
  for (const auto& connection : flushing_) connection->Flush();
  flushing_.clear();
  ArmTimer();
  // What came up meanwhile waits for one round of the other descriptors, so that a stream which
  // always has more to send cannot keep the loop for itself.
  if (!dirty_.empty() || !mailbox_->empty()) Wake();
  in_handler_ = false;
}

void Loop::ArmTimer() {
  const std::optional<Time> earliest = timers_.Earliest();
  // A timer that was moved to later fires early once and is armed again: deadlines are mostly
  // moved or disarmed long before they are due, and this way they cost no system call.
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
  // A destructor that runs between two handlers may complete a call.
  if (!in_handler_) Wake();
}

}  // namespace etcd::net
