#!/usr/bin/env python3
"""Snapshots of Go's Maintenance.Snapshot (and of ours) in the hands of our etcdutl: it says of them
what Go's says, and our server goes on from what it restores as Go's does from what Go's restores.

    restore_test.py v36 [-v] [Test.name]
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import go_dirs  # noqa: E402
from go_dirs import dump, free_ports, hash_kv, peers, wait_until  # noqa: E402

from etcd_process import EtcdProcess  # noqa: E402

VERSION = next((arg for arg in sys.argv[1:2] if arg.startswith("v") or arg == "ours"), "v36")
# The Go tool that ours is compared with; 3.4 had none of its own.
REFERENCE = "v36"
# Of a member that is not restored by itself.
TOKEN = "--initial-cluster-token=restored"


def run_tool(version, *args):
    return subprocess.run([peers.etcdutl(version), *args], capture_output=True, text=True,
                          timeout=120, check=False)


def error_of(done):
    """(exit code, lines that begin with "Error:")"""
    return done.returncode, [line for line in done.stderr.splitlines() if line.startswith("Error:")]


class Restored:
    """Members of a new cluster, each made of the snapshot by the tool of its own server."""

    def __init__(self, test, versions, snapshot, extra=()):
        self.members = []
        urls = [f"http://127.0.0.1:{port}" for port in free_ports(len(versions))]
        cluster = ",".join(f"m{i}={url}" for i, url in enumerate(urls))
        for i, version in enumerate(versions):
            args = [f"--initial-cluster={cluster}", TOKEN]
            member = EtcdProcess(binary=peers.binary(version), name=f"m{i}", env=go_dirs.VERIFY,
                                 args=go_dirs.logging(version) + args)
            test.addCleanup(member.close)
            member.client_port = free_ports(1)[0]
            member.peer_port = int(urls[i].rsplit(":", 1)[1])
            tool = version if version in ("ours", "v35", "v37") else REFERENCE
            done = run_tool(tool, "snapshot", "restore", snapshot, "--data-dir", member.data_dir,
                            "--name", member.name, "--initial-advertise-peer-urls", urls[i],
                            *args, *extra)
            test.assertEqual(done.returncode, 0, done.stderr)
            test.assertEqual(done.stdout, "")
            self.members.append(member)

    def start(self):
        for member in self.members:
            member.start(wait_ready=False)
        for member in self.members:
            def serves(m=member):
                try:
                    return m.http("GET", "/health?exclude=NOSPACE")[0] == 200
                except OSError:
                    return False
            if not wait_until(serves, 60):
                raise go_dirs.EtcdError(f"{member.name} does not serve\n{member.log_tail()}")
        return self.members


def ids(member):
    """(cluster id, member id) as the server tells them."""
    header = member.gateway("/v3/maintenance/status", {})[1]["header"]
    return header["cluster_id"], header["member_id"]


class Restore(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="etcd-exchange-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.path = os.path.join(self.dir, "snapshot.db")
        self.source = go_dirs.member(VERSION)
        self.addCleanup(self.source.close)
        self.source.start()

    def fill(self):
        source = self.source
        lease = source.etcdctl("lease", "grant", "10000").split()[1]
        source.etcdctl("put", "leased", "v", "--lease=" + lease)
        go_dirs.put_many(source, 2000, "x" * 700)
        source.etcdctl("del", "many-1", "--prefix")
        head = go_dirs.put_many(source, 1000, "y" * 70, "more")
        source.etcdctl("put", "large", input_text="L" * 900_000)
        source.etcdctl("compaction", "--physical", str(head - 3))
        source.etcdctl("put", "more-1", "again")
        source.etcdctl("del", "more-2")

    def save(self, path=None, user=()):
        self.source.etcdctl("snapshot", "save", path or self.path, *user)

    def assert_same_status(self, path):
        for form in ("simple", "json", "table", "fields"):
            said = [run_tool(tool, "snapshot", "status", path, "-w", form)
                    for tool in ("ours", REFERENCE)]
            self.assertEqual(said[0].stdout, said[1].stdout)
            self.assertEqual(said[0].returncode, 0, said[0].stderr)
        return json.loads(run_tool("ours", "snapshot", "status", path, "-w", "json").stdout)

    def test_status_says_what_gos_says(self):
        self.save()
        self.assertEqual(self.assert_same_status(self.path)["totalKey"], 0)
        self.fill()
        self.save()
        status = self.assert_same_status(self.path)
        self.assertGreater(status["totalKey"], 100)
        self.assertEqual(status["totalSize"] + 32, os.path.getsize(self.path))
        # A database without the digest, with a revision that nothing was written at.
        done = run_tool(REFERENCE, "snapshot", "restore", self.path, "--data-dir",
                        self.dir + "/bumped", "--bump-revision=1000000000000", "--mark-compacted")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_same_status(self.dir + "/bumped/member/snap/db")

    def test_the_store_is_the_same(self):
        self.fill()
        want = hash_kv(self.source)
        self.save()
        ours, = Restored(self, ["ours"], self.path).start()
        self.assertEqual(hash_kv(ours), want)
        self.assertEqual(len(ours.etcdctl("lease", "list").split()), 4)
        ours.etcdctl("put", "new", "value")
        ours.stop()
        ours.start()
        self.assertEqual(ours.etcdctl("get", "new", "--print-value-only").strip(), "value")
        self.assertEqual(len(ours.etcdctl("get", "large", "--print-value-only").strip()), 900_000)

    def test_members_of_ours_and_of_gos_make_one_cluster(self):
        self.fill()
        want = hash_kv(self.source)
        self.save()
        gos = VERSION if VERSION in ("v35", "v36") else REFERENCE
        members = Restored(self, ["ours", gos, "ours"], self.path).start()
        self.assertEqual(len({ids(member)[0] for member in members}), 1)
        self.assertEqual(len({ids(member)[1] for member in members}), 3)
        self.assertEqual([hash_kv(member) for member in members], [want] * 3)
        for i, member in enumerate(members):
            member.etcdctl("put", f"by-{i}", "v")
        for member in members:
            self.assertEqual(len(member.etcdctl("get", "by-", "--prefix", "--keys-only").split()), 3)
            listed = member.etcdctl("member", "list").splitlines()
            self.assertEqual(len(listed), 3, listed)

    # What Go's restore puts into the database, ours has in the engine: its own snapshot shows it.
    def test_every_bucket_is_as_go_leaves_it(self):
        # Ours does not have authentication yet.
        for command in () if VERSION == "ours" else (
                "user add root:pw", "role add root", "user grant-role root root",
                "user add u:secret", "role add r", "role grant-permission r readwrite a z"):
            self.source.etcdctl(*command.split())
        self.fill()
        self.source.gateway("/v3/maintenance/alarm", {"action": "ACTIVATE", "alarm": "NOSPACE"})
        self.save()
        made = [Restored(self, [version], self.path) for version in ("ours", REFERENCE)]
        go = dump(go_dirs.db_path(made[1].members[0]))
        ours, = made[0].start()
        ours.etcdctl("snapshot", "save", self.dir + "/again.db")
        found = dump(self.dir + "/again.db")
        for bucket in ("key", "auth", "authUsers", "authRoles", "lease", "alarm"):
            self.assertEqual(found.get(bucket, {}), go.get(bucket, {}), bucket)
        self.assertEqual(len(found["alarm"]), 1)
        self.assertEqual(len(found["members"]), 1)
        self.assertNotIn("members_removed", found)

    def test_the_ids_are_gos(self):
        self.save()
        told = []
        for version in ("ours", REFERENCE):
            member, = Restored(self, [version], self.path).start()
            # The same flags would need the same port: the ids of an equal one are compared instead.
            told.append((member, ids(member)))
        member, (cluster_id, member_id) = told[0]
        again = EtcdProcess(binary=peers.binary(REFERENCE), name="m0",
                            args=[TOKEN, f"--initial-cluster=m0={member.peer_url()}"])
        self.addCleanup(again.close)
        again.client_port, again.peer_port = free_ports(1)[0], member.peer_port
        member.stop()
        again.start()
        self.assertEqual(ids(again), (cluster_id, member_id))

    def test_a_bumped_restore(self):
        self.fill()
        before = hash_kv(self.source)[1]
        self.save()
        bump = ("--bump-revision=1000000", "--mark-compacted")
        gos, = Restored(self, [REFERENCE], self.path, bump).start()
        ours, = Restored(self, ["ours"], self.path, bump).start()
        self.assertEqual(hash_kv(ours)[1], before + 1_000_000)

        def compacted():
            return hash_kv(ours) == hash_kv(gos)
        self.assertTrue(wait_until(compacted, 60), (hash_kv(ours), hash_kv(gos)))
        old = ours.etcdctl_result("get", "large", "--rev=" + str(before))
        self.assertIn("required revision has been compacted", old.stderr)
        self.assertEqual(len(ours.etcdctl("get", "large", "--print-value-only").strip()), 900_000)
        head = ours.gateway("/v3/kv/put", {"key": "YQ=="})[1]["header"]["revision"]
        self.assertEqual(int(head), before + 1_000_001)


class Refusals(unittest.TestCase):
    """Each said alike by our tool and by Go's."""
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="etcd-exchange-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        source = go_dirs.member(VERSION)
        self.addCleanup(source.close)
        source.start()
        go_dirs.put_many(source, 300, "x" * 100)
        self.good = self.dir + "/good.db"
        source.etcdctl("snapshot", "save", self.good)
        with open(self.good, "rb") as file:
            self.bytes = file.read()

    def file(self, content):
        path = os.path.join(self.dir, "other.db")
        with open(path, "wb") as file:
            file.write(content)
        return path

    def assert_alike(self, *args, says):
        answers = []
        for tool in ("ours", REFERENCE):
            made = os.path.join(self.dir, "made")
            given = [made if arg == "NEW" else arg for arg in args]
            answers.append(error_of(run_tool(tool, *given)))
            shutil.rmtree(made, ignore_errors=True)
        self.assertEqual(answers[0], answers[1], args)
        self.assertIn(says, answers[0][1][0] if answers[0][1] else "")

    def assert_restore_alike(self, path, *args, says):
        self.assert_alike("snapshot", "restore", path, "--data-dir", "NEW", *args, says=says)

    def test_files(self):
        altered = bytearray(self.bytes)
        altered[9000] ^= 1
        for content, says in ((bytes(altered), "expected sha256 ["),
                              (self.bytes[:-32], "snapshot missing hash"),
                              (self.bytes[:-100], "snapshot missing hash"),
                              (self.bytes[:8224], "expected sha256 ["),
                              (b"", "invalid argument"), (b"junk", "invalid argument")):
            self.assert_restore_alike(self.file(content), says=says)
        self.assert_restore_alike(self.dir + "/nosuch", says="no such file or directory")
        self.assert_alike("snapshot", "status", self.dir + "/nosuch", says="no such file")

    def test_options(self):
        for args, says in (
                (("--name=x",), "couldn't find local name"),
                (("--initial-cluster=bad",), "URL scheme must be"),
                (("--initial-advertise-peer-urls=localhost",), "URL scheme must be"),
                (("--initial-cluster=",), "couldn't find local name"),
                (("--initial-cluster=default=http://127.0.0.1:1",), "missing from"),
                (("--initial-cluster=default=http://localhost:2380,b=http://localhost:2380",),
                 "has duplicate url"),
                (("--bump-revision=5",), "--mark-compacted required"),
                (("--mark-compacted",), "--mark-compacted required"),
                (("--bump-revision=x",), "invalid syntax"),
                (("--wal-dir=" + self.dir,), "exists"),
                (("--nosuch",), "unknown flag"),
                (("extra",), "requires exactly one argument")):
            self.assert_restore_alike(self.good, *args, says=says)
        self.assert_alike("snapshot", "restore", self.good, "--data-dir", self.dir,
                          says="not empty or could not be read")
        self.assert_alike("snapshot", "status", says="requires exactly one argument")
        self.assert_alike("snapshot", "status", self.good, "-w", "protobuf", says="not supported")
        self.assert_alike("snapshot", "status", self.good, "-w", "x", says="unsupported")
        self.assert_alike("nosuch", says="unknown command")

    # Go's tool crashes, or restores it.
    def test_damage_that_the_digest_does_not_tell(self):
        for content in (self.bytes[:12000], self.bytes[:8192] + b"\0" * (len(self.bytes) - 8192)):
            made = os.path.join(self.dir, "made")
            done = run_tool("ours", "snapshot", "restore", self.file(content), "--data-dir", made,
                            "--skip-hash-check")
            self.assertEqual(done.returncode, 1)
            self.assertIn("page", done.stderr)
            self.assertFalse(os.path.exists(made))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == VERSION:
        sys.argv.pop(1)
    peers.etcdutl(REFERENCE)  # skipped without it
    unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[1:])
