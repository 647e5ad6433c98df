"""Debian's Prometheus with deploy/prometheus/prometheus.yml, in the control plane's network: does it
see exactly the members that run? Debian builds it without the discovery of Kubernetes: the pods come
as files with the labels that the discovery would give them, so that the relabelling is that of the
example."""

import json
import os
import subprocess
import threading
import urllib.parse

import yaml

from bed import CACHE, CONTROL_PLANE, ROOT, TESTBED, Failed, run

PORT = 9091


def program():
    """Unpacked from Debian's package into the user's cache folder: as a package it would start a
    service."""
    folder = os.path.join(CACHE, "etcdpp-prometheus")
    binary = os.path.join(folder, "usr", "bin", "prometheus")
    if not os.path.exists(binary):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", "prometheus"], cwd=folder, check=True,
                       stderr=subprocess.DEVNULL)
        packages = [name for name in os.listdir(folder) if name.endswith(".deb")]
        run("dpkg-deb", "--extract", os.path.join(folder, packages[0]), folder)
    return binary


def targets_of(pod):
    """As role "pod" of Prometheus' discovery: one target for each declared port."""
    found = []
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", []):
            if "podIP" not in pod["status"]:
                continue
            labels = {"__meta_kubernetes_namespace": pod["metadata"]["namespace"],
                      "__meta_kubernetes_pod_name": pod["metadata"]["name"],
                      "__meta_kubernetes_pod_phase": pod["status"]["phase"],
                      "__meta_kubernetes_pod_container_name": container["name"],
                      "__meta_kubernetes_pod_container_port_name": port.get("name", "")}
            for name, value in pod["metadata"].get("labels", {}).items():
                name = "".join(c if c.isalnum() else "_" for c in name)
                labels["__meta_kubernetes_pod_label_" + name] = value
            address = f"{pod['status']['podIP']}:{port['containerPort']}"
            found.append({"targets": [address], "labels": labels})
    return found


class Prometheus:
    def __init__(self, bed):
        self._bed = bed
        self._process = None
        self._targets = bed.path("targets.json")
        self._ended = threading.Event()
        self._finder = threading.Thread(target=self._find, daemon=True)

    def _find(self):
        while not self._ended.wait(1.0):
            try:
                self._write_targets()
            except (Failed, subprocess.TimeoutExpired):
                continue

    def _write_targets(self):
        pods = json.loads(self._bed.kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
        with open(self._targets + ".new", "w", encoding="ascii") as file:
            json.dump([target for pod in pods for target in targets_of(pod)], file)
        os.rename(self._targets + ".new", self._targets)

    def __enter__(self):
        with open(os.path.join(ROOT, "deploy/prometheus/prometheus.yml"), encoding="utf-8") as file:
            config = yaml.safe_load(file)
        config["global"]["scrape_interval"] = "2s"
        for job in config["scrape_configs"]:
            if [one["role"] for one in job.pop("kubernetes_sd_configs")] != ["pod"]:
                raise Failed("the example discovers something else than pods")
            job["file_sd_configs"] = [{"files": [self._targets], "refresh_interval": "2s"}]
        self._write_targets()
        self._finder.start()
        path = self._bed.path("prometheus.yml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        with open(self._bed.path("prometheus.log"), "wb") as log:
            self._process = subprocess.Popen(
                [TESTBED, "exec", program(), f"--config.file={path}",
                 f"--storage.tsdb.path={self._bed.path('prometheus')}",
                 f"--web.listen-address={CONTROL_PLANE}:{PORT}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._finder.join()
        self._process.terminate()
        self._process.wait()

    def query(self, text):
        """[(labels, value)]"""
        url = f"http://{CONTROL_PLANE}:{PORT}/api/v1/query?" + urllib.parse.urlencode({"query": text})
        done = self._bed.exec("curl", "--silent", "--fail", "--max-time", "5", url, check=False)
        if done.returncode != 0:
            raise Failed(f"Prometheus: {done.stderr}")
        result = json.loads(done.stdout)["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in result]

    def expect_members(self, cluster, members):
        """`members` of the cluster are up and no other target is known as one of its members."""
        def are_they():
            found = self.query(f'up{{job="etcd",cluster="{cluster}"}}')
            pods = sorted(labels["pod"] for labels, up in found if up == 1)
            return pods if len(found) == len(pods) == members else None
        pods, seconds = self._bed.wait(f"Prometheus: {members} members of {cluster} up", are_they, 90)
        print(f"   Prometheus: up {pods}, after {seconds:.1f} s", flush=True)
