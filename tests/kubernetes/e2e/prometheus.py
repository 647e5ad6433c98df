"""Debian's Prometheus with deploy/prometheus/prometheus.yml, in the control plane's network: does it
see exactly the members that run?"""

import json
import os
import subprocess
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
        subprocess.run(["apt-get", "download", "-qq", "prometheus"], cwd=folder, check=True)
        packages = [name for name in os.listdir(folder) if name.endswith(".deb")]
        run("dpkg-deb", "--extract", os.path.join(folder, packages[0]), folder)
    return binary


class Prometheus:
    def __init__(self, bed):
        self._bed = bed
        self._process = None

    def __enter__(self):
        state = os.environ.get("BED") or os.path.join(CACHE, "etcdpp-testbed", "state")
        with open(os.path.join(ROOT, "deploy/prometheus/prometheus.yml"), encoding="utf-8") as file:
            config = yaml.safe_load(file)
        config["global"]["scrape_interval"] = "2s"
        for job in config["scrape_configs"]:
            for discovery in job["kubernetes_sd_configs"]:
                discovery["kubeconfig_file"] = os.path.join(state, "admin.kubeconfig")
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
