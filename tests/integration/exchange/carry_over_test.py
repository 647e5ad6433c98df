#!/usr/bin/env python3
"""What ours must carry over from the directory of one of Go's etcds, and give back by an export:
the log beyond the database, authentication, leases, alarms, removed members, half-done compactions.

    carry_over_test.py v35 [-v] [Test.name]
"""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import go_dirs  # noqa: E402
from go_dirs import become, db_path, dump, hash_kv, hexed, wait_until  # noqa: E402

from cluster import Cluster  # noqa: E402

VERSION = next((arg for arg in sys.argv[1:2] if arg.startswith("v")), "v36")
# Ours keeps the cluster at its version, so that Go's can go on afterwards.
HELD = ["--hold-cluster-version"]
REMOVED = "the member has been permanently removed from the cluster"
# Slow enough to be killed half-way; 3.4 pauses for 10 ms after each of its batches, too.
SLOW_COMPACTION = {
    "v34": ["--experimental-compaction-batch-limit=20"],
    "v35": ["--experimental-compaction-batch-limit=20"],
    "v36": ["--compaction-batch-limit=20"],
}


class CarryOver(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.member = go_dirs.member(VERSION)
        self.addCleanup(self.member.close)

    def start_go(self, args=()):
        become(self.member, VERSION, args)
        self.member.start()
        # A version that is not decided yet would be decided by ours.
        self.assertTrue(wait_until(
            lambda: b"not_decided" not in self.member.http("GET", "/version")[2], 15))
        return self.member

    def go_on_with_ours(self, args=()):
        become(self.member, "ours", HELD + list(args))
        return self.start()

    def start(self):
        """As the process's own, which takes a member with an alarm for one that is not ready."""
        self.member.start(wait_ready=False)

        def serves():
            try:
                return self.member.http("GET", "/health?exclude=NOSPACE")[0] == 200
            except OSError:
                return False
        self.assertTrue(wait_until(serves, 60), self.member.log_tail())
        return self.member

    def back_to_go(self, args=()):
        """Stops ours, exports, and starts Go's etcd on the export; the exported database."""
        self.member.stop()
        go_dirs.export_in_place(self.member)
        exported = dump(db_path(self.member))
        become(self.member, VERSION, args)
        self.start()
        return exported

    def test_the_log_beyond_the_database(self):
        go = self.start_go()
        for _ in range(10):
            go.etcdctl("put", "first", "1")
            head = go_dirs.put_many(go, 1000)
            go.kill()  # Go's database is behind by what came in its last 100 ms
            newest = max((int(key[:16], 16) for key in dump(db_path(go)).get("key", {})), default=0)
            if newest < head:
                break
            go.start()
        self.assertLess(newest, head)
        ours = self.go_on_with_ours()
        before = hash_kv(ours)
        self.assertEqual(before[1], head)
        ours.kill()  # the same once more: the exported log goes on after the exported database
        go_dirs.export_in_place(ours)
        become(self.member, VERSION)
        self.member.start()
        self.assertEqual(hash_kv(self.member), before)

    def test_authentication(self):
        go = self.start_go()
        for command in ("user add root:pw", "user add u:secret", "role add r",
                        "role grant-permission r readwrite a z", "user grant-role u r",
                        "auth enable"):
            go.etcdctl(*command.split())
        go.etcdctl("put", "k", "v", "--user=u:secret")
        go.stop()
        original = dump(db_path(go))
        ours = self.go_on_with_ours()
        warned = [r for r in ours.log_records() if "authentication is enabled" in r.get("msg", "")]
        self.assertEqual(len(warned), 1)
        ours.etcdctl("put", "other", "1")
        exported = self.back_to_go()
        for bucket in ("auth", "authUsers", "authRoles"):
            self.assertEqual(exported[bucket], original[bucket])
        self.assertEqual(exported["auth"][hexed("authEnabled")], "01")
        go = self.member
        self.assertIn("user name is empty", go.etcdctl_result("get", "k").stderr)
        self.assertEqual(
            go.etcdctl("get", "k", "--print-value-only", "--user=u:secret").strip(), "v")
        refused = go.etcdctl_result("put", "~", "v", "--user=u:secret")
        self.assertIn("permission denied", refused.stderr)

    def test_a_log_that_needs_authentication_is_refused(self):
        go = self.start_go()
        go.etcdctl("user", "add", "root:pw")
        go.stop()
        # The same directory, with the database of before the last change.
        kept = go.data_dir + ".db"
        go_dirs.copy_dir(db_path(go), kept)
        go.start()
        go.etcdctl("user", "add", "late:pw")
        go.stop()
        os.replace(kept, db_path(go))
        ours = self.member
        become(ours, "ours")
        ours.start(wait_ready=False)
        self.assertEqual(ours.wait_exit(), 1)
        self.assertIn("needs authentication", ours.log())
        become(ours, VERSION)
        ours.start()
        self.assertEqual(ours.etcdctl("user", "list").split(), ["late", "root"])
        ours.stop()
        self.go_on_with_ours()

    def test_leases(self):
        go = self.start_go()
        long = go.etcdctl("lease", "grant", "1000").split()[1]
        short = go.etcdctl("lease", "grant", "3").split()[1]
        go.etcdctl("put", "kept", "v", "--lease=" + long)
        go.etcdctl("put", "moved", "v", "--lease=" + long)
        go.etcdctl("put", "moved", "v", "--lease=" + short)
        go.etcdctl("put", "freed", "v", "--lease=" + short)
        go.etcdctl("put", "freed", "v")
        go.stop()
        original = dump(db_path(go))["lease"]
        ours = self.go_on_with_ours()
        keys = json.loads(ours.etcdctl("lease", "timetolive", long, "--keys", "-w", "json"))
        self.assertEqual(keys["granted-ttl"], 1000)
        self.assertEqual(len(keys["keys"]), 1)
        # It expires here, with the key that it had last and not the other.
        self.assertTrue(wait_until(
            lambda: ours.etcdctl("get", "moved", "--print-value-only") == "", 30))
        self.assertEqual(ours.etcdctl("get", "freed", "--print-value-only").strip(), "v")
        exported = self.back_to_go()["lease"]
        self.assertEqual(len(exported), 1)
        self.assertLessEqual(set(exported.items()), set(original.items()))
        go = self.member
        self.assertEqual(go.etcdctl("lease", "list").split()[-1], long)
        go.etcdctl("lease", "revoke", long)
        self.assertEqual(go.etcdctl("get", "kept"), "")

    def test_alarms(self):
        quota = ["--quota-backend-bytes=3000000"]
        go = self.start_go(quota)
        value = "x" * 500_000
        for _ in range(20):
            if go.etcdctl_result("put", "big", input_text=value).returncode != 0:
                break
        self.assertIn("NOSPACE", go.etcdctl("alarm", "list"))
        alarm = go.etcdctl("alarm", "list")
        go.stop()
        original = dump(db_path(go))["alarm"]
        ours = self.go_on_with_ours(quota)
        self.assertEqual(ours.etcdctl("alarm", "list"), alarm)
        refused = ours.etcdctl_result("put", "a", "b")
        self.assertIn("database space exceeded", refused.stderr)
        self.assertEqual(self.back_to_go()["alarm"], original)
        go = self.member
        self.assertEqual(go.etcdctl("alarm", "list"), alarm)
        go.etcdctl("alarm", "disarm")
        go.etcdctl("put", "a", "b")

    def test_a_half_done_compaction(self):
        go = self.start_go(SLOW_COMPACTION[VERSION])
        head = go_dirs.put_many(go, 12_000)
        go.etcdctl("compaction", str(head - 2))
        go.kill()
        before = dump(db_path(go))
        marks = before["meta"]
        self.assertNotEqual(marks[hexed("scheduledCompactRev")],
                            marks.get(hexed("finishedCompactRev")))
        twin = self.twin()
        ours = self.go_on_with_ours()
        self.assertEqual(hash_kv(ours), hash_kv(twin.start()))
        exported = self.back_to_go()
        self.assertLess(len(exported["key"]), len(before["key"]))
        done = exported["meta"]
        self.assertEqual(done[hexed("finishedCompactRev")], marks[hexed("scheduledCompactRev")])
        self.assertEqual(hash_kv(self.member), hash_kv(twin))

    @unittest.skipUnless(VERSION == "v34", "etcdutl of later versions writes the members anew")
    def test_a_directory_that_etcdctl_restored(self):
        """3.4 leaves the source's members in the database: Go's 3.6 panics on such a directory."""
        go = self.start_go()
        go.etcdctl("put", "a", "1")
        before = hash_kv(go)
        snapshot = go.data_dir + ".snapshot"
        go.etcdctl("snapshot", "save", snapshot)
        go.stop()
        restored = go_dirs.member("ours", HELD)
        self.addCleanup(restored.close)
        restored.client_port, restored.peer_port = go_dirs.free_ports(2)
        go.etcdctl("snapshot", "restore", snapshot, "--data-dir", restored.data_dir,
                   "--name", restored.name,
                   "--initial-cluster", f"{restored.name}={restored.peer_url()}",
                   "--initial-advertise-peer-urls", restored.peer_url())
        restored.start()
        self.assertEqual(hash_kv(restored), before)
        listed = json.loads(restored.etcdctl("member", "list", "-w", "json"))["members"]
        self.assertEqual([m["peerURLs"] for m in listed], [[restored.peer_url()]])

    def tearDown(self):
        if self.member.running():
            go_dirs.stop_verified(self.member)

    def twin(self):
        """Go's etcd on a copy of the directory, as it would have gone on."""
        twin = go_dirs.member(VERSION)
        self.addCleanup(twin.close)
        go_dirs.copy_dir(self.member.data_dir, twin.data_dir)
        return twin


class RemovedMembers(unittest.TestCase):
    """Of three, one is removed before ours take over the directories."""

    def setUp(self):
        self.cluster = Cluster([VERSION] * 3)
        self.addCleanup(self.cluster.close)
        for member in self.cluster.members:
            become(member, VERSION)
        self.cluster.start()

    def test_removed_members_stay_removed(self):
        cluster = self.cluster
        leader = cluster.leader()
        gone = cluster.followers()[0]
        gone_id = cluster.id_of(gone)
        cluster._retry(lambda: leader.etcdctl_result("member", "remove", gone_id))
        gone.kill()
        rest = [member for member in cluster.members if member is not gone]
        for member in rest:
            leader.etcdctl("put", "to-" + member.name, "v")
        for member in rest:
            member.stop()
            become(member, "ours", HELD)
        for member in rest:
            member.start(wait_ready=False)
        cluster.members = rest
        cluster.wait_ready()
        listed = json.loads(rest[0].etcdctl("member", "list", "-w", "json"))["members"]
        self.assertEqual(len(listed), 2)
        become(gone, "ours", HELD)
        gone.start(wait_ready=False)
        self.assertEqual(gone.wait_exit(), 0)
        self.assertIn(REMOVED, gone.log())
        for member in rest:
            member.stop()
            go_dirs.export_in_place(member)
            removed = dump(db_path(member))["members_removed"]
            self.assertIn(hexed(gone_id), removed)
            become(member, VERSION)
        cluster.start()
        cluster.expect_equal_hashes()


if __name__ == "__main__":
    go_dirs.peers.binary(VERSION)  # skipped without it
    unittest.main(argv=[sys.argv[0], "-v"] + [arg for arg in sys.argv[1:] if arg != VERSION])
