#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/net/timer_queue.h"

namespace etcd::net {

class Loop;

// A piece of work for a loop: the object that has something to tell it (an answered call, a sink
// with new messages), so that posting allocates nothing.
class LoopTask {
 public:
  virtual ~LoopTask() = default;
  virtual void RunOnLoop() = 0;
};

// Something with bytes to write at the end of a round.
class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void Flush() = 0;
};

// How other threads reach a loop, also as the executor of what lives there. Thread-safe; outlives
// the loop, so that an answer may come at any time: what arrives after Close is dropped.
// Unbounded: its users bound what they post (a call has at most one task in it).
class Mailbox final : public base::Executor {
 public:
  explicit Mailbox(Loop* loop) : loop_(loop) {}

  // Executor
  void Post(base::Task task) override { TryPost(std::move(task)); }
  void PostAfter(std::chrono::nanoseconds delay, base::Task task) override;
  const base::Clock& clock() const override { return clock_; }

  // One wake-up for all that arrives before the loop looks. False: the loop has ended, and the task
  // was dropped.
  bool TryPost(base::Task task);
  void Push(std::shared_ptr<LoopTask> task);
  // True on the thread of the loop, where completions need no hop.
  bool OnLoopThread() const;

 private:
  friend class Loop;
  // What arrived since the last take; reused, so that a busy loop does not allocate.
  struct Batch {
    std::vector<std::shared_ptr<LoopTask>> tasks;
    std::vector<base::Task> functions;
  };
  bool TakeAll(Batch& into);
  bool empty();
  void WakeLocked();
  void Close();

  const base::SystemClock clock_;
  std::mutex mu_;
  Loop* loop_;                 // null when closed; guarded by mu_
  Batch batch_;                // guarded by mu_
  bool wake_pending_ = false;  // guarded by mu_
};
using MailboxPtr = std::shared_ptr<Mailbox>;

// One event loop: a thread, an io_context, and the sockets pinned to it. All but the mailbox,
// Start and Join is for the loop thread.
class Loop {
 public:
  using Time = TimerQueue::Time;

  explicit Loop(std::size_t read_buffer_bytes);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // `thread_name`: at most 15 characters.
  void Start(std::string thread_name);
  // Ends the thread after the running handler, and lets go of what waited for a descriptor. What
  // it served must be closed before. Not on the loop thread.
  void Join();

  const MailboxPtr& mailbox() const { return mailbox_; }

  // Every handler of the io_context runs inside Run: afterwards what was posted and what has
  // something to write is dealt with, once for all. Does nothing once Join has ended the thread.
  template <typename Function>
  void Run(Function&& function) {
    if (ended_) return;
    Enter();
    std::forward<Function>(function)();
    Settle();
  }
  void RunAfter(std::chrono::nanoseconds delay, base::Task task);

  boost::asio::io_context& io() { return io_; }
  TimerQueue& timers() { return timers_; }
  Time now() const { return now_; }  // of the running handler
  // Scratch for one read; what is in it counts only until the next one.
  std::span<char> read_buffer() { return {read_buffer_.get(), read_buffer_bytes_}; }
  // Flushed before the loop sleeps, once for each call.
  void MarkDirty(std::shared_ptr<Flushable> connection);

 private:
  using AsioTimer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>,
                                        boost::asio::io_context::executor_type>;
  friend class Mailbox;
  void Wake();  // any thread
  void Enter();
  void Settle();
  void ArmTimer();

  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  const MailboxPtr mailbox_;
  TimerQueue timers_;
  AsioTimer asio_timer_;
  std::optional<Time> armed_for_;  // when asio_timer_ fires
  Time now_;
  bool in_handler_ = false;  // Settle will come
  bool ended_ = false;
  const std::size_t read_buffer_bytes_;
  const std::unique_ptr<char[]> read_buffer_;
  Mailbox::Batch running_;
  std::vector<std::shared_ptr<Flushable>> dirty_;
  std::vector<std::shared_ptr<Flushable>> flushing_;
  std::list<std::unique_ptr<Timer>> delayed_;  // of RunAfter
  std::thread thread_;
};

}  // namespace etcd::net
