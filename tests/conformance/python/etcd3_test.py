#!/usr/bin/env python3
"""python3-etcd3 of Debian against our server: put, get, txn, watch, lease, compaction."""

import os
import sys
import threading
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import etcd3  # noqa: E402
from etcd_process import EtcdProcess  # noqa: E402


class Etcd3Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.etcd = EtcdProcess().start()
        cls.client = etcd3.client(host="127.0.0.1", port=cls.etcd.client_port, timeout=60)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.etcd.close()

    def test_put_get_delete(self):
        self.client.put("p/a", "1")
        value, meta = self.client.get("p/a")
        self.assertEqual((value, meta.key, meta.version), (b"1", b"p/a", 1))
        previous = self.client.put("p/a", "2", prev_kv=True).prev_kv
        self.assertEqual(previous.value, b"1")
        self.assertTrue(self.client.delete("p/a"))
        self.assertFalse(self.client.delete("p/a"))
        self.assertEqual(self.client.get("p/a"), (None, None))

    def test_prefix_and_sort(self):
        for name in ("c", "a", "b"):
            self.client.put(f"s/{name}", name)
        values = [v for v, _ in self.client.get_prefix("s/", sort_order="descend")]
        self.assertEqual(values, [b"c", b"b", b"a"])
        self.assertEqual(self.client.delete_prefix("s/").deleted, 3)

    def test_transaction(self):
        t = self.client.transactions
        self.client.put("t", "x")
        succeeded, responses = self.client.transaction(
            compare=[t.value("t") == "x", t.version("t") > 0],
            success=[t.put("t", "y"), t.get("t")], failure=[t.delete("t")])
        self.assertTrue(succeeded)
        self.assertEqual(responses[1][0][0], b"y")
        succeeded, _ = self.client.transaction(
            compare=[t.create("t") == 0], success=[], failure=[t.delete("t")])
        self.assertFalse(succeeded)
        self.assertIsNone(self.client.get("t")[0])

    def test_replace_is_a_compare_and_swap(self):
        self.client.put("r", "1")
        self.assertTrue(self.client.replace("r", "1", "2"))
        self.assertFalse(self.client.replace("r", "1", "3"))

    def test_watch_delivers_every_change_in_order(self):
        events, cancel = self.client.watch_prefix("w/")
        for number in range(100):
            self.client.put(f"w/{number}", str(number))
        self.client.delete("w/5")
        got = [next(events) for _ in range(101)]
        cancel()
        self.assertEqual([e.value for e in got[:100]], [str(n).encode() for n in range(100)])
        self.assertIsInstance(got[100], etcd3.events.DeleteEvent)
        revisions = [e.mod_revision for e in got]
        self.assertEqual(revisions, sorted(set(revisions)))

    def test_watch_from_a_compacted_revision_is_told_so(self):
        self.client.put("k", "1")
        revision = self.client.put("k", "2").header.revision
        self.client.compact(revision, physical=True)
        errors = []
        told = threading.Event()

        def callback(response):
            errors.append(response)
            told.set()
        self.client.add_watch_callback("k", callback, start_revision=1)
        self.assertTrue(told.wait(10))
        self.assertIsInstance(errors[0], etcd3.exceptions.RevisionCompactedError)
        self.assertEqual(errors[0].compacted_revision, revision)

    def test_lease(self):
        lease = self.client.lease(600)
        self.client.put("l", "v", lease=lease)
        self.assertEqual(lease.granted_ttl, 600)
        self.assertIn(lease.remaining_ttl, (598, 599, 600))
        self.assertEqual(lease.keys, [b"l"])
        self.assertEqual(lease.refresh()[0].TTL, 600)
        lease.revoke()
        self.assertIsNone(self.client.get("l")[0])

    def test_compaction(self):
        revision = self.client.put("c", "1").header.revision
        self.client.put("c", "2")
        self.client.compact(revision)
        with self.assertRaisesRegex(Exception, "required revision has been compacted"):
            self.client.compact(revision)

    def test_status_and_members(self):
        status = self.client.status()
        self.assertRegex(status.version, r"^3\.\d+\.\d+$")
        self.assertGreater(status.db_size, 0)
        members = list(self.client.members)
        self.assertEqual(len(members), 1)
        self.assertEqual(status.leader.id, members[0].id)

    def test_defragment_and_hash(self):
        self.client.defragment()
        self.assertIsInstance(self.client.hash(), int)
        self.assertEqual(list(self.client.list_alarms()), [])


if __name__ == "__main__":
    unittest.main()
