#!/usr/bin/env python3
"""Where the server listens: on a machine without /etc/hosts and without name servers.

    listen_test.py [-v] [Test.name]
"""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from etcd_process import EtcdProcess, etcdctl_environment  # noqa: E402

# The rest of the arguments is run on a machine that has nothing but its loopback device.
BARE = """
mount --bind /dev/null /etc/hosts && mount --bind /dev/null /etc/resolv.conf &&
ip link set lo up && exec "$@"
"""


class WithDefaults(EtcdProcess):
    """Started as a user does who has read nothing: default URLs, so in a namespace of its own."""

    def command(self):
        return ["unshare", "--mount", "--net", "sh", "-c", BARE, "sh", self.binary,
                f"--data-dir={self.data_dir}"]

    def run_inside(self, *command):
        inside = ["nsenter", "--mount", "--net", f"--target={self.pid}"]
        return subprocess.run(inside + list(command), env=etcdctl_environment(),
                              capture_output=True, text=True, timeout=60, check=False)


class BareMachine(unittest.TestCase):
    def test_the_defaults_need_no_hosts_file_and_no_name_server(self):
        etcd = WithDefaults()
        self.addCleanup(etcd.close)
        etcd.start(wait_ready=False)
        etcd.wait_log("ready to serve client requests", timeout=60)
        # etcdctl knows no localhost there either.
        put = etcd.run_inside("etcdctl", "--endpoints=127.0.0.1:2379", "put", "a", "b")
        self.assertEqual((put.returncode, put.stdout), (0, "OK\n"), put.stderr)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIPPED: namespaces need root")
        sys.exit(77)
    unittest.main()
