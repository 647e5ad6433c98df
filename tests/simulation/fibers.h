#pragma once

#include <functional>
#include <memory>
#include <vector>

namespace etcd::simulation {

// Stacks on which one loop is carried on, so that a task can wait in the middle of its work while
// the loop goes on elsewhere. One real thread; which stack runs is decided by the callers alone.
class Fibers {
 public:
  // `loop` runs on every stack, for ever; it hands back with ReturnToCaller.
  explicit Fibers(std::function<void()> loop);
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  struct Fiber;

  // From outside: carries the loop on until it hands back.
  void Enter();
  // From the loop: back to Enter's caller. Returns at the next Enter.
  void ReturnToCaller();
  // From a task on the loop: another stack carries the loop on until `current()` is resumed.
  void Suspend();
  // From the loop: goes on where `fiber` was suspended; this stack waits until it is needed.
  void Resume(Fiber* fiber);

  Fiber* current() const { return current_; }

 private:
  Fiber* TakeIdle();
  void SwitchTo(Fiber* next);
  static void Main(unsigned low, unsigned high);

  const std::function<void()> loop_;
  std::vector<std::unique_ptr<Fiber>> all_;
  std::vector<Fiber*> idle_;
  std::unique_ptr<Fiber> caller_;
  Fiber* current_;
};

}  // namespace etcd::simulation
