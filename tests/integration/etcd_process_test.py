"""The process helper itself, against a server given by $ETCD_BINARY or as first argument."""

import json
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from etcd_process import EtcdError, EtcdProcess  # noqa: E402


class EtcdProcessTest(unittest.TestCase):
    def test_a_started_member_serves_etcdctl_and_http(self):
        with EtcdProcess() as etcd:
            self.assertEqual(etcd.etcdctl("put", "a", "b"), "OK\n")
            self.assertEqual(etcd.etcdctl("get", "a"), "a\nb\n")
            status, _, body = etcd.http("GET", "/version")
            self.assertEqual(status, 200)
            self.assertIn("etcdserver", json.loads(body))
            self.assertEqual(etcd.metrics()["etcd_server_has_leader"], 1)
            self.assertGreater(etcd.memory_bytes(), 1 << 20)

    def test_data_survives_a_clean_stop_and_a_kill(self):
        with EtcdProcess() as etcd:
            etcd.etcdctl("put", "stopped", "1")
            self.assertEqual(etcd.stop(), -signal.SIGTERM)
            etcd.start()
            etcd.etcdctl("put", "killed", "2")
            self.assertEqual(etcd.kill(), -signal.SIGKILL)
            etcd.start()
            self.assertEqual(etcd.etcdctl("get", "--prefix", "--keys-only", ""),
                             "killed\n\nstopped\n\n")

    def test_a_server_that_refuses_its_flags_is_an_error_with_its_log(self):
        etcd = EtcdProcess(args=["--no-such-flag=1"])
        with self.assertRaises(EtcdError) as caught:
            etcd.start()
        self.assertIn("flag provided but not defined: -no-such-flag", str(caught.exception))
        etcd.close()


if __name__ == "__main__":
    if len(sys.argv) > 1 and os.path.sep in sys.argv[1]:
        os.environ["ETCD_BINARY"] = sys.argv.pop(1)
    unittest.main()
