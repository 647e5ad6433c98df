#!/usr/bin/env python3
"""Our members in clusters with Go's, under load: nothing that clients were told is wrong, the data is
the same on all members after each step, and Go's members log no error about ours.

    mixed_test.py roles v36                  ours joins as a learner, follows, leads, and leaves
    mixed_test.py swap v35 v36 [--hold]      Go -> ours -> Go, one member at a time; the cluster
                                             version rises to 3.6 when all are ours, or, held, stays
    --newcomer VERSION                       in place of ours, to try the test itself
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402

import peers  # noqa: E402
from cluster import Cluster, ClusterLoad, Wrong  # noqa: E402
from etcd_process import EtcdError, wait_until  # noqa: E402

# Go logs it as an error whenever it is told to stop.
_HARMLESS = ("setting up serving from embedded etcd failed.",)


class Mixed:
    def __init__(self, version, count, newcomer, args=()):
        self.newcomer = newcomer
        self.own_args = list(args)
        self.gone = []
        self.cluster = Cluster([version] * count)
        for member in self.cluster.members:
            member.args = flags.for_faults(version)

    def __enter__(self):
        self.cluster.start()
        # Go before 3.5.8 sends progress marks ahead of events (#15220).
        self.load = ClusterLoad(self.cluster, compact=True, rate=300)
        self.load.wait_writes()
        return self

    def __exit__(self, *_):
        self.load.close()
        self.cluster.close()

    def step(self, text):
        """After each: writes go on everywhere, and all members have the same data."""
        self.load.use_endpoints()
        self.cluster.wait_ready()
        self.load.wait_writes(100)
        with self.load.paused():
            self.cluster.expect_equal_hashes()
        for member in self.cluster.members + self.gone:
            expect_no_errors(member)
        print(f"{text}: cluster version {self.cluster.version()}, "
              f"leader {self.cluster.leader().version}", flush=True)

    def join(self, version):
        """A learner that catches up, then a voter."""
        args = flags.for_faults(version) + (self.own_args if version == self.newcomer else [])
        member = self.cluster.add(version, learner=True, start=False)
        member.args = args
        member.start(wait_ready=False)
        self.expect_catches_up(member)
        self.cluster.promote(member)
        return member

    def expect_catches_up(self, member, timeout=30.0):
        head = int(self.cluster.leader().status()["header"]["revision"])

        def is_there():
            status = member.status()
            return status is not None and int(status["header"].get("revision", 0)) >= head
        if not wait_until(is_there, timeout):
            raise EtcdError(f"{member.name} stays behind {head}: {member.status()}\n"
                            f"{member.log_tail()}")

    def leave(self, member):
        self.load.use_endpoints([m for m in self.cluster.members if m is not member])
        self.cluster.remove(member)
        self.gone.append(member)

    def finish(self):
        verdict = self.load.finish()
        print(f"{verdict['checked']} answers checked: nothing wrong")


def expect_no_errors(member):
    if member.version == "ours":
        return
    for line in member.whole_log().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if (record.get("level") in ("error", "dpanic", "panic", "fatal") and
                record.get("msg") not in _HARMLESS):
            raise EtcdError(f"{member.name} ({member.version}) logs {line}")


def roles(options):
    with Mixed(options.versions[0], 2, options.newcomer) as mixed:
        cluster, load = mixed.cluster, mixed.load
        member = mixed.join(options.newcomer)
        mixed.step("follows")
        member.kill()
        load.wait_writes(500)  # until it needs a snapshot
        member.start(wait_ready=False)
        mixed.step("follows after a snapshot")
        cluster.move_leader(member)
        mixed.step("leads")
        other = cluster.followers()[0]
        other.kill()
        load.wait_writes(500)
        other.start(wait_ready=False)
        mixed.step("sent a snapshot")
        member.stop()
        load.wait_writes(100)
        member.start(wait_ready=False)
        mixed.step("came back after a stop")
        cluster.move_leader(member)
        mixed.leave(member)
        mixed.step("has left")
        mixed.finish()


def swap(options):
    before, after = options.versions
    held = ["--hold-cluster-version"] if options.hold else []
    with Mixed(before, 3, options.newcomer, held) as mixed:
        born = mixed.cluster.version()
        for number, old in enumerate(list(mixed.cluster.members)):
            mixed.join(options.newcomer)
            mixed.leave(old)
            mixed.step(f"{number + 1} of {before} replaced by {options.newcomer}")
        wanted = born if options.hold else {"3.6.0"}
        if not wait_until(lambda: mixed.cluster.version() == wanted, 60):
            raise EtcdError(f"cluster version {mixed.cluster.version()}, not {wanted}")
        for number, old in enumerate(list(mixed.cluster.members)):
            mixed.join(after)
            mixed.leave(old)
            mixed.step(f"{number + 1} of {options.newcomer} replaced by {after}")
        mixed.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("roles", "swap"))
    parser.add_argument("versions", nargs="+")
    parser.add_argument("--newcomer", default="ours")
    parser.add_argument("--hold", action="store_true")
    options = parser.parse_args()
    for version in options.versions:
        peers.binary(version)  # skipped without it
    try:
        {"roles": roles, "swap": swap}[options.what](options)
    except (EtcdError, Wrong) as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
