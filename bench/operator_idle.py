#!/usr/bin/python3
"""operator_idle.py BINARY...: what an operator costs that leads and has nothing to do.

For each binary: a real kube-apiserver without nodes (tests/kubernetes/api_server.py), CLUSTERS clusters of
three members that the operator itself creates, then IDLE seconds of rest; memory and CPU of the operator
then, and what its memory consists of. In place of kubelets this script starts our server for every pod, on
an address of 127.0.0.0/8 of its own; the pods' names come from a hosts file in a mount namespace. Needs
root. Environment: ETCD_BINARY, CLUSTERS (10), IDLE (60), MAPPINGS=1 for the largest mappings.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/kubernetes"))
sys.path.insert(0, str(ROOT / "tests/support"))
from api_server import ApiServer  # noqa: E402
from etcd_process import free_ports, server_binary, wait_until  # noqa: E402

CLUSTERS = int(os.environ.get("CLUSTERS", "10"))
IDLE = float(os.environ.get("IDLE", "60"))
LIMIT = 600
GROUP = "/apis/etcdpp.dev/v1alpha1"
HOSTS = pathlib.Path("/etc/hosts")


def in_mount_namespace():
    """Starts this program again where /etc/hosts is a copy of its own."""
    if os.environ.get("OPERATOR_IDLE_INSIDE") == "1":
        return
    copy = tempfile.NamedTemporaryFile("w", prefix="hosts-", delete=False)
    copy.write(HOSTS.read_text())
    copy.close()
    script = f"mount --bind {copy.name} {HOSTS} && exec {sys.executable} \"$@\""
    result = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", __file__, *sys.argv[1:]],
                            env={**os.environ, "OPERATOR_IDLE_INSIDE": "1"}, check=False)
    os.unlink(copy.name)
    sys.exit(result.returncode)


class Kubelet(threading.Thread):
    """Runs a server for each pod that appears; pods do not go away here."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api = api
        self.folder = tempfile.TemporaryDirectory(prefix="operator-idle-")
        self.servers = {}
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.wait(0.1):
            _, pods = self.api.request("GET", "/api/v1/pods?labelSelector=etcdpp.dev%2Fcluster")
            for pod in pods["items"]:
                if pod["metadata"]["uid"] not in self.servers:
                    self.serve(pod)

    def serve(self, pod):
        meta, spec = pod["metadata"], pod["spec"]
        number = len(self.servers) + 1
        address = f"127.77.{number // 250}.{number % 250 + 1}"
        with HOSTS.open("a") as hosts:
            hosts.write(f"{address} {spec['hostname']}.{spec['subdomain']}.{meta['namespace']}.svc.cluster.local\n")
        args = [word.replace("0.0.0.0", address) for word in spec["containers"][0]["args"]]
        args = [f"--data-dir={self.folder.name}/{meta['name']}" if word.startswith("--data-dir=") else word
                for word in args]
        log = open(f"{self.folder.name}/{meta['name']}.log", "w", encoding="utf-8")
        self.servers[meta["uid"]] = subprocess.Popen([server_binary(), *args], stdout=log, stderr=log)
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                  "conditions": [{"type": kind, "status": "True"}
                                 for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")],
                  "containerStatuses": [{"name": "etcd", "ready": True, "restartCount": 0, "image": "i",
                                         "imageID": "i", "started": True,
                                         "state": {"running": {"startedAt": meta["creationTimestamp"]}}}]}
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status"
        code, answer = self.api.request("PATCH", path, {"status": status}, "application/merge-patch+json")
        assert code == 200, answer

    def close(self):
        self.is_over.set()
        self.join()
        for server in self.servers.values():
            server.kill()
            server.wait()
        self.folder.cleanup()


class Operator:
    def __init__(self, binary, api):
        health, metrics = free_ports(2)
        self.log = open(api.path / "operator.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [binary, f"--kubeconfig={api.path}/kubeconfig", "--server-image=localhost/etcd:v3.6.16",
             "--operator-image=localhost/operator:1", "--lease-namespace=default",
             f"--health-address=127.0.0.1:{health}", f"--metrics-address=127.0.0.1:{metrics}"],
            stdout=self.log, stderr=self.log)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def mappings(pid):
    """[(what, kB resident, kB of it written to)] of a process, largest first."""
    sums, what = {}, ""
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)$", line)
        if head:
            what = os.path.basename(head[1]) or "anonymous"
            sums.setdefault(what, [0, 0])
        for index, field in enumerate(("Rss", "Anonymous")):
            if line.startswith(field + ":"):
                sums[what][index] += int(line.split()[1])
    return sorted(((what, *both) for what, both in sums.items()), key=lambda one: -one[1])


def available(api):
    _, clusters = api.request("GET", GROUP + "/etcdclusters")
    done = [one for one in clusters["items"]
            if one.get("status", {}).get("voters") == 3 and one["status"].get("phase") == "Running"]
    return len(done) == CLUSTERS


def create(api):
    result = api.kubectl("apply", "--kustomize", str(ROOT / "deploy/crds"))
    assert result.returncode == 0, result.stderr
    assert wait_until(lambda: api.request("GET", GROUP + "/etcdclusters")[0] == 200, 60)
    for index in range(CLUSTERS):
        body = {"apiVersion": "etcdpp.dev/v1alpha1", "kind": "EtcdCluster",
                "metadata": {"name": f"c{index}"}, "spec": {"replicas": 3}}
        code, answer = api.request("POST", GROUP + "/namespaces/default/etcdclusters", body)
        assert code == 201, answer


def measure(binary):
    with ApiServer() as api:
        kubelet = Kubelet(api)
        kubelet.start()
        operator = None
        try:
            create(api)
            operator = Operator(binary, api)
            begin = time.monotonic()
            assert wait_until(lambda: available(api), LIMIT), (api.path / "operator.log").read_text()[-4000:]
            created = time.monotonic() - begin
            before, at = operator.cpu_seconds(), time.monotonic()
            time.sleep(IDLE)
            cpu = (operator.cpu_seconds() - before) / (time.monotonic() - at)
            maps = mappings(operator.process.pid)
            rss, dirty = (sum(one[index] for one in maps) * 1024 / 1e6 for index in (1, 2))
            print(f"{binary}: RSS {rss:.1f} MB, of which {dirty:.1f} MB not backed by files; CPU "
                  f"{cpu * 1000:.1f} millicores; {operator.threads()} threads; {CLUSTERS} clusters of 3 were "
                  f"there after {created:.0f} s", flush=True)
            if os.environ.get("MAPPINGS") == "1":
                for what, resident, written in maps[:30]:
                    print(f"  {resident:7} kB {written:7} kB  {what}")
        finally:
            if operator is not None:
                operator.close()
            kubelet.close()


if __name__ == "__main__":
    in_mount_namespace()
    for one in sys.argv[1:]:
        measure(one)
