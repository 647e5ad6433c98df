#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/functional/function_ref.h>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/transport/out_buffer.h"
#include "server/transport/timer_queue.h"

namespace etcd::transport {

class Connection;
class Loop;

// A piece of work for a loop: the object that has something to tell it (an answered call, a sink
// with new messages), so that posting allocates nothing.
class LoopTask {
 public:
  virtual ~LoopTask() = default;
  virtual void RunOnLoop() = 0;
};

// How other threads reach a loop, also as the executor of its connections. Thread-safe; outlives
// the loop, so that a handler may complete a call at any time: what arrives after Close is dropped.
// Unbounded: every task belongs to an open call, and a call has at most one task in it.
class Mailbox final : public base::Executor {
 public:
  explicit Mailbox(Loop* loop) : loop_(loop) {}

  // Executor
  void Post(base::Task task) override;
  void PostAfter(std::chrono::nanoseconds delay, base::Task task) override;
  const base::Clock& clock() const override { return clock_; }

  // One wake-up for all tasks that arrive before the loop takes them.
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

// One event loop: a thread, an io_context, and the connections pinned to it. All but the
// mailbox and Start/Join is for the loop thread.
class Loop {
 public:
  using Time = TimerQueue::Time;

  explicit Loop(std::size_t half_open_max);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void Start(std::size_t number);
  // Ends the thread after the running handler. The connections must be closed before.
  void Join();

  // Thread-safe.
  const MailboxPtr& mailbox() const { return mailbox_; }
  void RunAfter(std::chrono::nanoseconds delay, base::Task task);

  // Every handler of the io_context runs inside Run: afterwards completions that were posted and
  // connections that have something to write are dealt with, once for all.
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
  OutBuffer& scratch() { return scratch_; }

  void Add(std::shared_ptr<Connection> connection);
  void Remove(const std::shared_ptr<Connection>& connection);
  // The connection is flushed before the loop sleeps.
  void MarkDirty(std::shared_ptr<Connection> connection);
  // Connections that have not proved to be clients yet, oldest first; the oldest gives way when
  // there are too many.
  void AddHalfOpen(Connection* connection);
  void RemoveHalfOpen(Connection* connection);

  void ForEachConnection(absl::FunctionRef<void(Connection&)> visit);
  std::size_t connection_count() const { return connections_.size(); }

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
  std::thread thread_;
  MailboxPtr mailbox_;
  TimerQueue timers_;
  AsioTimer asio_timer_;
  std::optional<Time> armed_for_;  // when asio_timer_ fires
  Time now_;
  bool in_handler_ = false;  // Settle will come
  std::unique_ptr<std::array<char, 64 * 1024>> read_buffer_;
  OutBuffer scratch_;
  Mailbox::Batch running_;
  std::vector<std::shared_ptr<Connection>> dirty_;
  std::vector<std::shared_ptr<Connection>> flushing_;
  absl::flat_hash_set<std::shared_ptr<Connection>> connections_;
  std::list<std::unique_ptr<Timer>> delayed_;  // of RunAfter
  std::list<Connection*> half_open_;
  std::size_t half_open_max_;
};

}  // namespace etcd::transport
