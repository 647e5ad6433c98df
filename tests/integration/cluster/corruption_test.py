#!/usr/bin/env python3
"""One value of one member altered under valid checksums: the comparisons of the members find it and
name the member. Members that are equal, Go's among them, raise no alarm.

    corruption_test.py [-v] [Test.name]
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402,F401

import peers  # noqa: E402
from cluster import Cluster  # noqa: E402
from etcd_process import wait_until  # noqa: E402

OURS = ["ours", "ours", "ours"]
FAST = ["--heartbeat-interval=50", "--election-timeout=500"]
HEADS = ["--corrupt-check-time=500ms"]
COMPACTIONS = ["--feature-gates=CompactHashCheck=true", "--compact-hash-check-time=500ms"]


class Corruption(unittest.TestCase):
    def start(self, members, args):
        self.cluster = Cluster(members, args=FAST + args)
        self.addCleanup(self.cluster.close)
        self.cluster.start()
        self.put("value")

    def put(self, value):
        leader = self.cluster.leader()
        for i in range(10):
            leader.etcdctl("put", f"k{i}", f"{value}{i}")

    def alarms(self):
        """As etcdctl lists them: "memberID:123 alarm:CORRUPT"."""
        return self.cluster.leader().etcdctl("alarm", "list").split("\n")[:-1]

    def expect_alarm(self, member_id):
        wanted = [f"memberID:{member_id} alarm:CORRUPT "]
        self.assertTrue(wait_until(lambda: self.alarms() == wanted, 60), self.alarms())

    def alter(self, member):
        """Stops it with one value altered; returns its id."""
        # It has applied what it is to alter.
        self.assertTrue(wait_until(
            lambda: member.etcdctl_result("get", "k3").stdout.strip() != "", 10))
        member_id = member.member_id()
        member.stop()
        member.alter_value("k3")
        return member_id

    def test_the_start_is_refused_and_the_leader_names_the_member(self):
        self.start(OURS, HEADS)
        victim = self.cluster.followers()[0]
        member_id = self.alter(victim)
        victim.args.append("--feature-gates=InitialCorruptCheck=true")
        victim.start(wait_ready=False)
        self.assertEqual(victim.wait_exit(), 1)
        self.assertIn("found different hash values from remote peer", victim.log())
        self.assertIn(f"{int(member_id):x} found data inconsistency with peers", victim.log())
        self.assertEqual(self.alarms(), [])

        victim.args.pop()
        victim.start(wait_ready=False)
        self.expect_alarm(member_id)
        leader = self.cluster.leader()
        self.assertIn("same compact revision then hashes must match", leader.whole_log())
        for command in (("put", "a", "1"), ("del", "a"), ("lease", "grant", "60"),
                        ("compaction", "3")):
            for member in self.cluster.members:
                self.assertIn("etcdserver: corrupt cluster",
                              member.etcdctl_result(*command).stderr, command)
        self.assertEqual(leader.etcdctl("get", "k3", "--print-value-only").strip(), "value3")
        status, _, body = leader.http("GET", "/readyz")
        self.assertEqual(status, 503)
        self.assertIn(b"[-]data_corruption failed: alarm activated: CORRUPT", body)
        self.assertIn(b"ALARM CORRUPT", leader.http("GET", "/health")[2])

        leader.etcdctl("alarm", "disarm")  # the next round finds it again
        self.expect_alarm(member_id)

    def test_the_majority_is_right_against_the_leader(self):
        self.start(OURS, COMPACTIONS)
        victim = self.cluster.leader()
        member_id = self.alter(victim)
        victim.start()
        self.cluster.move_leader(victim)
        victim.etcdctl("put", "a", "1")
        victim.etcdctl("compaction", "11")
        self.expect_alarm(member_id)
        self.assertIn("Detected compaction hash mismatch", victim.whole_log())

    def test_equal_members_start_and_stay_without_alarm(self):
        self.start(OURS, HEADS + ["--feature-gates=CompactHashCheck=true,InitialCorruptCheck=true",
                                  "--compact-hash-check-time=500ms"])
        self.check_no_alarms()
        member = self.cluster.followers()[0]
        member.stop()
        member.start()
        self.assertIn("initial corruption checking passed; no corruption", member.log())
        self.assertEqual(self.alarms(), [])
        # Maintenance.Hash goes over everything that members have in common.
        self.assertTrue(wait_until(lambda: len({
            m.gateway("/v3/maintenance/hash", {})[1]["hash"] for m in self.cluster.members}) == 1, 10))

    def check_no_alarms(self):
        """Several rounds of both checks, with new revisions and compactions between them."""
        leader = self.cluster.leader()
        for round_number in range(1, 4):
            self.put(f"round{round_number}")
            leader.etcdctl("compaction", str(10 * round_number))
            wanted = round_number
            agreed = lambda: leader.whole_log().count(  # noqa: E731
                "successfully checked hash on whole cluster") >= wanted
            self.assertTrue(wait_until(agreed, 60), leader.log_tail())
        self.assertEqual(self.alarms(), [])
        for text in ("same compact revision then hashes must match", "mismatch"):
            self.assertNotIn(text, leader.whole_log())

    def test_beside_go_members_hashes_are_equal_whoever_leads(self):
        self.start(["ours", "v36", "v36"], HEADS + COMPACTIONS)
        ours, go = self.cluster.members[:2]
        for leader in (ours, go):
            self.cluster.move_leader(leader)
            self.put("for-" + leader.name)
        self.check_no_alarms()
        self.cluster.move_leader(ours)
        revision = int(ours.status()["header"]["revision"])
        self.put("last")
        ours.etcdctl("compaction", str(revision))
        self.assertTrue(wait_until(
            lambda: "successfully checked hash on whole cluster" in ours.whole_log(), 20))
        self.assertEqual(self.alarms(), [])
        # And Go's leader names ours.
        self.cluster.move_leader(go)
        member_id = self.alter(ours)
        ours.start(wait_ready=False)  # with the alarm it never is
        self.cluster.move_leader(go)
        self.expect_alarm(member_id)


if __name__ == "__main__":
    peers.binary("v36")  # skipped without it
    unittest.main()
