"""Writers, readers and watchers on all members of an EtcdCluster, which judge what they are told
(tests/integration/cluster), wherever its members go."""

import os
import subprocess
import sys
import tempfile
import threading
import time

from bed import ROOT, TESTBED, Failed

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from cluster import CLIENT, ClusterLoad  # noqa: E402

WRITERS = 16
RATE = 300
CLIENT_PORT = 2379


def endpoints_of(bed, cluster, namespace):
    """Addresses of pods that run and whose members vote."""
    status = (bed.get("etcdclusters", cluster, namespace) or {}).get("status", {})
    voters = {m["name"] for m in status.get("members", []) if m.get("role") == "Voter"}
    found = []
    for pod in bed.list("pods", f"etcdpp.dev/cluster={cluster}", namespace):
        address = pod["status"].get("podIP")
        is_going = "deletionTimestamp" in pod["metadata"]
        if pod["metadata"]["name"] in voters and address and not is_going:
            found.append(f"{address}:{CLIENT_PORT}")
    return sorted(found)


class Load(ClusterLoad):
    """Follows the members of the cluster until finish()."""

    def __init__(self, bed, cluster, namespace="default"):
        self._bed = bed
        self._name = cluster
        self._namespace = namespace
        self._known = endpoints_of(bed, cluster, namespace)
        if not self._known:
            raise Failed(f"{cluster} has no members to talk to")
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [TESTBED, "exec", CLIENT, ",".join(self._known), f"--writers={WRITERS}",
             f"--rate={RATE}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0)
        self._asking = threading.Lock()
        self._ended = threading.Event()
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()

    def _ask(self, command, timeout=60.0):
        with self._asking:
            return super()._ask(command, timeout)

    def _follow(self):
        while not self._ended.wait(0.5):
            try:
                self.refresh()
            except (Failed, subprocess.TimeoutExpired):
                continue  # the API server is busy
            except Exception:  # what is wrong, the next question tells
                return

    def refresh(self):
        found = endpoints_of(self._bed, self._name, self._namespace)
        if found and found != self._known:
            self._ask("endpoints " + ",".join(found))
            self._known = found

    def wait_writes(self, count=200, timeout=60.0):
        wanted = self.report()["writes"] + count
        ends = time.monotonic() + timeout
        while self.report()["writes"] < wanted:
            if time.monotonic() > ends:
                raise Failed(f"no writes through {self._known}: {self.report()}")
            time.sleep(0.1)

    def during(self, what, action):
        """Runs it: its result, and the report of the time from its beginning to a while after its
        end."""
        self.mark()
        began = time.monotonic()
        result = action()
        self.wait_writes(100, timeout=60)
        report = self.report()
        print(f"   {what}: {time.monotonic() - began:.1f} s; {report['writes']} writes, "
              f"{report['failed_writes']} failed, {report['failed_twice']} also at the next try, "
              f"longest time without one {report['longest_gap_ms'] / 1000:.1f} s", flush=True)
        if report["failed_twice"]:
            print(f"   errors: {report['errors']}", flush=True)
        return result, report

    def finish(self, timeout=600.0):
        self._ended.set()
        self._follower.join()
        self.refresh()
        return super().finish(timeout)

    def close(self):
        self._ended.set()
        super().close()
