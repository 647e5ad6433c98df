#pragma once

#include "server/base/log.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// What the code under test logs while a run is under way: every message counts as a mark ("log:
// ..."), which tells whether rare branches were met, and stands in the trace. It is not part of the
// trace's hash: it may name temporary files, whose numbers go on from run to run.
class LogMarks final : public base::LogSink {
 public:
  explicit LogMarks(World& world);
  ~LogMarks() override;
  LogMarks(const LogMarks&) = delete;
  LogMarks& operator=(const LogMarks&) = delete;

  void Write(const base::LogRecord& record) override;

 private:
  World& world_;
};

}  // namespace etcd::simulation
