#pragma once

#include <chrono>

#include <absl/functional/any_invocable.h>

#include "server/base/clock.h"

namespace etcd::base {

using Task = absl::AnyInvocable<void()>;

// Runs the tasks of one owner one after the other, in the order in which they were posted. Every
// component that owns state names its executor; production gives each owner a thread, simulation
// runs all of them on one seeded scheduler. Thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;

  // Never runs the task before returning. A task posted after Stop is destroyed unrun.
  virtual void Post(Task task) = 0;

  // Runs the task once, not before `delay` has passed. There is no cancel: owners compare a
  // generation of their own when the task runs.
  virtual void PostAfter(std::chrono::nanoseconds delay, Task task) = 0;

  virtual const Clock& clock() const = 0;
};

}  // namespace etcd::base
