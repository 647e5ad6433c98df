"""Prometheus with deploy/prometheus/prometheus.yml, discovering pods through the API as a service account
with the rights that the example names: does it see exactly the members that run?

Debian builds its Prometheus without the discovery of Kubernetes, so it is built from its published module
(../prometheus), without the other discoveries and without the pages for browsers."""

import json
import os
import subprocess
import urllib.parse

import yaml

from api import PORT as API_PORT
from bed import CONTROL_PLANE, HERE, ROOT, STATE, TESTBED, Failed

PORT = 9091
NAME = "prometheus"
NAMESPACE = "default"
TAGS = "remove_all_sd,enable_kubernetes_sd"


def program():
    """Built once; exits the test as skipped where that is not possible."""
    built = subprocess.run(
        [os.path.join(ROOT, "tests/support/go_program.sh"),
         os.path.join(os.path.dirname(HERE), "prometheus"),
         "github.com/prometheus/prometheus/cmd/prometheus", "-tags", TAGS, "-ldflags", "-s -w"],
        stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise SystemExit(built.returncode)
    return built.stdout.strip()


def account():
    """What the example says that Prometheus needs: get, list and watch on pods."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME}
    rbac = "rbac.authorization.k8s.io/v1"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}},
        {"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": NAME}, "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]},
        {"apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": {"name": NAME},
         "roleRef": role,
         "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}]}]


class Prometheus:
    def __init__(self, bed):
        self._bed = bed
        self._program = program()
        self._process = None

    def __enter__(self):
        with open(self._bed.path("prometheus.log"), "wb") as log:
            self._process = subprocess.Popen(
                [TESTBED, "exec", self._program, f"--config.file={self._write_config()}",
                 f"--storage.tsdb.path={self._bed.path('prometheus')}",
                 f"--web.listen-address={CONTROL_PLANE}:{PORT}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def _write_config(self):
        """The example, from outside of the cluster and more often."""
        self._bed.apply(*account(), namespace=NAMESPACE)
        token = self._bed.path("prometheus.token")
        with open(token, "w", encoding="ascii") as file:
            file.write(self._bed.kubectl("create", "token", NAME, "--namespace", NAMESPACE,
                                         "--duration=4h").strip())
        with open(os.path.join(ROOT, "deploy/prometheus/prometheus.yml"), encoding="utf-8") as file:
            config = yaml.safe_load(file)
        config["global"]["scrape_interval"] = "2s"
        for job in config["scrape_configs"]:
            for discovery in job["kubernetes_sd_configs"]:
                discovery["api_server"] = f"https://{CONTROL_PLANE}:{API_PORT}"
                discovery["authorization"] = {"credentials_file": token}
                discovery["tls_config"] = {"ca_file": os.path.join(STATE, "pki", "ca.crt")}
        path = self._bed.path("prometheus.yml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        return path

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def query(self, text):
        """[(labels, value)]"""
        url = f"http://{CONTROL_PLANE}:{PORT}/api/v1/query?" + urllib.parse.urlencode({"query": text})
        done = self._bed.exec("curl", "--silent", "--fail", "--max-time", "5", url, check=False)
        if done.returncode != 0:
            with open(self._bed.path("prometheus.log"), encoding="utf-8", errors="replace") as log:
                raise Failed(f"Prometheus: {done.stderr} {log.read()[-1000:]}")
        result = json.loads(done.stdout)["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in result]

    def members(self, cluster):
        """{pod: whether it is up} of what is known as the cluster's members."""
        return {labels["pod"]: up == 1
                for labels, up in self.query(f'up{{job="etcd",cluster="{cluster}"}}')}

    def expect_members(self, cluster, count):
        """Exactly the pods that run, so many, are known, and up."""
        def are_they():
            running = {pod["metadata"]["name"]: True
                       for pod in self._bed.list("pods", f"etcdpp.dev/cluster={cluster}")
                       if pod["status"]["phase"] == "Running"}
            return (running,) if running == self.members(cluster) and len(running) == count else None
        (pods,), seconds = self._bed.wait(f"Prometheus: exactly {count} members of {cluster} up",
                                          are_they, 90)
        print(f"   Prometheus: {cluster}: up {sorted(pods)}, after {seconds:.1f} s", flush=True)

    def expect_up(self, cluster, names):
        """Of those that are known, exactly these are up."""
        def are_they():
            up = {name for name, is_up in self.members(cluster).items() if is_up}
            return up == set(names) or None
        _, seconds = self._bed.wait(f"Prometheus: of {cluster} only {sorted(names)} up", are_they, 90)
        print(f"   Prometheus: {cluster}: up only {sorted(names)}, after {seconds:.1f} s", flush=True)
