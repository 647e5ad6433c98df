#!/usr/bin/env python3
"""What is refused, and in which words: wrong flags at a start, wrong requests at the peer port,
calls that a learner does not serve. Each row is tried on ours and on Go's etcd 3.6; both must say
the same.

    refusals_test.py [-v] [Test.name]
"""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402,F401

import peers  # noqa: E402
from cluster import Cluster  # noqa: E402
from etcd_process import EtcdProcess, etcdctl_environment, free_ports, wait_until  # noqa: E402

KINDS = ("ours", "v36")


def both(test, rows, answer_of):
    """`answer_of(kind, row)` is the same for each row, of ours and of Go's."""
    for row in rows:
        with test.subTest(row=row):
            answers = [answer_of(kind, row) for kind in KINDS]
            test.assertEqual(answers[0], answers[1])


class Starts(unittest.TestCase):
    """{own}, {other}: peer URLs; {running}: that of a member that runs, and has served."""

    BEFORE_ANY_NETWORK = (
        {"initial-cluster": "a={own},b={own}"},
        {"initial-cluster": "a={own},b={own}/"},
        {"initial-cluster": "a"},
        {"initial-cluster": "a="},
        {"initial-cluster": "={own}"},
        {"initial-cluster": "a=127.0.0.1:1"},
        {"initial-cluster": "a=http://127.0.0.1"},
        {"initial-cluster": "a={own}/path"},
        {"initial-cluster": "a=ftp://127.0.0.1:1"},
        {"initial-cluster": "b={own}"},
        {"initial-cluster": "a={other}"},
        {"initial-cluster": "a={own},a={other}"},
        {"initial-cluster": ""},
        {"initial-cluster-state": "maybe"},
        {"initial-advertise-peer-urls": "{other}"},
        {"initial-advertise-peer-urls": "{own},{other}"},
        {"listen-peer-urls": "http://127.0.0.1:1/x"},
    )
    AGAINST_A_RUNNING_MEMBER = (
        {"initial-cluster": "a={own},b={other}", "initial-cluster-state": "existing"},
        {"initial-cluster": "a={own},b={running}", "initial-cluster-state": "existing"},
        {"initial-cluster": "a={own},r={running},c={other}", "initial-cluster-state": "existing"},
    )

    def refusal(self, kind, given, running=""):
        own, other = (f"http://127.0.0.1:{port}" for port in sorted(free_ports(2)))
        args = [f"--{key}={value}".format(own=own, other=other, running=running)
                for key, value in given.items()]
        etcd = EtcdProcess(binary=peers.binary(kind), name="a", args=args)
        try:
            etcd.client_port, etcd.peer_port = free_ports(1)[0], int(own.rsplit(":", 1)[1])
            etcd.start(wait_ready=False)
            code = etcd.wait_exit()
            found = [record.get("error") for record in etcd.log_records()
                     if record.get("msg") in ("failed to verify flags", "discovery failed")]
            text = str(found[-1] if found else etcd.log().split("\n")[0])  # then comes the usage
            for url, name in ((own, "{own}"), (other, "{other}"), (running, "{running}")):
                text = text.replace(url, name) if url else text
            # Ids hang on the ports.
            return code, re.sub(r"\b[0-9a-f]{14,16}\b", "{id}", text)
        finally:
            etcd.close()

    def test_flags(self):
        both(self, self.BEFORE_ANY_NETWORK, self.refusal)

    def test_joins(self):
        with EtcdProcess(binary=peers.binary("v36"), name="b") as running:
            both(self, self.AGAINST_A_RUNNING_MEMBER,
                 lambda kind, row: self.refusal(kind, row, running.peer_url()))

    def test_ports_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            rows = [{flag: "{running}"} for flag in
                    ("listen-client-urls", "listen-peer-urls", "listen-metrics-urls")]
            both(self, rows, lambda kind, row: self.refusal(kind, row, url))

    def test_bootstrap_under_the_id_of_a_member_that_has_served(self):
        def refusal(kind, _):
            cluster = Cluster(["v36", "v36"])
            try:
                cluster.start()
                lost = cluster.members[1]
                lost.kill()
                again = EtcdProcess(binary=peers.binary(kind), name=lost.name, args=[
                    arg for arg in lost.command() if arg.startswith("--initial-cluster")])
                again.client_port, again.peer_port = lost.client_port, lost.peer_port
                again.start(wait_ready=False)
                code = again.wait_exit()
                errors = [r.get("error") for r in again.log_records()
                          if r.get("msg") == "discovery failed"]
                again.close()
                return code, [re.sub(r"\b[0-9a-f]{14,16}\b", "{id}", e) for e in errors]
            finally:
                cluster.close()
        both(self, [None], refusal)


class Texts(unittest.TestCase):
    def test_a_go_leaders_entry_may_hold_any_text(self):
        """Its decoder looks at no text; ours must not end a member because of one."""
        with Cluster(["v36", "v36", "ours"]) as cluster:
            ours = cluster.members[2]
            if cluster.leader() is ours:
                ours.stop()
                cluster.leader()
                ours.start()
            go = cluster.members[0]
            # The only entries with text that pass the log without authentication: readers.
            asked = subprocess.run([*map(os.fsencode, go.etcdctl_command("user", "get")),
                                    b"caf\xe9"], env=etcdctl_environment(),
                                   capture_output=True, timeout=60, check=False)
            self.assertIn(b"user name not found", asked.stderr)
            go.etcdctl("put", "after", "it")
            self.assertEqual(ours.etcdctl("get", "after", "--print-value-only"), "it\n")


class Authentication(unittest.TestCase):
    def test_a_go_leaders_change_of_it_ends_ours(self):
        """To skip it would part ours from the others without a word."""
        with Cluster(["v36", "v36", "ours"]) as cluster:
            go, _, ours = cluster.members
            cluster.move_leader(go)
            go.etcdctl("user", "add", "root:secret")
            self.assertNotEqual(ours.wait_exit(), 0)
            self.assertIn("needs authentication", ours.log())
            go.etcdctl("put", "after", "it")

    def test_its_database_is_not_installed(self):
        with Cluster(["v36"], args=["--snapshot-count=10",
                                    "--snapshot-catchup-entries=1"]) as cluster:
            go = cluster.members[0]
            ours = cluster.add("ours", learner=True, start=False)
            for command in ("user add root:pw", "user grant-role root root", "auth enable"):
                go.etcdctl(*command.split())
            for i in range(30):
                go.etcdctl("put", "k", str(i), "--user=root:pw")
            ours.start(wait_ready=False)
            self.assertNotEqual(ours.wait_exit(), 0)
            self.assertIn("refused a database snapshot", ours.whole_log())
            go.etcdctl("put", "after", "it", "--user=root:pw")


class PeerPort(unittest.TestCase):
    """A member with one removed id, asked by somebody who says wrong things of himself."""

    GOOD = {"X-Server-From": "{self}", "X-Server-Version": "3.6.0",
            "X-Min-Cluster-Version": "3.0.0", "X-Etcd-Cluster-ID": "{cluster}",
            "X-Raft-To": "{self}", "X-PeerURLs": "http://127.0.0.1:1"}
    STREAM = "/raft/stream/message/{self}"
    ROWS = (
        ("GET", STREAM, {"X-Etcd-Cluster-ID": "1"}, b""),
        ("GET", STREAM, {"X-Etcd-Cluster-ID": None}, b""),
        ("GET", STREAM, {"X-Server-Version": "2.3.0"}, b""),
        ("GET", STREAM, {"X-Server-Version": None}, b""),
        ("GET", STREAM, {"X-Min-Cluster-Version": "3.9.0"}, b""),
        ("GET", STREAM, {"X-Raft-To": "1"}, b""),
        ("GET", STREAM, {"X-Raft-To": None}, b""),
        ("GET", "/raft/stream/message/{removed}", {}, b""),
        ("GET", "/raft/stream/message/77", {}, b""),
        ("GET", "/raft/stream/message/xyz", {}, b""),
        ("GET", "/raft/stream/other/77", {}, b""),
        ("POST", STREAM, {}, b""),
        ("GET", "/raft", {}, b""),
        ("GET", "/raft/snapshot", {}, b""),
        ("POST", "/raft", {"X-Etcd-Cluster-ID": "1"}, b"\x08\x08"),
        ("POST", "/raft", {"X-Server-Version": "2.3.0"}, b"\x08\x08"),
        ("POST", "/raft", {"X-Min-Cluster-Version": "3.9.0"}, b"\x08\x08"),
        ("POST", "/raft", {}, b"garbage"),
        ("POST", "/raft", {}, b"\x0a"),
        ("POST", "/raft/snapshot", {"X-Etcd-Cluster-ID": "1"}, b""),
        ("POST", "/raft/snapshot", {"X-Min-Cluster-Version": "3.9.0"}, b""),
        ("POST", "/raft/snapshot", {}, b""),
        ("POST", "/raft/snapshot", {}, b"\x00" * 7),
        ("POST", "/raft/snapshot", {}, b"\x00" * 7 + b"\x05"),
        ("POST", "/raft/snapshot", {}, b"\x00" * 7 + b"\x05ab"),
        ("POST", "/raft/snapshot", {}, b"\x00\x00\x01" + b"\x00" * 5),
        ("POST", "/raft/snapshot", {}, b"\x00" * 7 + b"\x02\x08\x08"),
        ("POST", "/members", {}, b""),
        ("GET", "/members/promote/1", {}, b""),
        ("POST", "/members/promote/x", {}, b""),
        ("POST", "/members/promote/1", {}, b""),
        ("GET", "/leases", {}, b""),
        ("POST", "/leases", {}, b"garbage"),
        ("POST", "/leases/internal", {}, b"garbage"),
        ("POST", "/version", {}, b""),
        ("GET", "/nowhere", {}, b""),
        ("GET", "/members/hashkv", {}, b"garbage"),
    )

    def setUp(self):
        self.members = {}
        for kind in KINDS:
            etcd = EtcdProcess(binary=peers.binary(kind), name="a",
                               args=["--strict-reconfig-check=false"])
            self.addCleanup(etcd.close)
            etcd.start()
            added = json.loads(etcd.etcdctl("member", "add", "x", "--learner", "-w", "json",
                                            "--peer-urls=http://127.0.0.1:1"))
            removed = f"{added['member']['ID']:x}"
            etcd.etcdctl("member", "remove", removed)
            header = added["header"]
            self.members[kind] = (etcd, {"self": f"{header['member_id']:x}", "removed": removed,
                                         "cluster": f"{header['cluster_id']:x}"})

    def answer(self, kind, row):
        method, path, changes, body = row
        etcd, names = self.members[kind]
        headers = {key: value.format(**names)
                   for key, value in {**self.GOOD, **changes}.items() if value is not None}
        connection = http.client.HTTPConnection("127.0.0.1", etcd.peer_port, timeout=60)
        try:
            connection.request(method, path.format(**names), body=body, headers=headers)
            response = connection.getresponse()
            told = {name.lower() for name in dict(response.getheaders())}
            try:
                text = response.read().decode()
            except http.client.IncompleteRead as broken:
                text = broken.partial.decode() + " (broken off)"
            for name, value in names.items():
                text = text.replace(value, "{" + name + "}")
            return (response.status, text, "x-etcd-cluster-id" in told, "x-server-version" in told,
                    response.getheader("Content-Type"), response.getheader("Allow"))
        finally:
            connection.close()

    def test_each_says_the_same(self):
        both(self, self.ROWS, self.answer)
        for etcd, _ in self.members.values():  # nothing was lost or changed
            self.assertTrue(etcd.running())
            etcd.etcdctl("put", "a", "1")


def field(number, value):
    """One field of a protobuf message: a number or bytes."""
    def varint(n):
        out = bytearray()
        while n > 0x7f:
            out.append(n & 0x7f | 0x80)
            n >>= 7
        return bytes(out + bytes([n]))
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


class Proposals(unittest.TestCase):
    """Entries that end every member of a cluster of Go's, since its leader appends them unseen."""

    NORMAL, CHANGE, CHANGE_V2 = 0, 1, 2
    HEADER = field(100, field(1, 77))
    HOSTILE = (
        (CHANGE_V2, b""),
        (9, b""),
        (NORMAL, b"garbage"),
        (NORMAL, b""),
        (NORMAL, HEADER),
        (NORMAL, field(4, field(1, b"k"))),                                   # no id
        (NORMAL, HEADER + field(1400, b"")),                                  # unknown
        (NORMAL, field(10, field(1, 1) + field(3, 7)) + HEADER),              # alarm
        (NORMAL, HEADER + field(1300, field(1, b"3.9.0"))),
        (NORMAL, HEADER + field(1300, field(1, b"x"))),
        (NORMAL, HEADER + field(1301, field(1, 12345) + field(2, b""))),      # no such member
        (NORMAL, HEADER + field(1301, field(1, 12345))),
        (NORMAL, HEADER + field(1302, field(1, 1) + field(2, b"x"))),
        (NORMAL, field(1, 7) + field(2, b"QGET") + field(3, b"")),            # v2, in 3.6
        (NORMAL, HEADER + field(1100, field(1, b"u"))),                       # a user
        (NORMAL, field(4, field(1, b"k")) + field(100, field(1, 77) + field(2, b"u"))),
        (CHANGE, b"garbage"),
        (CHANGE, field(2, 9) + field(3, 77)),
        (CHANGE, field(2, 0) + field(3, 77) + field(4, b"no json")),
        (CHANGE, field(2, 0) + field(3, 77) + field(4, b'{"id":78,"peerURLs":["http://h:1"]}')),
        (CHANGE, field(2, 0) + field(3, 77) + field(4, b'{"id":77,"peerURLs":["h"]}')),
    )

    def test_none_gets_into_the_log_of_a_mixed_cluster(self):
        cluster = Cluster(["ours", "v36", "v36"])
        self.addCleanup(cluster.close)
        cluster.start()
        ours, go = cluster.members[:2]
        cluster.move_leader(ours)
        header = ours.status()["header"]
        sender = int(go.status()["header"]["member_id"])
        entries = [field(7, b"")] + [field(7, field(1, kind) + field(4, data))
                                     for kind, data in self.HOSTILE]
        good = field(4, field(1, b"good") + field(2, b"1")) + self.HEADER
        entries.append(field(7, field(1, self.NORMAL) + field(4, good)))
        for entry in entries:
            body = (field(1, 2) + field(2, int(header["member_id"])) + field(3, sender) + entry)
            connection = http.client.HTTPConnection("127.0.0.1", ours.peer_port, timeout=60)
            connection.request("POST", "/raft", body=body, headers={
                "X-Server-From": f"{sender:x}", "X-Server-Version": "3.6.0",
                "X-Min-Cluster-Version": "3.0.0", "X-PeerURLs": go.peer_url(),
                "X-Etcd-Cluster-ID": f"{int(header['cluster_id']):x}"})
            self.assertIn(connection.getresponse().status, (204, 400))
            connection.close()
        self.assertTrue(wait_until(
            lambda: "good" in go.etcdctl("get", "good", "--keys-only"), 10))
        for member in cluster.members:
            self.assertTrue(member.running())
            member.etcdctl("put", member.name, "1")
        cluster.expect_equal_hashes()
        for member in cluster.members:  # and what is in the log can be replayed
            member.kill()
        for member in cluster.members:
            member.start(wait_ready=False)
        cluster.wait_ready()
        cluster.leader().etcdctl("put", "after", "1")


class Learners(unittest.TestCase):
    KEY = {"key": "YQ=="}
    CALLS = (
        ("/v3/kv/range", KEY), ("/v3/kv/range", {**KEY, "serializable": True}),
        ("/v3/kv/range", {**KEY, "serializable": True, "revision": "99"}),
        ("/v3/kv/put", KEY), ("/v3/kv/deleterange", KEY), ("/v3/kv/txn", {}),
        ("/v3/kv/txn", {"success": [{"request_range": {**KEY, "serializable": True}}]}),
        ("/v3/kv/compaction", {"revision": "1"}), ("/v3/lease/grant", {"TTL": "10"}),
        ("/v3/lease/revoke", {"ID": "1"}), ("/v3/lease/timetolive", {"ID": "1"}),
        ("/v3/lease/leases", {}), ("/v3/lease/keepalive", {"ID": "1"}),
        ("/v3/watch", {"create_request": KEY}), ("/v3/cluster/member/list", {}),
        ("/v3/cluster/member/list", {"linearizable": True}),
        ("/v3/cluster/member/add", {"peerURLs": ["http://127.0.0.1:1"]}),
        ("/v3/cluster/member/remove", {"ID": "1"}), ("/v3/cluster/member/promote", {"ID": "1"}),
        ("/v3/cluster/member/update", {"ID": "1", "peerURLs": ["http://127.0.0.1:1"]}),
        ("/v3/maintenance/alarm", {}), ("/v3/maintenance/defragment", {}),
        ("/v3/maintenance/hash", {}), ("/v3/maintenance/transfer-leadership", {"targetID": "1"}),
        ("/v3/maintenance/downgrade", {"version": "3.5.0"}),
        ("/v3/auth/status", {}), ("/v3/auth/enable", {}), ("/v3/auth/user/list", {}),
    )

    def setUp(self):
        self.learners = {}
        for kind in KINDS:
            cluster = Cluster([kind])
            self.addCleanup(cluster.close)
            cluster.start()
            cluster.members[0].etcdctl("put", "a", "1")
            learner = cluster.add(kind, learner=True)
            self.assertTrue(wait_until(lambda: self.has_caught_up(learner), 60))
            self.learners[kind] = learner

    @staticmethod
    def has_caught_up(learner):
        status = learner.status()
        return status is not None and status["header"].get("revision") == "2"

    def call(self, kind, row):
        path, request = row
        status, answer = self.learners[kind].gateway(path, request)
        answer.pop("header", None)
        return status, answer

    def test_rpcs(self):
        both(self, self.CALLS, self.call)
        status, answer = self.call("ours", self.CALLS[1])
        self.assertEqual((status, answer["count"]), (200, "1"))
        status, answer = self.call("ours", self.CALLS[0])
        self.assertEqual(answer["message"], "etcdserver: rpc not supported for learner")

    def test_status_and_snapshot(self):
        for kind in KINDS:
            status = self.learners[kind].status()
            self.assertTrue(status["isLearner"])
            self.assertEqual(status["header"]["revision"], "2")
            path = os.path.join(self.learners[kind].data_dir, "saved")
            self.learners[kind].etcdctl("snapshot", "save", path)
            self.assertGreater(os.path.getsize(path), 0)

    def test_http(self):
        def answer(kind, path):
            status, _, body = self.learners[kind].http("GET", path)
            return status, sorted(body.decode().split("\n"))  # Go's checks come in any order
        both(self, ("/health", "/health?serializable=true", "/livez?verbose", "/readyz?verbose",
                    "/readyz/non_learner"), answer)
        for kind in KINDS:
            self.assertEqual(self.learners[kind].metrics()["etcd_server_is_learner"], 1)


class Promotions(unittest.TestCase):
    def test_are_counted_by_the_leader(self):
        for kind in KINDS:
            cluster = Cluster([kind])
            self.addCleanup(cluster.close)
            cluster.start()
            leader = cluster.members[0]
            learner = cluster.add(kind, learner=True, start=False)
            learner_id = cluster.id_of(learner)
            early = leader.etcdctl_result("member", "promote", learner_id)
            self.assertIn("in sync with leader", early.stderr)
            learner.start(wait_ready=False)
            cluster.promote(learner)
            again = leader.etcdctl_result("member", "promote", learner_id)
            self.assertIn("can only promote a learner member", again.stderr)
            unknown = leader.etcdctl_result("member", "promote", "1234")
            self.assertIn("member not found", unknown.stderr)
            metrics = leader.metrics() if leader is cluster.leader() else {}
            promoted = {name: value for name, value in metrics.items()
                        if "learner_promote" in name}
            with self.subTest(kind=kind):
                self.assertEqual(promoted.pop("etcd_server_learner_promote_successes"), 1)
                late = promoted.pop('etcd_server_learner_promote_failures{Reason="etcdserver: can '
                                    'only promote a learner member which is in sync with leader"}')
                self.assertGreaterEqual(late, 1)
                self.assertEqual(promoted, {
                    'etcd_server_learner_promote_failures{Reason="membership: ID not found"}': 1,
                    'etcd_server_learner_promote_failures{Reason="membership: can only promote a '
                    'learner member"}': 1})


if __name__ == "__main__":
    peers.binary("v36")  # skipped without it
    unittest.main()
