#!/usr/bin/env python3
"""Memory of our server while data changes hands, in values of 16 KB.

    bench/exchange.py import [--gigabytes 2]      the upgrade in place of a directory of Go's 3.6
    bench/exchange.py transfer [--gigabytes 1]    a snapshot from leader to follower, while clients
                                                  write: their p99 before and meanwhile
    bench/exchange.py backup [--gigabytes 1]      the same for etcdctl snapshot save
    bench/exchange.py speed [--gigabytes 1]       its time, and memory, beside Go's 3.6
"""

import argparse
import os
import sys
import tempfile
import threading
import time

from harness import ROOT, SERVERS, EtcdProcess, anonymous_mb, load, rss_mb

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from cluster import Cluster  # noqa: E402
from etcd_process import wait_until  # noqa: E402

VALUE_BYTES = 16384
QUOTA = "--quota-backend-bytes=8589934592"
# Few entries in the log, so that it is not its memory that is measured.
SNAPSHOTS = ["--snapshot-count=500", "--snapshot-catchup-entries=100"]
WRITES_PER_SECOND = 200


class Peak:
    """Largest resident and anonymous memory of a process, sampled every 10 ms."""

    def __init__(self, pid):
        self.before = (rss_mb(pid), anonymous_mb(pid))
        self.rss, self.anonymous = self.before
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ended.wait(0.01):
            try:
                self.rss = max(self.rss, rss_mb(self._pid))
                self.anonymous = max(self.anonymous, anonymous_mb(self._pid))
            except OSError:
                return

    def end(self):
        self._ended.set()
        self._thread.join()
        return self

    def text(self, base=None):
        base = base or self.before
        return (f"RSS {base[0]:.0f} -> {self.rss:.0f} MB (+{self.rss - base[0]:.0f}), "
                f"anonymous {base[1]:.0f} -> {self.anonymous:.0f} MB "
                f"(+{self.anonymous - base[1]:.0f})")


def fill(etcd, gigabytes):
    load(etcd.client_port, etcd.pid, workload="put", connections=4, clients=16,
         total=int(gigabytes * 1e9 / VALUE_BYTES), sequential="true", key_bytes=16,
         value_bytes=VALUE_BYTES)


def head(member):
    status = member.status()
    return int(status["header"].get("revision", 0)) if status else 0


def import_go(gigabytes):
    with EtcdProcess(binary=SERVERS["v36"], args=[QUOTA] + SNAPSHOTS) as etcd:
        fill(etcd, gigabytes)
        etcd.stop()
        size = os.path.getsize(os.path.join(etcd.data_dir, "member", "snap", "db"))
        etcd.binary = SERVERS["ours"]
        began = time.monotonic()
        etcd.start(wait_ready=False)
        peak = Peak(etcd.pid)
        etcd.wait_ready(600)
        took = time.monotonic() - began
        peak.end()
        time.sleep(5)  # what the allocator gives back it has given back by then
        settled = (rss_mb(etcd.pid), anonymous_mb(etcd.pid))
        print(f"import of {size / 1e9:.2f} GB: ready after {took:.1f} s; settled, peak: "
              f"{peak.text(settled)}", flush=True)


def transfer(gigabytes):
    with Cluster(["ours"] * 3, args=[QUOTA] + SNAPSHOTS) as cluster:
        leader = cluster.leader()
        follower = cluster.followers()[0]
        follower.kill()
        fill(leader, gigabytes)
        time.sleep(10)  # compactions of the engine after the load
        print(f"p99 of {WRITES_PER_SECOND} puts/s before: {writes(leader, 15):.2f} ms", flush=True)
        sender = Peak(leader.pid)
        began = time.monotonic()
        follower.start(wait_ready=False)
        receiver = Peak(follower.pid)
        caught_up = []

        def watch():
            goal = head(leader)
            wait_until(lambda: head(follower) >= goal, 300)
            caught_up.append(time.monotonic() - began)
        watcher = threading.Thread(target=watch)
        watcher.start()
        p99 = writes(leader, max(15, int(15 * gigabytes)))
        watcher.join()
        sender.end()
        receiver.end()
        time.sleep(5)
        settled = (rss_mb(follower.pid), anonymous_mb(follower.pid))
        print(f"transfer of {gigabytes} GB: {caught_up[0]:.1f} s; p99 meanwhile {p99:.2f} ms")
        print(f"sender: {sender.text()}")
        print(f"receiver, from what it has afterwards: {receiver.text(settled)}", flush=True)


def backup(gigabytes):
    with EtcdProcess(binary=SERVERS["ours"], args=[QUOTA] + SNAPSHOTS) as etcd, \
            tempfile.TemporaryDirectory(prefix="etcd-backup-") as folder:
        fill(etcd, gigabytes)
        time.sleep(10)
        print(f"p99 of {WRITES_PER_SECOND} puts/s before: {writes(etcd, 15):.2f} ms", flush=True)
        peak = Peak(etcd.pid)
        took = []

        def save():
            began = time.monotonic()
            etcd.etcdctl("snapshot", "save", os.path.join(folder, "db"), timeout=600)
            took.append(time.monotonic() - began)
        saver = threading.Thread(target=save)
        saver.start()
        p99 = writes(etcd, max(5, int(5 * gigabytes)))
        saver.join()
        peak.end()
        print(f"snapshot save of {gigabytes} GB: {took[0]:.1f} s; p99 meanwhile {p99:.2f} ms; "
              f"{peak.text()}", flush=True)


def speed(gigabytes):
    """In turn, so that what else the machine does hits both; of each the best of three counts."""
    best = {}
    with tempfile.TemporaryDirectory(prefix="etcd-backup-") as folder:
        path = os.path.join(folder, "db")
        servers = {name: EtcdProcess(binary=SERVERS[name], args=[QUOTA] + SNAPSHOTS)
                   for name in ("ours", "v36")}
        try:
            for etcd in servers.values():
                etcd.start()
                fill(etcd, gigabytes)
            time.sleep(10)
            for _ in range(3):
                for name, etcd in servers.items():
                    cpu = etcd.cpu_seconds()
                    peak = Peak(etcd.pid)
                    began = time.monotonic()
                    etcd.etcdctl("snapshot", "save", path, timeout=600)
                    took = time.monotonic() - began
                    megabytes = os.path.getsize(path) / 1e6
                    os.remove(path)
                    print(f"{name}: {megabytes:.0f} MB in {took:.2f} s, {megabytes / took:.0f} "
                          f"MB/s, CPU {etcd.cpu_seconds() - cpu:.2f} s; {peak.end().text()}",
                          flush=True)
                    best[name] = max(best.get(name, 0), megabytes / took)
        finally:
            for etcd in servers.values():
                etcd.close()
    print(f"ours / Go's 3.6: {best['ours'] / best['v36']:.2f}")


def writes(etcd, seconds):
    """p99 in ms of puts that come at fixed times."""
    result = load(etcd.client_port, etcd.pid, workload="background", rate=WRITES_PER_SECOND,
                  gets_rate=0, seconds=seconds, key_bytes=8, value_bytes=256, key_space=10000)
    if result["failed"] > 0:
        print(f"{result['failed']:.0f} writes failed")
    return result["put_p99_ms"]


def main():
    runs = {"import": (import_go, 2), "transfer": (transfer, 1), "backup": (backup, 1),
            "speed": (speed, 1)}
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=runs)
    parser.add_argument("--gigabytes", type=float)
    options = parser.parse_args()
    run, gigabytes = runs[options.what]
    run(options.gigabytes or gigabytes)


if __name__ == "__main__":
    main()
