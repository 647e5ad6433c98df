#pragma once

#include <functional>
#include <future>

#include <gtest/gtest.h>

#include "server/net/loop.h"

namespace etcd::net {

// A loop that runs until the end of the test. What tests put on it is gone by then.
class RunningLoop : public ::testing::Test {
 protected:
  RunningLoop() { loop.Start("test"); }
  ~RunningLoop() override { loop.Join(); }

  // Runs on the loop; returns when it has.
  void OnLoop(const std::function<void()>& function) {
    std::promise<void> done;
    loop.mailbox()->Post([&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }
  // After everything that the round under way, and those that it caused, have to do.
  void AwaitIdle() {
    OnLoop([] {});
    OnLoop([] {});
  }

  Loop loop{4096};
};

}  // namespace etcd::net
