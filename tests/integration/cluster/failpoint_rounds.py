#!/usr/bin/env python3
"""A member of a cluster under load dies, or sleeps for a second, at each failpoint in turn; the server
must be built with them (scripts/failpoints.sh). A failpoint that was never met is reported.

    failpoint_rounds.py [--members 3] [--rounds 1] [--only NAME,...]
"""

import argparse
import contextlib
import http.client
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flags  # noqa: E402

from cluster import Cluster, ClusterLoad, Wrong  # noqa: E402
from etcd_process import EtcdError, free_ports, wait_until  # noqa: E402

MET_SECONDS = 8.0


def ask(member, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", member.failpoint_port, timeout=60)
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def count(member, name):
    try:
        status, content = ask(member, "GET", f"/{name}/count")
        return int(content) if status == 200 else 0
    except OSError:
        return 0  # it has died


def provoke(cluster, member, name):
    """The calls that lead to a failpoint that the load does not meet. They may fail: it is there that
    the member dies."""
    other = next(one for one in cluster.members if one is not member)
    calls = []
    if name.startswith("defrag"):
        calls = [(member, "defrag")]
    elif name == "afterIsMemberExist":
        calls = [(member, "move-leader", cluster.id_of(other))]
    elif "Lease" in name:
        granted = other.etcdctl_result("lease", "grant", "600").stdout.split()
        if len(granted) > 1:
            # Asked of another member too: it asks the leader.
            calls = [(one, "lease", *words, granted[1]) for one in (member, other)
                     for words in (("timetolive",), ("keep-alive", "--once"))]
    for one, *words in calls:
        with contextlib.suppress(subprocess.TimeoutExpired):  # 3.4's lease commands know no limit
            one.etcdctl_result(*words, timeout=5, command_timeout="3s")


def panic_at(cluster, member, name):
    """False: it was not met."""
    ask(member, "PUT", "/" + name, 'panic("failpoint round")')
    provoke(cluster, member, name)
    if not wait_until(lambda: not member.running(), MET_SECONDS):
        ask(member, "DELETE", "/" + name)
        return False
    member.start(wait_ready=False)
    return True


def sleep_at(cluster, member, name):
    ask(member, "PUT", "/" + name, '1*sleep("1s")')
    provoke(cluster, member, name)
    met = wait_until(lambda: count(member, name) > 0, MET_SECONDS)
    ask(member, "DELETE", "/" + name)
    return met


def run_rounds(cluster, load, names):
    """Returns those that were met."""
    met = set()
    for name in names:
        for who in ("leader", "follower"):
            for how in (panic_at, sleep_at):
                member = cluster.leader() if who == "leader" else cluster.followers()[0]
                was_met = how(cluster, member, name)
                met |= {name} if was_met else set()
                load.wait_writes(50)
                cluster.wait_ready()
                print(f"{name} {who} {how.__name__}: {'met' if was_met else 'not met'}", flush=True)
                if not was_met:
                    break
    return met


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    cluster = Cluster(["ours"] * options.members, args=flags.for_faults("ours"))
    for member in cluster.members:
        member.failpoint_port = free_ports(1)[0]
        member.env["GOFAIL_HTTP"] = f"127.0.0.1:{member.failpoint_port}"
    try:
        with cluster, ClusterLoad(cluster, compact=True, progress=True, rate=600) as load:
            load.wait_writes()
            listed = ask(cluster.members[0], "GET", "/")[1].split()
            names = options.only.split(",") if options.only else [n.split("=")[0] for n in listed]
            met = run_rounds(cluster, load, names * options.rounds)
            verdict = load.finish()
            cluster.expect_equal_hashes()
    except (EtcdError, Wrong) as failure:
        sys.exit(str(failure))
    print(f"never met: {sorted(set(names) - met)}")
    print(f"{verdict['checked']} answers checked: nothing wrong")


if __name__ == "__main__":
    main()
