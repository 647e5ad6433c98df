#!/usr/bin/env python3
"""Kills, stops, pauses, cuts, delays, lost packets and slow disks under 64 writers: everything that
is promised of the API holds for all that clients were told, writes go on after each fault, and all
members come to the same data.

    faults_test.py [--members ours,ours,ours] [--rounds 30] [--seed N] [--faults kill_leader,...]
                   [--loopback]

On loopback (no root) without the faults of the network.
"""

import argparse
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402

import seeds  # noqa: E402
from cluster import Cluster, ClusterLoad, Wrong  # noqa: E402
from etcd_process import EtcdError, free_ports  # noqa: E402,F401
from faulty_io import LOG, FaultyIo  # noqa: E402
from network import Network  # noqa: E402


class Faults:
    """Each fault begins it and returns what ends it."""

    LOCAL = ("kill_one", "kill_leader", "kill_minority", "kill_all", "stop_one", "stop_leader",
             "pause_one", "pause_leader", "pause_all", "slow_leader_disk")
    NETWORK = ("isolate_leader", "isolate_one", "split", "mute_leader", "deaf_leader", "deaf_one",
               "bridge", "delay", "lose")

    def __init__(self, cluster, randomness, disks):
        self.cluster = cluster
        self.random = randomness
        self.disks = disks
        self.minority = (len(cluster.members) - 1) // 2

    def names(self):
        names = list(self.LOCAL) + (list(self.NETWORK) if self.cluster.network else [])
        return names if self.disks else [name for name in names if "disk" not in name]

    def _one(self):
        return self.random.choice(self.cluster.members)

    def _some(self):
        return self.random.sample(self.cluster.members, self.minority)

    # ---- Processes

    def _killed(self, members):
        for member in members:
            member.kill()
        return lambda: [member.start(wait_ready=False) for member in members]

    def kill_one(self):
        return self._killed([self._one()])

    def kill_leader(self):
        return self._killed([self.cluster.leader()])

    def kill_minority(self):
        return self._killed(self._some())

    def kill_all(self):
        return self._killed(list(self.cluster.members))

    def _stopped(self, member):
        member.stop()
        return lambda: member.start(wait_ready=False)

    def stop_one(self):
        return self._stopped(self._one())

    def stop_leader(self):
        return self._stopped(self.cluster.leader())

    def _paused(self, members):
        for member in members:
            member.pause()
        return lambda: [member.resume() for member in members]

    def pause_one(self):
        return self._paused([self._one()])

    def pause_leader(self):
        return self._paused([self.cluster.leader()])

    def pause_all(self):
        return self._paused(list(self.cluster.members))

    def slow_leader_disk(self):
        disk = self.disks[self.cluster.leader().name]
        disk.slow_millis = self.random.choice((50, 300, 1000))
        disk.slow_syncs = LOG

        def end():
            disk.slow_syncs = 0
        return end

    # ---- Between members

    def _others(self, member):
        return [other for other in self.cluster.members if other is not member]

    def isolate_leader(self):
        self.cluster.network.isolate(self.cluster.leader().net)
        return self.cluster.network.heal

    def isolate_one(self):
        self.cluster.network.isolate(self._one().net)
        return self.cluster.network.heal

    def split(self):
        part = self._some()
        for a in part:
            for b in self.cluster.members:
                if b not in part:
                    self.cluster.network.cut_both(a.net, b.net)
        return self.cluster.network.heal

    def mute_leader(self):
        """It hears all and nobody hears it."""
        leader = self.cluster.leader()
        for other in self._others(leader):
            self.cluster.network.cut(leader.net, other.net)
        return self.cluster.network.heal

    def deaf_leader(self):
        leader = self.cluster.leader()
        for other in self._others(leader):
            self.cluster.network.cut(other.net, leader.net)
        return self.cluster.network.heal

    def deaf_one(self):
        """A follower does not hear the leader, all else goes through."""
        leader = self.cluster.leader()
        self.cluster.network.cut(leader.net, self.random.choice(self._others(leader)).net)
        return self.cluster.network.heal

    def bridge(self):
        """Two halves with one member in both."""
        members = self.random.sample(self.cluster.members, len(self.cluster.members))
        half = len(members) // 2
        for a in members[:half]:
            for b in members[half + 1:]:
                self.cluster.network.cut_both(a.net, b.net)
        return self.cluster.network.heal

    def _relayed(self, *delay):
        for a in self.cluster.members:
            for b in self._others(a):
                self.cluster.network.delay(a.net, b.net, *delay)
        return self.cluster.network.heal

    def delay(self):
        return self._relayed(0.075, 0.05)

    def lose(self):
        return self._relayed(0.0, 0.0, 0.5)


def make_cluster(versions, network, work):
    """With slow disks where a member is ours: Go's makes its system calls itself."""
    cluster = Cluster(versions, network)
    disks = {}
    for member in cluster.members:
        member.args = flags.for_faults(member.version)
        if member.version == "ours":
            folder = os.path.join(work, member.name)
            os.mkdir(folder)
            disks[member.name] = FaultyIo(folder, [member.data_dir])
            member.env.update(disks[member.name].environment())
    return cluster, disks if len(disks) == len(versions) else {}


def run_rounds(cluster, faults, load, options, randomness):
    names = options.faults.split(",") if options.faults else faults.names()
    deck = []
    for number in range(options.rounds):
        if not deck:
            deck = randomness.sample(names, len(names))
        name = deck.pop()
        load.mark()
        try:
            end = getattr(faults, name)()
            time.sleep(randomness.uniform(0.2, 1.5))  # how long it lasts is an input of the round
            end()
            load.wait_writes(100)
        except (EtcdError, Wrong) as failure:
            raise type(failure)(f"round {number}, {name}: {failure}") from None
        report = load.report()
        print(f"{number:3} {name:16} gap {report['longest_gap_ms']:6.0f} ms  head {report['head']}",
              flush=True)
    cluster.wait_ready()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", default="ours,ours,ours")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--faults", default="")
    parser.add_argument("--loopback", action="store_true")
    options, randomness = seeds.parse(parser)
    network = None if options.loopback else Network()
    versions = options.members.split(",")
    # Releases whose progress marks can be ahead of the events (#15220).
    progress = "v34" not in versions
    with tempfile.TemporaryDirectory(prefix="etcd-cluster-") as work:
        cluster, disks = make_cluster(versions, network, work)
        faults = Faults(cluster, randomness, disks)
        try:
            with cluster, ClusterLoad(cluster, compact=True, progress=progress, rate=600,
                                      seed=options.seed) as load:
                load.wait_writes()
                run_rounds(cluster, faults, load, options, randomness)
                verdict = load.finish()
                cluster.expect_equal_hashes()
        except (EtcdError, Wrong) as failure:
            sys.exit(f"seed {options.seed}: {failure}")
    print(f"{options.rounds} faults, {verdict['checked']} answers checked: nothing wrong")


if __name__ == "__main__":
    main()
