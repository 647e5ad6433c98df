#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "server/base/executor.h"
#include "server/rafthttp/timer_queue.h"

namespace etcd::rafthttp {

class Loop;

// How other threads reach the loop. Thread-safe; outlives the loop, so that an answer may come at
// any time: what arrives after Close is dropped. Unbounded; producers bound what they post.
class Mailbox {
 public:
  explicit Mailbox(Loop* loop) : loop_(loop) {}
  // One wake-up for all that arrives before the loop looks. False: the loop has ended.
  bool Post(base::Task task);

 private:
  friend class Loop;
  bool TakeAll(std::vector<base::Task>& into);
  bool empty();
  void Close();

  std::mutex mu_;
  Loop* loop_;                     // null when closed; guarded by mu_
  std::vector<base::Task> tasks_;  // guarded by mu_
  bool wake_pending_ = false;      // guarded by mu_
};
using MailboxPtr = std::shared_ptr<Mailbox>;

// Something with bytes to write at the end of a round.
class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void Flush() = 0;
};

// The event loop of the peer port: one thread, one io_context. All but mailbox, Start and Join is
// for that thread.
class Loop {
 public:
  using Time = TimerQueue::Time;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void Start();
  // Ends the thread after the running handler. Not on the loop thread.
  void Join();

  const MailboxPtr& mailbox() const { return mailbox_; }

  // Every handler of the io_context runs inside Run: afterwards what was posted and what became
  // writable is dealt with, once for all.
  template <typename Function>
  void Run(Function&& function) {
    Enter();
    std::forward<Function>(function)();
    Settle();
  }

  boost::asio::io_context& io() { return io_; }
  TimerQueue& timers() { return timers_; }
  Time now() const { return now_; }  // of the running handler
  std::span<char> read_buffer() { return *read_buffer_; }
  // Flushed before the loop sleeps.
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
  std::optional<Time> armed_for_;
  Time now_;
  std::unique_ptr<std::array<char, 256 << 10>> read_buffer_;
  std::vector<base::Task> running_;
  std::vector<std::shared_ptr<Flushable>> dirty_;
  std::vector<std::shared_ptr<Flushable>> flushing_;
  std::thread thread_;
};

}  // namespace etcd::rafthttp
