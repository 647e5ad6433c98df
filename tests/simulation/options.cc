#include "tests/simulation/options.h"

#include <algorithm>

#include <fmt/format.h>

namespace etcd::simulation {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

template <typename T>
T OneOf(base::Random& random, std::initializer_list<T> values) {
  return values.begin()[random.Below(values.size())];
}

// Half of the runs have the fault, at their own rate.
Nanos Rate(base::Random& random, Nanos often, Nanos seldom) {
  const bool on = random.Below(2) == 0;
  const Nanos rate = Between(random, often, seldom);
  return on ? rate : Nanos(0);
}

double Seconds(Nanos time) { return std::chrono::duration<double>(time).count(); }

void DrawCluster(base::Random& random, Options& o) {
  o.members = OneOf<int>(random, {1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7});
  o.spare_machines = OneOf<int>(random, {0, 1, 2});
  o.pre_vote = random.Below(3) > 0;
  o.clock_drift_per_mille = OneOf<std::int64_t>(random, {0, 0, 1, 50});
}

void DrawMember(base::Random& random, Options& o) {
  o.snapshot_count = OneOf<std::uint64_t>(random, {3, 10, 40, 200, 10'000});
  o.catchup_entries = OneOf<std::uint64_t>(random, {0, 1, 10, 100, 5'000});
  o.wal_segment_bytes = OneOf<std::uint64_t>(random, {2'048, 8'192, 65'536, 1 << 20});
  o.queued_bytes_max = OneOf<std::uint64_t>(random, {100, 2'000, 1 << 20});
  o.apply_backlog_max = OneOf<std::uint64_t>(random, {2, 20, 5'000});
  o.quota_bytes = OneOf<std::int64_t>(random, {-1, -1, -1, 50'000, 200'000});
  o.compaction_batch = OneOf<std::int64_t>(random, {1, 3, 10, 1'000});
  o.auto_compaction_retention = OneOf<std::int64_t>(random, {0, 0, 5, 50});
  o.lease_checkpoint = random.Below(2) == 0;
  o.engine_flush_one_in = OneOf<std::uint64_t>(random, {0, 5, 50, 500});
  o.watch_pending_bytes = OneOf<std::uint64_t>(random, {200, 2'000, 1 << 20});
  o.watch_recent_bytes = OneOf<std::uint64_t>(random, {0, 1'000, 8 << 20});
  o.watch_inbox_bytes = OneOf<std::uint64_t>(random, {1'000, 20'000, 32 << 20});
  o.watch_step_revisions = OneOf<std::int64_t>(random, {1, 5, 100, 2'000});
  o.progress_interval = OneOf<Nanos>(random, {milliseconds(200), seconds(2), seconds(600)});
  o.fragment_bytes = OneOf<std::uint64_t>(random, {300, 2'000, 2 << 20});
}

void DrawWorkload(base::Random& random, Options& o) {
  o.hop_max = OneOf<Nanos>(random, {microseconds(5), microseconds(50), milliseconds(2)});
  o.stall_per_mille = OneOf<std::uint64_t>(random, {0, 5, 50});
  o.stall_max = OneOf<Nanos>(random, {milliseconds(1), milliseconds(20), milliseconds(300)});
  o.kv_clients = static_cast<int>(1 + random.Below(8));
  o.watch_clients = static_cast<int>(1 + random.Below(4));
  o.lease_clients = static_cast<int>(random.Below(3));
  o.keys = OneOf<int>(random, {2, 5, 12, 40});
  o.value_bytes_max = OneOf<std::uint64_t>(random, {20, 20, 300, 9'000});
  o.think_max = OneOf<Nanos>(random, {milliseconds(5), milliseconds(50), milliseconds(300)});
  o.duration = Between(random, seconds(10), seconds(60));
}

void DrawFaults(base::Random& random, Options& o) {
  if (random.Below(10) == 0) return;  // a run without any
  o.kill_every = Rate(random, seconds(1), seconds(20));
  o.power_loss_every = Rate(random, seconds(1), seconds(20));
  o.kill_at_step_every = Rate(random, seconds(1), seconds(10));
  o.stop_every = Rate(random, seconds(5), seconds(30));
  o.pause_every = Rate(random, seconds(3), seconds(30));
  o.disk_full_every = Rate(random, seconds(5), seconds(30));
  o.engine_full_every = Rate(random, seconds(5), seconds(30));
  o.sync_error_every = Rate(random, seconds(5), seconds(30));
  o.wall_jump_every = Rate(random, seconds(1), seconds(20));
  o.slow_sync_per_mille = OneOf<std::uint64_t>(random, {0, 20, 300, 1'000});
  o.slow_sync_max = OneOf<Nanos>(random, {milliseconds(2), milliseconds(50), seconds(3)});
}

void DrawNetwork(base::Random& random, Options::Network& o) {
  o.latency_max = OneOf<Nanos>(random, {microseconds(200), milliseconds(2), milliseconds(20)});
  if (random.Below(5) == 0) return;
  o.drop_per_mille = OneOf<std::uint64_t>(random, {0, 1, 20, 200});
  o.duplicate_per_mille = OneOf<std::uint64_t>(random, {0, 1, 50});
  o.reorder_per_mille = OneOf<std::uint64_t>(random, {0, 10, 300});
  o.cut_every = Rate(random, seconds(2), seconds(20));
  o.slow_every = Rate(random, seconds(2), seconds(20));
  o.clog_every = Rate(random, seconds(2), seconds(20));
}

void DrawAdmin(base::Random& random, Options::Admin& o) {
  o.reconfigure_every = Rate(random, seconds(2), seconds(15));
  o.move_leader_every = Rate(random, seconds(1), seconds(15));
  o.defragment_every = Rate(random, seconds(2), seconds(20));
  o.ruin_every = Rate(random, seconds(5), seconds(30));
}

// The leader compares the members' data.
void DrawComparisons(base::Random& random, Options& o) {
  o.compare_heads_every = Rate(random, milliseconds(300), seconds(5));
  o.compare_compactions_every = Rate(random, milliseconds(300), seconds(5));
}

// Drawn last, so that older seeds still mean what they did when these are left out.
void DrawLater(base::Random& random, Options& o) {
  o.readers = static_cast<int>(random.Below(4));
  const Nanos full = Rate(random, seconds(5), seconds(30));
  const Nanos error = Rate(random, seconds(5), seconds(30));
  const bool has_faults = random.Below(10) > 0;
  o.sync_full_every = has_faults ? full : Nanos(0);
  o.engine_error_every = has_faults ? error : Nanos(0);
  o.admin.save_every = Rate(random, seconds(2), seconds(20));
  o.compare_at_start = random.Below(4) == 0;
  o.network.second_leader_per_mille = OneOf<std::uint64_t>(random, {0, 0, 100, 500});
}

// What would only make a run slow: hundreds of megabytes of values, logs of ten thousands of files.
void Bound(Options& o) {
  if (o.value_bytes_max <= 1'000) return;
  o.think_max = std::max<Nanos>(o.think_max, milliseconds(50));
  if (o.snapshot_count > 200) {
    o.wal_segment_bytes = std::max<std::uint64_t>(o.wal_segment_bytes, 65'536);
  }
}

}  // namespace

Options Options::Draw(base::Random& random) {
  Options o;
  DrawCluster(random, o);
  DrawMember(random, o);
  DrawWorkload(random, o);
  DrawFaults(random, o);
  DrawNetwork(random, o.network);
  DrawAdmin(random, o.admin);
  if (o.kill_at_step_every > Nanos(0)) {
    o.kill_at_point_every = Rate(random, milliseconds(500), seconds(5));
  }
  DrawComparisons(random, o);
  DrawLater(random, o);
  Bound(o);
  return o;
}

Options Options::LeaveOut(std::string_view names) const {
  Options out = *this;
  // Between commas: "snapshots" does not name "saves", nor the other way round.
  const std::string list = fmt::format(",{},", names);
  const auto names_one = [&list](std::string_view what) {
    return list.find(fmt::format(",{},", what)) != std::string::npos;
  };
  if (names_one("snapshots") && members > 1) out.snapshot_count = 1'000'000;
  if (names_one("changes")) out.admin.reconfigure_every = Nanos(0);
  if (names_one("ruin")) out.admin.ruin_every = Nanos(0);
  if (names_one("checks")) out.compare_heads_every = out.compare_compactions_every = Nanos(0);
  if (names_one("readers")) out.readers = 0;
  if (names_one("errors")) out.sync_full_every = out.engine_error_every = Nanos(0);
  if (names_one("saves")) out.admin.save_every = Nanos(0);
  if (names_one("second-leaders")) out.network.second_leader_per_mille = 0;
  if (names_one("compared-starts")) out.compare_at_start = false;
  return out;
}

std::string Options::ToString() const {
  std::string out = fmt::format("  cluster: {} members, {} spare machines, pre-vote {}, drift {}\n",
                                members, spare_machines, pre_vote, clock_drift_per_mille);
  out += fmt::format(
      "  member: snapshot-count {} catch-up {} segment {} queue {} backlog {} quota {}\n"
      "          compaction batch {} auto {} checkpoint {} engine flush 1/{}\n"
      "          every s: heads compared {} compactions compared {}; compared at start {}\n",
      snapshot_count, catchup_entries, wal_segment_bytes, queued_bytes_max, apply_backlog_max,
      quota_bytes, compaction_batch, auto_compaction_retention, lease_checkpoint,
      engine_flush_one_in, Seconds(compare_heads_every), Seconds(compare_compactions_every),
      compare_at_start);
  out += fmt::format(
      "  watch: pending {} recent {} inbox {} step {} progress {} s fragment {}\n"
      "  threads: hop {} s stall {} per mille up to {} s\n",
      watch_pending_bytes, watch_recent_bytes, watch_inbox_bytes, watch_step_revisions,
      Seconds(progress_interval), fragment_bytes, Seconds(hop_max), stall_per_mille,
      Seconds(stall_max));
  out += fmt::format(
      "  workload: {} kv, {} readers, {} watch, {} lease clients, {} keys, values to {} B, "
      "think {} s, {} s\n",
      kv_clients, readers, watch_clients, lease_clients, keys, value_bytes_max, Seconds(think_max),
      Seconds(duration));
  out += fmt::format(
      "  faults every s: kill {} power {} at-step {} at-point {} stop {} pause {} disk-full {} "
      "engine-full {} sync-error {} sync-full {} engine-error {} wall-jump {}; slow sync {} per "
      "mille up to {} s\n",
      Seconds(kill_every), Seconds(power_loss_every), Seconds(kill_at_step_every),
      Seconds(kill_at_point_every), Seconds(stop_every), Seconds(pause_every),
      Seconds(disk_full_every), Seconds(engine_full_every), Seconds(sync_error_every),
      Seconds(sync_full_every), Seconds(engine_error_every), Seconds(wall_jump_every),
      slow_sync_per_mille, Seconds(slow_sync_max));
  out += fmt::format(
      "  network: latency {} s, per mille: drop {} double {} reorder {} second leader {}; every s: "
      "cut {} slow {} clog {}\n"
      "  operator every s: change {} move {} defragment {} ruin {} save {}\n",
      Seconds(network.latency_max), network.drop_per_mille, network.duplicate_per_mille,
      network.reorder_per_mille, network.second_leader_per_mille, Seconds(network.cut_every),
      Seconds(network.slow_every), Seconds(network.clog_every), Seconds(admin.reconfigure_every),
      Seconds(admin.move_leader_every), Seconds(admin.defragment_every), Seconds(admin.ruin_every),
      Seconds(admin.save_every));
  return out;
}

}  // namespace etcd::simulation
