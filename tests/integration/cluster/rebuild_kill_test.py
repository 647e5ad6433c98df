#!/usr/bin/env python3
"""--auto-rebuild is killed again and again, each time a little later: while it asks for a place,
sets its data aside, and joins. Every start goes on where the last one ended, the damaged log exists
somewhere at every moment, and in the end the member is whole, once, and a voter.

    rebuild_kill_test.py [--every 1]     # while it joins: before each step, not each tenth
"""

import argparse
import glob
import hashlib
import json
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402,F401

from cluster import Cluster  # noqa: E402
from etcd_process import EtcdError, wait_until  # noqa: E402
from faulty_io import FaultyIo  # noqa: E402
from rebuild_test import ARGS, OURS, damage_log  # noqa: E402

# States of member/rebuild, "" before there is one. All must be met but "damaged", which the damage
# that a running member meets leaves behind, and which lasts for a step or two.
STATES = ("", "asking", "replacing", "joining")
PATIENCE = 120.0


def state_of(member):
    try:
        with open(os.path.join(member.data_dir, "member", "rebuild"), encoding="utf-8") as note:
            return json.load(note)["state"]
    except FileNotFoundError:
        return ""


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Killed:
    """One replacement, killed at step after step."""

    def __init__(self, cluster, work, every):
        self.cluster = cluster
        self.victim = cluster.followers()[0]
        self.every = every
        self.faults = FaultyIo(work, [self.victim.data_dir])
        self.deaths = {state: 0 for state in (*STATES, "damaged")}
        self.before = self.members()
        for i in range(10):
            cluster.leader().etcdctl("put", f"k{i}", f"value{i}")
        self.victim.kill()
        damage_log(self.victim)
        self.damaged = {digest(path) for path in self.logs("wal")}

    def logs(self, folder):
        return glob.glob(os.path.join(self.victim.data_dir, "member", folder, "*.wal"))

    def members(self):
        """{peer URL: (id, has a name, is a learner)}, of a list that every member was asked for."""
        listed = json.loads(self.cluster.leader().etcdctl("member", "list", "-w", "json"))
        return {m["peerURLs"][0]: (m["ID"], "name" in m, m.get("isLearner", False))
                for m in listed["members"]}

    def start(self, kill_at):
        """True when it was killed; otherwise it is a voter again."""
        self.faults.steps = 0
        self.faults.kill_at = kill_at
        self.victim.env = self.faults.environment()
        self.victim.start(wait_ready=False)
        if not wait_until(lambda: not self.victim.running() or self.is_whole(), PATIENCE):
            raise EtcdError(f"neither killed nor whole\n{self.victim.log_tail()}")
        if self.victim.running():
            return False
        code = self.victim.wait_exit()
        if code != -signal.SIGKILL:
            raise EtcdError(f"ended with {code}\n{self.victim.log_tail()}")
        return True

    def is_whole(self):
        if state_of(self.victim) or not os.path.exists(self.damaged_folder()):
            return False
        own = self.members().get(self.victim.peer_url())
        return own is not None and own[1] and not own[2]

    def damaged_folder(self):
        return os.path.join(self.victim.data_dir, "member", "damaged")

    def check_nothing_is_lost(self):
        kept = {digest(path) for path in self.logs("wal") + self.logs("damaged/wal")}
        if not self.damaged <= kept:
            raise EtcdError("the damaged log is gone")

    def run(self):
        step = 1
        last = ""
        while True:
            state = state_of(self.victim)
            step = 1 if state != last else step
            last = state
            if not self.start(step):
                break
            self.deaths[state_of(self.victim)] += 1
            self.check_nothing_is_lost()
            # Before the first note it is the engine that opens; much of joining is the engine too.
            step += {"": 3, "joining": self.every}.get(state, 1)
        self.check_nothing_is_lost()
        self.expect_whole()

    def expect_whole(self):
        after = self.members()
        if set(after) != set(self.before):
            raise EtcdError(f"members before {self.before}, after {after}")
        for url, member in after.items():
            is_new = member[0] != self.before[url][0]
            if is_new != (url == self.victim.peer_url()) or member[1:] != (True, False):
                raise EtcdError(f"members before {self.before}, after {after}")
        self.victim.stop()
        self.victim.env = {}
        self.victim.start()
        self.cluster.expect_equal_hashes()
        value = self.victim.etcdctl("get", "k3", "--print-value-only").strip()
        if value != "value3":
            raise EtcdError(f"k3 is {value!r}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="etcd-rebuild-") as work, \
            Cluster(OURS, args=ARGS) as cluster:
        killed = Killed(cluster, work, options.every)
        killed.run()
        print(f"deaths by state: {killed.deaths}")
        missed = [state for state in STATES if killed.deaths[state] == 0]
        if missed:
            sys.exit(f"never killed in the states {missed}")


if __name__ == "__main__":
    main()
