#!/usr/bin/env python3
"""How long a cluster takes no writes when its leader goes: killed, at most 1.5 election timeouts in
the median; told to stop, not a single write of clients of the others may fail.

    failover_test.py [--members ours,ours,ours] [--kills 10] [--stops 5]
"""

import argparse
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402

from cluster import Cluster, ClusterLoad, Wrong  # noqa: E402
from etcd_process import EtcdError  # noqa: E402

ELECTION_MS = 1000  # etcd's default
KILLED_MEDIAN_MS = 1.5 * ELECTION_MS
SIGTERM_STATUS = -15


def kill_leaders(cluster, count):
    """Longest time without an acknowledged write of each kill, in milliseconds."""
    gaps = []
    with ClusterLoad(cluster, rate=1000) as load:
        # Election timeouts are drawn from [1, 2): the median of few is sometimes high by chance, that
        # of three times as many is not.
        while len(gaps) < count or (len(gaps) < 3 * count and
                                    statistics.median(gaps) > KILLED_MEDIAN_MS):
            load.wait_writes(100)
            leader = cluster.leader()
            load.mark()
            leader.kill()
            load.wait_writes(50)
            report = load.report()
            gaps.append(report["longest_gap_ms"])
            print(f"kill {len(gaps)}: {gaps[-1]:.0f} ms, {report['errors']}", flush=True)
            leader.start()
        load.finish()
    return gaps


def stop_leaders(cluster, count):
    """The same for SIGTERM, with 8 writers on the members that stay."""
    gaps = []
    with ClusterLoad(cluster, writers=8, rate=2000) as load:
        for number in range(count):
            leader = cluster.leader()
            load.use_endpoints(cluster.followers())
            load.wait_writes(300)
            load.mark()
            status = leader.stop()
            load.wait_writes(300)
            report = load.report()
            if status != SIGTERM_STATUS or report["failed_writes"]:
                raise EtcdError(f"stop {number}: exit status {status}, {report}\n"
                                f"{leader.log_tail()}")
            gaps.append(report["longest_gap_ms"])
            print(f"stop {number}: {gaps[-1]:.0f} ms", flush=True)
            leader.start()
            cluster.wait_ready()
        load.use_endpoints()
        load.finish()
    return gaps


def run(versions, measure, count):
    cluster = Cluster(versions)
    for member in cluster.members:
        member.args = flags.logging(member.version)
    with cluster:
        gaps = measure(cluster, count)
        cluster.expect_equal_hashes()
    return gaps


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", default="ours,ours,ours")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--stops", type=int, default=5)
    options = parser.parse_args()
    versions = options.members.split(",")
    try:
        killed = run(versions, kill_leaders, options.kills) if options.kills else []
        stopped = run(versions, stop_leaders, options.stops) if options.stops else []
    except (EtcdError, Wrong) as failure:
        sys.exit(str(failure))
    for name, gaps in (("killed", killed), ("stopped", stopped)):
        if gaps:
            print(f"leader {name} {len(gaps)} times: no writes for {statistics.median(gaps):.0f} ms "
                  f"in the median, {max(gaps):.0f} ms at most")
    if killed and statistics.median(killed) > KILLED_MEDIAN_MS:
        sys.exit(f"more than {KILLED_MEDIAN_MS:.0f} ms")


if __name__ == "__main__":
    main()
