#!/usr/bin/env python3
"""Three members as users start, change and lose them, through etcdctl: bootstrap, writes through
each, add, promote, update, remove, move-leader, restart, wrong flags.

    membership_test.py [-v] [Test.name]
"""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402,F401

from cluster import Cluster  # noqa: E402
from etcd_process import EtcdProcess, free_ports, wait_until  # noqa: E402

OURS = ["ours", "ours", "ours"]
FAST = ["--heartbeat-interval=50", "--election-timeout=500"]
REMOVED = "the member has been permanently removed from the cluster"


def members_of(member):
    """{name or peer URL: member} as etcdctl lists them."""
    listed = json.loads(member.etcdctl("member", "list", "-w", "json"))["members"]
    return {m.get("name") or m["peerURLs"][0]: m for m in listed}


def peer_http(member, path, method="GET", body=None):
    """(status, headers, body) of a request to the peer port."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", member.peer_port, timeout=60)
    try:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


class ThreeMembers(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(OURS, args=FAST).start()
        self.addCleanup(self.cluster.close)

    def test_each_serves_what_any_wrote(self):
        for writer in self.cluster.members:
            writer.etcdctl("put", "by-" + writer.name, writer.name)
        for reader in self.cluster.members:
            for writer in self.cluster.members:
                out = reader.etcdctl("get", "by-" + writer.name, "--print-value-only")
                self.assertEqual(out.strip(), writer.name)
        self.cluster.expect_equal_hashes()
        self.assertTrue(wait_until(lambda: self.cluster.version() == {"3.6.0"}, 60))

    def test_restart_keeps_members_and_data(self):
        self.cluster.leader().etcdctl("put", "a", "1")
        before = members_of(self.cluster.members[0])
        for member in self.cluster.members:
            member.stop()
        for member in self.cluster.members:
            member.start(wait_ready=False)
        self.cluster.wait_ready()
        self.assertEqual(members_of(self.cluster.members[0]), before)
        for member in self.cluster.members:
            self.assertEqual(member.etcdctl("get", "a", "--print-value-only").strip(), "1")

    def test_a_member_joins_and_another_leaves_for_good(self):
        self.cluster.leader().etcdctl("put", "a", "1")
        joiner = self.cluster.add("ours")
        self.assertEqual(joiner.etcdctl("get", "a", "--print-value-only").strip(), "1")
        self.assertIn(joiner.name, members_of(joiner))

        leaver = self.cluster.followers()[0]
        helper = next(m for m in self.cluster.members if m is not leaver)
        leaver_id = self.cluster.id_of(leaver)
        self.assertTrue(wait_until(
            lambda: helper.etcdctl_result("member", "remove", leaver_id).returncode == 0, 30))
        self.assertEqual(leaver.wait_exit(), 0)
        self.assertIn(REMOVED, leaver.log())
        self.assertIn("data-dir used by this member must be removed", leaver.log())
        leaver.start(wait_ready=False)  # it must not come back
        self.assertEqual(leaver.wait_exit(), 0)
        self.assertIn(REMOVED, leaver.log())
        self.cluster.members.remove(leaver)
        self.addCleanup(leaver.close)
        self.assertNotIn(leaver.name, members_of(helper))
        helper.etcdctl("put", "a", "2")
        self.cluster.expect_equal_hashes()

    def test_a_learner_serves_little_until_it_is_promoted(self):
        learner = self.cluster.add("ours", learner=True)
        self.assertTrue(wait_until(lambda: learner.status() is not None, 60))
        refused = learner.etcdctl_result("put", "a", "1")
        self.assertIn("rpc not supported for learner", refused.stderr)
        second = self.cluster.leader().etcdctl_result(
            "member", "add", "x", "--peer-urls=http://127.0.0.1:1", "--learner")
        self.assertIn("too many learner members in cluster", second.stderr)
        # Through a follower, which has to ask the leader.
        follower = next(m for m in self.cluster.followers() if m is not learner)
        learner_id = self.cluster.id_of(learner)
        self.assertTrue(wait_until(
            lambda: follower.etcdctl_result("member", "promote", learner_id).returncode == 0, 30))
        again = follower.etcdctl_result("member", "promote", learner_id)
        self.assertIn("can only promote a learner member", again.stderr)
        learner.wait_ready()
        learner.etcdctl("put", "a", "1")

    def test_peer_urls_can_be_changed(self):
        member = self.cluster.followers()[0]
        helper = self.cluster.leader()
        member_id = self.cluster.id_of(member)
        member.stop()
        member.peer_port = free_ports(1)[0]
        helper.etcdctl("member", "update", member_id, "--peer-urls=" + member.peer_url())
        member.start()
        helper.etcdctl("put", "a", "1")
        self.cluster.expect_equal_hashes()
        taken = helper.etcdctl_result("member", "update", member_id,
                                      "--peer-urls=" + helper.peer_url())
        self.assertIn("Peer URLs already exists", taken.stderr)
        unknown = helper.etcdctl_result("member", "update", "1234",
                                        "--peer-urls=http://127.0.0.1:1")
        self.assertIn("member not found", unknown.stderr)

    def test_leadership_moves(self):
        self.cluster.move_leader(self.cluster.followers()[0])
        follower = self.cluster.followers()[0]
        refused = follower.etcdctl_result("--endpoints=" + follower.endpoint(), "move-leader",
                                          "1234")
        self.assertNotEqual(refused.returncode, 0)

    def test_what_members_tell_each_other(self):
        member = self.cluster.members[0]
        status, headers, body = peer_http(member, "/members")
        self.assertEqual(status, 200)
        self.assertEqual(len(json.loads(body)), 3)
        self.assertTrue(headers.get("X-Etcd-Cluster-ID") or headers.get("X-Etcd-Cluster-Id"))
        self.assertTrue(wait_until(lambda: self.cluster.version() == {"3.6.0"}, 60))
        version = json.loads(peer_http(member, "/version")[2])
        self.assertEqual((version["etcdserver"], version["etcdcluster"]), ("3.6.16", "3.6.0"))
        self.assertEqual(peer_http(member, "/downgrade/enabled")[::2], (200, "false"))
        self.assertEqual(peer_http(member, "/members/")[0], 404)
        self.assertEqual(peer_http(member, "/members/promote/x", "POST")[::2],
                         (404, "member x not found in cluster\n"))
        status, _, body = peer_http(member, "/members/hashkv", body='{"revision":0}')
        self.assertEqual(status, 200)
        self.assertIn('"compact_revision":-1', body)


class WrongFlags(unittest.TestCase):
    def refused(self, text, **changes):
        port, other = free_ports(2)
        own = f"http://127.0.0.1:{port}"
        given = {"initial-cluster": f"a={own},b=http://127.0.0.1:{other}"}
        given.update({key.replace("_", "-"): value for key, value in changes.items()})
        args = [f"--{key}={value}".format(own=own, other=other) for key, value in given.items()]
        etcd = EtcdProcess(name="a", args=args)
        self.addCleanup(etcd.close)
        etcd.client_port, etcd.peer_port = free_ports(1)[0], port
        etcd.start(wait_ready=False)
        self.assertEqual(etcd.wait_exit(), 1)
        self.assertIn(text, etcd.log())

    def test_own_name_is_missing(self):
        self.refused("couldn't find local name \\\"c\\\" in the initial cluster configuration",
                     name="c")

    def test_urls_occur_twice(self):
        self.refused("has duplicate url", initial_cluster="a={own},b={own}")

    def test_nobody_to_join(self):
        self.refused("cannot fetch cluster info from peer urls: could not retrieve cluster "
                     "information from the given URLs", initial_cluster_state="existing")

    def test_joiner_that_was_not_added(self):
        with EtcdProcess(name="b") as running:
            self.refused("member count is unequal", initial_cluster_state="existing",
                         initial_cluster="a={own},b=http://127.0.0.1:" + str(running.peer_port))


class Recovery(unittest.TestCase):
    def test_one_of_three_is_forced_to_be_alone(self):
        cluster = Cluster(OURS, args=FAST).start()
        self.addCleanup(cluster.close)
        cluster.leader().etcdctl("put", "a", "1")
        survivor = cluster.members[0]
        self.assertTrue(wait_until(
            lambda: survivor.etcdctl("get", "a", "--print-value-only").strip() == "1", 10))
        for member in cluster.members:
            member.kill()
        survivor.args.append("--force-new-cluster")
        survivor.start()
        self.assertEqual(list(members_of(survivor)), [survivor.name])
        self.assertEqual(survivor.etcdctl("get", "a", "--print-value-only").strip(), "1")
        survivor.etcdctl("put", "a", "2")
        survivor.stop()
        survivor.args.remove("--force-new-cluster")
        survivor.start()
        self.assertEqual(list(members_of(survivor)), [survivor.name])


if __name__ == "__main__":
    unittest.main()
