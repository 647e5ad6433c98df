#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/random.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// What one run looks like, drawn from its seed: small limits make rare branches common, and most
// runs have only some of the faults, so that one does not hide what another would show.
struct Options {
  // The cluster.
  int members = 1;  // at the start
  int spare_machines = 0;
  bool pre_vote = true;
  std::int64_t clock_drift_per_mille = 0;  // clocks run this much faster or slower, at most

  // Each member.
  std::uint64_t snapshot_count = 0;
  std::uint64_t catchup_entries = 0;
  std::uint64_t wal_segment_bytes = 0;
  std::uint64_t queued_bytes_max = 0;
  std::uint64_t apply_backlog_max = 0;
  std::int64_t quota_bytes = -1;  // negative: none
  std::int64_t compaction_batch = 0;
  std::int64_t auto_compaction_retention = 0;  // revisions; 0: off
  Nanos compare_heads_every{0};                // corruption checks; 0: never
  Nanos compare_compactions_every{0};
  bool compare_at_start = false;  // of one that has data
  bool lease_checkpoint = false;
  std::uint64_t engine_flush_one_in = 0;
  std::uint64_t watch_pending_bytes = 0;
  std::uint64_t watch_recent_bytes = 0;
  std::uint64_t watch_inbox_bytes = 0;
  std::int64_t watch_step_revisions = 0;
  Nanos progress_interval{0};
  std::uint64_t fragment_bytes = 0;

  // Threads.
  Nanos hop_max{0};
  std::uint64_t stall_per_mille = 0;
  Nanos stall_max{0};

  // The workload.
  int kv_clients = 0;
  int readers = 0;  // do nothing else, so that no write holds them up while nobody leads
  int watch_clients = 0;
  int lease_clients = 0;
  int keys = 0;
  std::uint64_t value_bytes_max = 0;
  Nanos think_max{0};
  Nanos duration{0};  // of phase 1

  // Faults: mean time between two of a kind; 0: never.
  Nanos kill_every{0};
  Nanos power_loss_every{0};
  Nanos kill_at_step_every{0};   // at a disk or engine operation
  Nanos kill_at_point_every{0};  // at a named one (fault_points.h)
  Nanos stop_every{0};           // a clean stop
  Nanos pause_every{0};
  Nanos disk_full_every{0};
  Nanos engine_full_every{0};
  Nanos sync_error_every{0};
  Nanos sync_full_every{0};     // an fsync finds no room
  Nanos engine_error_every{0};  // a write of the engine fails for good
  Nanos wall_jump_every{0};
  std::uint64_t slow_sync_per_mille = 0;
  Nanos slow_sync_max{0};

  // What the network does all the time, and from time to time.
  struct Network {
    Nanos latency_max{0};
    std::uint64_t drop_per_mille = 0;
    std::uint64_t duplicate_per_mille = 0;
    std::uint64_t reorder_per_mille = 0;
    Nanos cut_every{0};  // partitions of all shapes
    Nanos slow_every{0};
    Nanos clog_every{0};
    // Of the snapshots that arrive, so many lose their leader at once, and are installed late.
    std::uint64_t second_leader_per_mille = 0;
  };
  Network network;

  // What operators do: mean time between two operations of a kind; 0: never.
  struct Admin {
    Nanos reconfigure_every{0};
    Nanos move_leader_every{0};
    Nanos defragment_every{0};
    Nanos save_every{0};  // a snapshot for a backup
    Nanos ruin_every{0};  // a machine's disks are lost or damaged
  };
  Admin admin;

  static Options Draw(base::Random& random);
  // Without what `names` names (commas between them): snapshots (in clusters), changes, ruin,
  // checks, readers, errors (no room at an fsync, failed writes of the engine), saves,
  // compared-starts, second-leaders.
  Options LeaveOut(std::string_view names) const;
  std::string ToString() const;
};

}  // namespace etcd::simulation
