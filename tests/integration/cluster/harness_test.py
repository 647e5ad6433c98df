#!/usr/bin/env python3
"""The cluster helpers themselves, on Debian's etcd: what they promise, and that the load does report
a cluster that breaks its promises."""

import os
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402,F401

from cluster import Cluster, ClusterLoad, Wrong  # noqa: E402
from network import Network  # noqa: E402

V34 = ["v34", "v34", "v34"]
FAST = ["--heartbeat-interval=50", "--election-timeout=500", "--logger=zap"]
NETWORK = Network()


def datagrams(source, target, count=3):
    """How many of so many arrive, and when the first did, in seconds."""
    receive = subprocess.Popen(
        [*target.wrapper, sys.executable, "-c",
         "import socket, time\n"
         "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 9)); s.settimeout(0.5)\n"
         "print('bound', flush=True); got = []\n"
         f"while len(got) < {count}:\n"
         "  try: s.recv(9); got.append(time.time())\n"
         "  except OSError: break\n"
         "print(len(got), got[0] if got else 0)"], stdout=subprocess.PIPE, text=True)
    receive.stdout.readline()
    begin = time.time()
    subprocess.run([*source.wrapper, sys.executable, "-c",
                    "import socket, time\n"
                    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                    f"for _ in range({count}): s.sendto(b'x', ('{target.address}', 9))"],
                   stderr=subprocess.DEVNULL, check=False)
    arrived, at = receive.communicate(timeout=60)[0].split()
    return int(arrived), float(at) - begin


class NetworkTest(unittest.TestCase):
    def test_a_cut_loses_one_direction_only_until_it_heals(self):
        a, b = NETWORK.add_host(), NETWORK.add_host()
        self.assertEqual(datagrams(a, b)[0], 3)
        NETWORK.cut(a, b)
        self.assertEqual(datagrams(a, b)[0], 0)
        self.assertEqual(datagrams(b, a)[0], 3)
        NETWORK.heal()
        self.assertEqual(datagrams(a, b)[0], 3)

    def test_a_delay_holds_packets_back_and_can_lose_them(self):
        a, b = NETWORK.add_host(), NETWORK.add_host()
        NETWORK.delay(a, b, 0.3)
        arrived, seconds = datagrams(a, b)
        self.assertEqual(arrived, 3)
        self.assertGreater(seconds, 0.3)
        NETWORK.delay(a, b, 0.0, loss=1.0)
        self.assertEqual(datagrams(a, b)[0], 0)
        NETWORK.heal()


class ClusterTest(unittest.TestCase):
    def test_a_load_through_a_leader_change_finds_nothing_wrong(self):
        with Cluster(V34, args=FAST) as cluster, ClusterLoad(cluster, compact=True) as load:
            load.wait_writes()
            before = cluster.leader()
            load.mark()
            before.kill()
            load.wait_writes(50)
            self.assertGreater(load.report()["longest_gap_ms"], 250)
            self.assertIsNot(cluster.leader(), before)
            before.start()
            self.assertGreater(load.finish()["checked"], 250)
            cluster.expect_equal_hashes()

    def test_members_are_added_promoted_moved_to_and_removed(self):
        with Cluster(V34, network=NETWORK, args=FAST) as cluster:
            learner = cluster.add("v34", learner=True)
            cluster.promote(learner)
            cluster.move_leader(learner)
            self.assertIs(cluster.leader(), learner)
            cluster.remove(cluster.members[0])
            cluster.wait_ready()
            self.assertEqual(len(cluster.members), 3)
            cluster.expect_equal_hashes()

    def test_a_cluster_that_forgets_is_found_out(self):
        with Cluster(V34, args=FAST) as cluster, ClusterLoad(cluster) as load:
            load.wait_writes()
            for member in cluster.members:
                member.kill()
            for member in cluster.members:
                shutil.rmtree(member.data_dir)
                member.start(wait_ready=False)
            with self.assertRaises(Wrong):
                load.wait_writes(50)
                load.finish()

    def test_two_clusters_that_pose_as_one_are_found_out(self):
        with Cluster(["v34"]) as one, Cluster(["v34"]) as other:
            with ClusterLoad(one, endpoints=f"{one.endpoints()},{other.endpoints()}") as load:
                with self.assertRaises(Wrong):
                    load.wait_writes()
                    load.finish()


if __name__ == "__main__":
    unittest.main()
