#!/usr/bin/env python3
"""A whole cluster of Go's changes to ours and back by its directories, while clients write: Go's
members stop, ours go on from their directories, stop, are exported, and Go's go on from that.
Nothing that clients were told is wrong, and after each change all members have the HashKV of before.

    round_trip_test.py v35
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import go_dirs  # noqa: E402
from go_dirs import EtcdError, peers, wait_until  # noqa: E402

from cluster import Cluster, ClusterLoad, Wrong  # noqa: E402

_FAST = ["--heartbeat-interval=50", "--election-timeout=500"]
# More than what a member keeps of its log is written in between.
_SNAPSHOTS = ["--snapshot-count=200"]


def flags_of(version):
    # As long as it is held, the way back is open; a cluster of 3.6 has nothing to hold.
    held = ["--hold-cluster-version"] if version == "ours" else []
    return go_dirs.logging(version) + _FAST + _SNAPSHOTS + held


def become(cluster, version):
    for member in cluster.members:
        member.binary = peers.binary(version)
        member.version = version
        member.args = flags_of(version)


def stop_all(cluster, kill_last):
    """One after the other; the last is killed in the middle of its work."""
    for member in cluster.members[:-1]:
        go_dirs.stop_verified(member)
    last = cluster.members[-1]
    last.kill() if kill_last else last.stop()


def agreed_state(cluster):
    """HashKV, compact revision, members and cluster version, the same on all."""
    cluster.expect_equal_hashes()
    (state,) = set(cluster.hashes().values())
    listed = cluster.members[0].etcdctl("member", "list")
    return state, sorted(listed.splitlines()), cluster.version()


def change(cluster, load, version, convert, kill_last):
    """All members become those of `version`, without a write in between: the same state."""
    load.wait_writes(300)
    load.pause()
    before = agreed_state(cluster)
    stop_all(cluster, kill_last)
    for member in cluster.members:
        convert(member)
    become(cluster, version)
    cluster.start()
    after = agreed_state(cluster)
    if after != before:
        raise EtcdError(f"{version} has {after}, before: {before}")
    load.resume()
    load.wait_writes(300)
    print(f"now {version}: {after[0]} at cluster version {after[2]}", flush=True)


def change_under_load(cluster, load, version, convert):
    """The same while clients go on trying: what the log has beyond the database carries over."""
    load.wait_writes(100)
    stop_all(cluster, kill_last=True)
    for member in cluster.members:
        convert(member)
    become(cluster, version)
    cluster.start()
    load.wait_writes(300)
    with load.paused():
        cluster.expect_equal_hashes()
    print(f"now {version}, changed under load", flush=True)


def expect_originals(cluster):
    for member in cluster.members:
        if not os.path.exists(go_dirs.db_path(member) + ".imported"):
            raise EtcdError(f"{member.name} has no marked original")


def run(version):
    cluster = Cluster([version] * 3, env=go_dirs.VERIFY)
    become(cluster, version)
    with cluster, ClusterLoad(cluster, compact=True, rate=300) as load:
        wait_until(lambda: "not_decided" not in cluster.version(), 60)
        change(cluster, load, "ours", lambda member: None, kill_last=False)
        expect_originals(cluster)
        change(cluster, load, version, go_dirs.export_in_place, kill_last=True)
        for member in cluster.members:
            os.rename(member.data_dir + ".ours", member.data_dir + ".first")
        change_under_load(cluster, load, "ours", lambda member: None)
        change_under_load(cluster, load, version, go_dirs.export_in_place)
        verdict = load.finish()
        print(f"{verdict['checked']} answers checked: nothing wrong")


def main():
    version = sys.argv[1]
    peers.binary(version)  # skipped without it
    try:
        run(version)
    except (EtcdError, Wrong) as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
