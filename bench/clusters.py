"""Rows of compare.py with several members on one machine: `compare.sh --members 3`.

Clients spread over all members, the first of them on the leader. CPU is that of all members together
per operation."""

import os
import sys

from harness import ROOT, load

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from cluster import Cluster  # noqa: E402

PUT = {"key_bytes": 8, "value_bytes": 256, "key_space": 100000}
FIGURES = ["server_cpu_us", "rate", "p50_ms", "p99_ms"]


class Servers:
    """A cluster of one release, as `load` wants a server."""

    def __init__(self, name, count):
        self._cluster = Cluster([name] * count, args=["--quota-backend-bytes=8589934592"])

    def __enter__(self):
        self._cluster.__enter__()
        return self

    def __exit__(self, *details):
        self._cluster.__exit__(*details)

    def load(self, **options):
        leader = self._cluster.leader()
        members = [leader] + [m for m in self._cluster.members if m is not leader]
        ports = ",".join(str(member.client_port) for member in members)
        before = sum(member.cpu_seconds() for member in members)
        result = load(ports, leader.pid, **options)
        spent = sum(member.cpu_seconds() for member in members) - before
        result["server_cpu_us"] = spent * 1e6 / result["operations"]
        return result


def _row(count, keys=0, **options):
    def run(name):
        with Servers(name, count) as servers:
            servers.load(workload="put", connections=3, clients=3, total=200, **PUT)
            if keys:
                servers.load(workload="put", connections=12, clients=200, total=keys,
                             sequential="true", **PUT)
            return servers.load(**options)
    return run


def rows(count):
    """As compare.ROWS."""
    return {
        "put-1000": (_row(count, workload="put", connections=99, clients=1000, total=50000, **PUT),
                     FIGURES, False),
        "put-1": (_row(count, workload="put", connections=1, clients=1, total=3000, **PUT),
                  ["p50_ms", "p99_ms", "server_cpu_us", "rate"], False),
        "get-100": (_row(count, keys=50000, workload="get", connections=12, clients=100,
                         total=50000, key_bytes=8, key_space=50000), FIGURES, False),
    }

