#pragma once

#include "server/base/ids.h"
#include "tests/support/sim_disk.h"

namespace etcd::simulation {

// What the log on a disk says, read without the code that wrote it.
struct WalContents {
  Term term;
  MemberId vote;
  Index commit;
  Index last;                 // of the entries, or of the newest snapshot record if that is higher
  bool has_replaced = false;  // an index was written twice: what was there had not been committed
};

// Reads the segments in `dir` up to the first record that is torn.
WalContents ScanWal(const testing::SimDisk& disk, const std::string& dir);

}  // namespace etcd::simulation
