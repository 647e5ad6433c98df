#!/usr/bin/env python3
"""--auto-rebuild: a member with damaged data becomes whole from the others, under load, and never
when its own could be the last good copy.

    rebuild_test.py [-v] [Test.name]
"""

import glob
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402,F401

from cluster import Cluster, ClusterLoad  # noqa: E402
from etcd_process import EtcdProcess, wait_until  # noqa: E402
from wal_records import records  # noqa: E402

OURS = ["ours", "ours", "ours"]
ARGS = ["--heartbeat-interval=50", "--election-timeout=500", "--snapshot-count=100",
        "--auto-rebuild"]
REBUILT = "rebuilt the data of this member from the other members"


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def damage_log(member):
    """One bit in the middle of the log that the next start reads, and in no padding: that means
    nothing to anybody."""
    path = sorted(glob.glob(os.path.join(member.data_dir, "member", "wal", "*.wal")))[-1]
    written = records(path)
    _, begin, end, _ = written[len(written) // 2]
    flip(path, (begin + end) // 2)


def damage_engine(member):
    """One bit in each table: the start reads all of them but those of values."""
    for path in glob.glob(os.path.join(member.data_dir, "member", "rocksdb", "*.sst")):
        flip(path, 100)


def files_of(member):
    root = os.path.join(member.data_dir, "member")
    out = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            # RocksDB's own diary and the lock change with every start.
            if name.endswith((".wal", ".sst", ".snap")):
                with open(path, "rb") as file:
                    out[path] = hash(file.read())
    return out


class Rebuild(unittest.TestCase):
    def start(self, args=()):
        self.cluster = Cluster(OURS, args=ARGS + list(args))
        self.addCleanup(self.cluster.close)
        self.cluster.start()

    def fill(self):
        for i in range(10):
            self.cluster.leader().etcdctl("put", f"k{i}", f"value{i}")

    def ids(self):
        """{peer URL: (id, is a learner)}"""
        listed = json.loads(self.cluster.leader().etcdctl("member", "list", "-w", "json"))
        return {m["peerURLs"][0]: (m["ID"], m.get("isLearner", False)) for m in listed["members"]}

    def expect_rebuilt(self, member, before):
        """A voter again, as another member than it was, with the same data as all."""
        self.assertTrue(wait_until(lambda: REBUILT in member.whole_log(), 60), member.log_tail())
        after = self.ids()
        new_id, is_learner = after.pop(member.peer_url())
        self.assertNotEqual(new_id, before.pop(member.peer_url())[0])
        self.assertFalse(is_learner)
        self.assertEqual(after, before)
        self.assertEqual(member.etcdctl("get", "k3", "--print-value-only").strip(), "value3")
        self.cluster.expect_equal_hashes()
        self.assertFalse(os.path.exists(os.path.join(member.data_dir, "member", "rebuild")))

    def rebuild_under_load(self, damage, stop):
        self.start()
        before = self.ids()
        victim = self.cluster.followers()[0]
        with ClusterLoad(self.cluster) as load:
            load.wait_writes(500)
            stop(victim)
            damage(victim)
            victim.start(wait_ready=False, timeout=60)
            self.assertTrue(wait_until(lambda: REBUILT in victim.log(), 60), victim.log_tail())
            load.wait_writes(500)
            load.finish()
        self.fill()
        self.expect_rebuilt(victim, before)
        # What was damaged is kept, and in nobody's way.
        self.assertTrue(glob.glob(os.path.join(victim.data_dir, "member", "damaged", "wal", "*")))
        victim.stop()
        victim.start()

    def test_a_damaged_log_is_replaced_under_load(self):
        self.rebuild_under_load(damage_log, lambda member: member.kill())

    def test_a_damaged_engine_is_replaced_under_load(self):
        self.rebuild_under_load(damage_engine, lambda member: member.stop())

    def test_a_member_that_differs_is_replaced_and_its_alarm_goes(self):
        self.start(["--corrupt-check-time=500ms"])
        self.fill()
        before = self.ids()
        victim = self.cluster.followers()[0]
        victim.stop()
        victim.alter_value("k3")
        victim.start(wait_ready=False)
        self.assertEqual(victim.wait_exit(), 1)
        self.assertIn("the data of this member differs from that of the others", victim.log())
        victim.start()
        self.expect_rebuilt(victim, before)
        self.assertEqual(self.cluster.leader().etcdctl("alarm", "list"), "")
        self.cluster.leader().etcdctl("put", "a", "1")

    def test_the_only_member_keeps_what_it_has(self):
        with EtcdProcess(args=ARGS) as etcd:
            etcd.etcdctl("put", "a", "1")
            etcd.kill()
            damage_log(etcd)
            before = files_of(etcd)
            etcd.start(wait_ready=False)
            self.assertEqual(etcd.wait_exit(), 1)
            self.assertIn("it may be the last good copy", etcd.log())
            self.assertEqual(files_of(etcd), before)

    def test_it_waits_for_the_others_to_be_whole(self):
        self.start()
        self.fill()
        before = self.ids()
        other, victim = self.cluster.followers()
        victim.kill()
        other.stop()
        damage_log(victim)
        files = files_of(victim)
        victim.start(wait_ready=False)
        self.assertEqual(victim.wait_exit(60), 1)
        self.assertIn("not rebuilt from the other members", victim.log())
        self.assertEqual(files_of(victim), files)
        other.start(wait_ready=False)
        self.cluster.leader()
        victim.start()
        self.expect_rebuilt(victim, before)

    def test_without_the_flag_nothing_is_replaced(self):
        self.start()
        self.fill()
        before = self.ids()
        victim = self.cluster.followers()[0]
        victim.args.remove("--auto-rebuild")
        victim.kill()
        damage_log(victim)
        files = files_of(victim)
        victim.start(wait_ready=False)
        self.assertEqual(victim.wait_exit(), 1)
        self.assertNotIn("asking the other members", victim.log())
        self.assertEqual(files_of(victim), files)
        self.assertEqual(self.ids(), before)


if __name__ == "__main__":
    unittest.main()
