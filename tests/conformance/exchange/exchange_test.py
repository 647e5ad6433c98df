#!/usr/bin/env python3
"""Data changes hands between our server and a real etcd: snapshots that etcdctl checks and restores,
and the data directory of a stopped Go etcd that ours goes on with. HashKV must stay the same.

    exchange_test.py [--peer BINARY]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from etcd_process import EtcdProcess, etcdctl_environment  # noqa: E402

PEER = "/usr/bin/etcd"


def fill(member):
    """History of all kinds: overwritten, deleted, leased, large and compacted keys."""
    lease = member.etcdctl("lease", "grant", "600").split()[1]
    member.etcdctl("put", "leased", "v", "--lease=" + lease)
    for i in range(60):
        member.etcdctl("txn", input_text="\n" + "".join(
            f"put key-{i}-{j} {'x' * (1 + i * 7)}\n" for j in range(40)) + "\n\n")
    member.etcdctl("put", "large", input_text="L" * 900_000)
    member.etcdctl("del", "key-3-", "--prefix")
    for i in range(20):
        member.etcdctl("put", "again", str(i))
    revision = int(json.loads(member.etcdctl("get", "again", "-w", "json"))["header"]["revision"])
    member.etcdctl("compaction", "--physical", str(revision - 5))
    member.etcdctl("put", "last", "1")
    return lease


def hash_kv(member):
    """(hash, revision, compact revision)"""
    status = json.loads(member.etcdctl("endpoint", "hashkv", "-w", "json"))[0]["HashKV"]
    return status["hash"], status["header"]["revision"], status["compact_revision"]


def members_of(member):
    out = json.loads(member.etcdctl("member", "list", "-w", "json"))
    return [(m["ID"], m.get("name"), m["peerURLs"]) for m in out["members"]]


def run_etcdctl(*args):
    return subprocess.run(["/usr/bin/etcdctl", *args], env=etcdctl_environment(),
                          capture_output=True, text=True, timeout=60, check=False)


class Exchange(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="etcd-exchange-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def test_real_etcdctl_checks_and_restores_our_snapshot(self):
        # Debian's etcdctl writes what 3.4 and 3.5 start on; a 3.6 wants its own etcdutl.
        path = os.path.join(self.dir, "snapshot.db")
        with EtcdProcess() as ours:
            fill(ours)
            want = hash_kv(ours)
            ours.etcdctl("snapshot", "save", path)
        self.assertEqual(os.path.getsize(path) % 512, 32)
        status = run_etcdctl("snapshot", "status", path, "-w", "json")
        self.assertEqual(status.returncode, 0, status.stderr)
        self.assertEqual(json.loads(status.stdout)["revision"], want[1])
        version = subprocess.run([PEER, "--version"], capture_output=True, text=True, check=True)
        if not version.stdout.startswith(("etcd Version: 3.4.", "etcd Version: 3.5.")):
            return
        with EtcdProcess(binary=PEER) as real:
            real.stop()
            shutil.rmtree(real.data_dir)
            restored = run_etcdctl("snapshot", "restore", path, "--data-dir", real.data_dir,
                                   "--name", real.name,
                                   "--initial-cluster", f"{real.name}={real.peer_url()}",
                                   "--initial-advertise-peer-urls", real.peer_url())
            self.assertEqual(restored.returncode, 0, restored.stderr)
            real.start()
            self.assertEqual(hash_kv(real), want)
            real.etcdctl("put", "new", "value")
            self.assertEqual(real.etcdctl("get", "new", "--print-value-only").strip(), "value")

    def test_a_snapshot_with_a_wrong_digest_is_refused(self):
        path = os.path.join(self.dir, "snapshot.db")
        with EtcdProcess() as ours:
            ours.etcdctl("put", "a", "b")
            ours.etcdctl("snapshot", "save", path)
        with open(path, "r+b") as file:
            file.seek(5000)
            byte = file.read(1)
            file.seek(5000)
            file.write(bytes([byte[0] ^ 1]))
        restored = run_etcdctl("snapshot", "restore", path, "--data-dir", self.dir + "/restored")
        self.assertNotEqual(restored.returncode, 0)
        self.assertIn("expected sha256", restored.stderr)

    def upgrade(self, stop):
        with EtcdProcess(binary=PEER) as real:
            lease = fill(real)
            want = hash_kv(real)
            members = members_of(real)
            stop(real)
            db = os.path.join(real.data_dir, "member", "snap", "db")
            with open(db, "rb") as file:
                original = file.read()
            real.binary = EtcdProcess().binary
            real.start()
            self.assertEqual(hash_kv(real), want)
            self.assertEqual(members_of(real), members)
            self.assertEqual(len(real.etcdctl("get", "large", "--print-value-only").strip()),
                             900_000)
            self.assertIn(lease, real.etcdctl("lease", "list"))
            self.assertFalse(os.path.exists(db))
            with open(db + ".imported", "rb") as file:
                self.assertEqual(file.read(), original)
            real.etcdctl("put", "after", "upgrade")
            later = hash_kv(real)
            real.kill()
            real.start()
            self.assertEqual(hash_kv(real), later)

    def test_ours_goes_on_with_the_directory_of_a_stopped_go_etcd(self):
        self.upgrade(lambda real: real.stop())

    def test_ours_goes_on_with_the_directory_of_a_killed_go_etcd(self):
        self.upgrade(lambda real: real.kill())

    def test_a_directory_in_use_is_refused(self):
        with EtcdProcess(binary=PEER) as real:
            real.etcdctl("put", "a", "b")
            ours = EtcdProcess(data_dir=real.data_dir)
            ours.start(wait_ready=False)
            self.assertNotEqual(ours.wait_exit(), 0)
            ours.close()
            self.assertFalse(os.path.exists(os.path.join(real.data_dir, "member", "rocksdb")))
            self.assertEqual(real.etcdctl("get", "a", "--print-value-only").strip(), "b")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", default=PEER)
    options, rest = parser.parse_known_args()
    PEER = options.peer
    unittest.main(argv=[sys.argv[0], "-v"] + rest)
