#!/usr/bin/env python3
"""Names, types, labels, series and bucket bounds of /metrics against real etcd 3.6: on a fresh
member, and after one call of each RPC.

    metrics_test.py [--peer BINARY]
"""

import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import grpc  # noqa: E402
import peers  # noqa: E402
from etcd_process import EtcdProcess, wait_until  # noqa: E402

# Families of the peer that ours need not have.
EXCEPTIONS = {
    # The peer has no other member either, but says how many it knows: peers are not built yet.
    "etcd_network_known_peers",
}

# Labels of series that the peer has not: methods of 3.7 that ours serves too.
NEWER_METHODS = {"RangeStream"}

# Labels whose value differs from server to server.
FREE_LABELS = {"server_id", "server_go_version", "server_version", "Local", "Remote", "le"}


def string(field, text):
    """A length-delimited field of protobuf."""
    return bytes([field << 3 | 2, len(text)]) + text


def number(field, value):
    return bytes([field << 3, value])


KV = "/etcdserverpb.KV/"
LEASE = "/etcdserverpb.Lease/"
MAINTENANCE = "/etcdserverpb.Maintenance/"
PUT = string(1, b"k") + string(2, b"v")

# (method, request), one after the other.
UNARY = [
    (KV + "Put", PUT),
    (KV + "Put", PUT),
    (KV + "Put", PUT + number(3, 77)),  # a lease that is not there
    (KV + "Range", string(1, b"k")),
    (KV + "Range", string(1, b"k") + number(4, 99)),  # a future revision
    (KV + "Txn", string(2, string(2, PUT)) + string(2, string(1, string(1, b"k")))),
    (KV + "Txn", string(2, string(1, string(1, b"k")))),
    (KV + "DeleteRange", string(1, b"k")),
    (KV + "Compact", number(1, 2) + number(2, 1)),
    (LEASE + "LeaseGrant", number(1, 100) + number(2, 7)),
    (LEASE + "LeaseTimeToLive", number(1, 7)),
    (LEASE + "LeaseLeases", b""),
    (LEASE + "LeaseRevoke", number(1, 7)),
    ("/etcdserverpb.Cluster/MemberList", b""),
    (MAINTENANCE + "Status", b""),
    (MAINTENANCE + "Hash", b""),
    (MAINTENANCE + "HashKV", b""),
    (MAINTENANCE + "Defragment", b""),
    (MAINTENANCE + "Alarm", number(1, 1) + number(2, 9) + number(3, 1)),
    (MAINTENANCE + "Alarm", number(1, 2) + number(2, 9) + number(3, 1)),
    ("/grpc.health.v1.Health/Check", b""),
]


def call_everything(etcd):
    def raw(kind, method):
        return kind(method, request_serializer=None, response_deserializer=None)

    with grpc.insecure_channel(etcd.endpoint()) as channel:
        for method, request in UNARY:
            try:
                raw(channel.unary_unary, method)(request, timeout=60)
            except grpc.RpcError:
                pass  # some of them are meant to fail
        watch = raw(channel.stream_stream, "/etcdserverpb.Watch/Watch")(
            iter([string(1, string(1, b"k"))]), timeout=60)
        next(watch)
        watch.cancel()
        alive = raw(channel.stream_stream, LEASE + "LeaseKeepAlive")(
            iter([number(1, 7)]), timeout=60)
        list(alive)
    for path in ("/health", "/livez", "/readyz"):
        etcd.http("GET", path)


class Family:
    def __init__(self, kind):
        self.kind = kind
        self.series = set()  # frozensets of (label, value)
        self.bounds = set()


def scrape(etcd):
    """{family name: Family} of what /metrics says."""
    _, _, body = etcd.http("GET", "/metrics")
    families = {}
    current = None
    for line in body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            current = families[name] = Family(kind)
        elif not line.startswith("#"):
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', line)
            if any(value in NEWER_METHODS for _, value in pairs):
                continue
            for key, value in pairs:
                if key == "le":
                    current.bounds.add(round(float(value), 9))
            current.series.add(frozenset(
                (k, "*" if k in FREE_LABELS else v) for k, v in pairs if k != "le"))
    return families


def wanted(name):
    return name.startswith(("etcd_", "grpc_server_")) and name not in EXCEPTIONS


class MetricsTest(unittest.TestCase):
    peer = None
    args = ()

    def compare(self, after):
        found = []
        for binary in (None, self.peer):
            with EtcdProcess(binary=binary, args=self.args) as etcd:
                # The storage version follows the cluster version a moment after the start.
                self.assertTrue(wait_until(
                    lambda: b'"storage":"3.6.0"' in etcd.http("GET", "/version")[2], 10))
                if after is not None:
                    after(etcd)
                found.append(scrape(etcd))
        ours, theirs = found
        wrong = []
        for name in sorted(filter(wanted, theirs)):
            # The probe of /health that waits for the start is a Range there, and not in ours.
            if after is None and name == "etcd_server_range_duration_seconds":
                continue
            if name not in ours:
                wrong.append(f"missing: {name}")
                continue
            mine, real = ours[name], theirs[name]
            if mine.kind != real.kind:
                wrong.append(f"type of {name}: {mine.kind}, not {real.kind}")
            if mine.bounds != real.bounds:
                wrong.append(f"buckets of {name}: {sorted(mine.bounds)}, not {sorted(real.bounds)}")
            if mine.series != real.series:
                wrong.append(f"series of {name}: ours only "
                             f"{[sorted(s) for s in mine.series - real.series]}, theirs only "
                             f"{[sorted(s) for s in real.series - mine.series]}")
        # Names of our own would be taken for etcd's.
        for name in sorted(set(ours) - set(theirs)):
            if name.startswith("etcd_"):
                wrong.append(f"not in the peer: {name}")
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_fresh_member(self):
        self.compare(None)

    def test_after_every_call(self):
        self.compare(call_everything)

    def test_extensive(self):
        self.args = ("--metrics=extensive",)
        self.compare(call_everything)


if __name__ == "__main__":
    peers.run_tests(MetricsTest)
