#!/usr/bin/env python3
"""Snapshots of our Maintenance.Snapshot in the hands of Go's etcdutl: it finds nothing wrong with
them, restores them, and its server goes on from that with the same HashKV.

    snapshot_test.py v36 [-v]
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import go_dirs  # noqa: E402
from go_dirs import hash_kv, peers  # noqa: E402

VERSION = "v36"


def etcdutl(*args):
    return subprocess.run([peers.etcdutl(VERSION), *args], capture_output=True, text=True,
                          timeout=120, check=False)


class Snapshot(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="etcd-exchange-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.path = os.path.join(self.dir, "snapshot.db")
        self.ours = go_dirs.member("ours")
        self.addCleanup(self.ours.close)
        self.ours.start()

    def fill(self):
        lease = self.ours.etcdctl("lease", "grant", "1000").split()[1]
        self.ours.etcdctl("put", "leased", "v", "--lease=" + lease)
        head = go_dirs.put_many(self.ours, 3000, "x" * 700)
        self.ours.etcdctl("del", "many-1", "--prefix")
        self.ours.etcdctl("put", "large", input_text="L" * 900_000)
        self.ours.etcdctl("compaction", "--physical", str(head - 3))

    def save(self):
        self.ours.etcdctl("snapshot", "save", self.path)
        return self.status()

    def status(self):
        status = etcdutl("snapshot", "status", self.path, "-w", "json")
        self.assertEqual(status.returncode, 0, status.stderr)
        return json.loads(status.stdout)

    def restore(self, *args):
        """A server of Go's, started on what etcdutl made of the snapshot."""
        go = go_dirs.member(VERSION)
        self.addCleanup(go.close)
        go.client_port, go.peer_port = go_dirs.free_ports(2)
        restored = etcdutl("snapshot", "restore", self.path, "--data-dir", go.data_dir,
                           "--name", go.name, "--initial-cluster", f"{go.name}={go.peer_url()}",
                           "--initial-advertise-peer-urls", go.peer_url(), *args)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        return go.start()

    def test_it_is_verified_restored_and_written_on(self):
        self.fill()
        want = hash_kv(self.ours)
        status = self.save()
        self.assertEqual(status["revision"], want[1])
        self.assertEqual(status["totalSize"] + 32, os.path.getsize(self.path))
        if VERSION != "v35":
            self.assertEqual(status["version"], "3.6.0")
        go = self.restore()
        self.assertEqual(hash_kv(go), want)
        go.etcdctl("put", "new", "value")
        self.assertEqual(go.etcdctl("get", "new", "--print-value-only").strip(), "value")
        self.assertEqual(len(go.etcdctl("lease", "list").split()), 4)
        go_dirs.stop_verified(go)
        go.start()
        self.assertEqual(go.etcdctl("get", "new", "--print-value-only").strip(), "value")

    def test_one_taken_under_load_is_a_state_of_one_revision(self):
        self.fill()
        stop = threading.Event()
        written = []

        def write():
            while not stop.is_set():
                written.append(go_dirs.put_many(self.ours, 100, "y" * 100, "loaded"))
        writer = threading.Thread(target=write)
        writer.start()
        try:
            status = self.save()
        finally:
            stop.set()
            writer.join()
        self.assertLess(status["revision"], written[-1])
        go = self.restore()
        at = "--rev=" + str(status["revision"])
        hashes = [json.loads(m.etcdctl("endpoint", "hashkv", at, "-w", "json"))[0]["HashKV"]["hash"]
                  for m in (self.ours, go)]
        self.assertEqual(hashes[0], hashes[1])

    def test_an_empty_one_is_restored(self):
        want = hash_kv(self.ours)
        self.save()
        self.assertEqual(hash_kv(self.restore())[1:], want[1:])

    def test_a_bumped_restore(self):
        self.fill()
        status = self.save()
        go = self.restore("--bump-revision", "1000000", "--mark-compacted")
        self.assertGreaterEqual(hash_kv(go)[1], status["revision"] + 1_000_000)
        self.assertEqual(len(go.etcdctl("get", "large", "--print-value-only").strip()), 900_000)

    def test_a_changed_byte_is_found(self):
        self.fill()
        self.save()
        with open(self.path, "r+b") as file:
            file.seek(9000)
            byte = file.read(1)
            file.seek(9000)
            file.write(bytes([byte[0] ^ 1]))
        restored = etcdutl("snapshot", "restore", self.path, "--data-dir", self.dir + "/restored")
        self.assertNotEqual(restored.returncode, 0)
        self.assertIn("expected sha256", restored.stderr)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("v"):
        VERSION = sys.argv.pop(1)
    peers.etcdutl(VERSION)  # skipped without it
    unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[1:])
