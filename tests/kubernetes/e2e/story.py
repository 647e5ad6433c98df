"""The user's story, as steps: each waits for what it is about, under a load that judges every answer."""

import os
import subprocess
import time

import objects
import readme
from bed import ROOT, TESTBED, Failed, condition_of
from load import Load

SYSTEM = "etcd-system"
# Bars of the project for the testbed, in seconds (docs/performance.md). A machine that does other
# work as well misses them: missed ones fail only where the caller asks for that (missed_bars).
CREATE_BAR = 20
GROWTH_BAR = 10
PATIENCE = 240


def s3_program():
    """Built once; exits the test as skipped where that is not possible."""
    built = subprocess.run([os.path.join(ROOT, "tests/integration/backup/build_versitygw.sh")],
                           stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise SystemExit(built.returncode)
    return built.stdout.strip()


class S3Server:
    """versitygw in the control plane's network, with one bucket."""

    def __init__(self, bed):
        self._program = s3_program()
        self._bed = bed
        self.folder = bed.path("s3")
        self._process = None

    def __enter__(self):
        os.makedirs(os.path.join(self.folder, objects.BUCKET), exist_ok=True)
        keys = objects.S3_KEYS
        with open(self._bed.path("s3.log"), "wb") as log:
            self._process = subprocess.Popen(
                [TESTBED, "exec", "env", f"ROOT_ACCESS_KEY={keys['AWS_ACCESS_KEY_ID']}",
                 f"ROOT_SECRET_KEY={keys['AWS_SECRET_ACCESS_KEY']}", self._program,
                 "--port", f":{objects.S3_PORT}", "posix", self.folder],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def files(self):
        """Names and sizes of all that is stored."""
        return {os.path.relpath(os.path.join(folder, name), self.folder):
                os.path.getsize(os.path.join(folder, name))
                for folder, _, names in os.walk(self.folder) for name in names}


def told(name, value, unit, bar):
    figure = f"{value:.1f}" if isinstance(value, float) else str(value)
    if bar is None:
        return f"{name}: {figure}{unit}"
    return f"{name}: {figure}{unit} (bar {bar}{unit}: {'met' if value <= bar else 'missed'})"


class Story:
    def __init__(self, bed):
        self.bed = bed
        self.began = time.monotonic()
        self.figures = []  # (name, value, unit, bar or None)
        self.judges = True  # else bars are not ours: of another server
        self.load = None

    def step(self, title):
        print(f"\n== {title} ({time.monotonic() - self.began:.0f} s)", flush=True)

    def figure(self, name, value, bar=None, unit=" s"):
        bar = bar if self.judges else None
        self.figures.append((name, value, unit, bar))
        print(f"   {told(name, value, unit, bar)}", flush=True)

    def tell_figures(self):
        for figure in self.figures:
            print(f"   {told(*figure)}", flush=True)

    def missed_bars(self):
        return [told(*figure) for figure in self.figures
                if figure[3] is not None and figure[1] > figure[3]]

    def during(self, what, action, bar=0):
        """Under the load. bar: writes that may fail together with the next one of their writer."""
        result, report = self.load.during(what, action)
        self.figure(f"writes that failed twice, {what}", report["failed_twice"], bar, unit="")
        return result

    # ---- The operator.

    def install_operator(self):
        """Where only restricted pods are admitted, as are members and workers."""
        self.bed.kubectl("create", "namespace", SYSTEM)
        for namespace in (SYSTEM, "default"):
            self.bed.kubectl("label", "namespace", namespace,
                             "pod-security.kubernetes.io/enforce=restricted")
        readme.run_block(self.bed, "helm install etcd-operator", REGISTRY="localhost", TAG="dev")

    def operator_pods(self):
        return self.bed.list("pods", "app.kubernetes.io/name=etcd-operator", SYSTEM)

    # ---- Clusters.

    def cluster(self, name):
        return self.bed.get("etcdclusters", name) or {}

    def is_settled(self, name, members):
        """The status, once so many voters are Ready and nothing is going on."""
        cluster = self.cluster(name)
        status = cluster.get("status", {})
        is_seen = status.get("observedGeneration") == cluster.get("metadata", {}).get("generation")
        counts = [status.get(field) for field in ("voters", "readyReplicas", "replicas")]
        is_there = condition_of(cluster, "Available").get("status") == "True"
        is_moving = any(condition_of(cluster, kind).get("status") == "True"
                        for kind in ("Progressing", "Degraded"))
        if is_seen and counts == [members] * 3 and is_there and not is_moving:
            return status
        return None

    def wait_settled(self, name, members, seconds=PATIENCE):
        try:
            return self.bed.wait(f"{name} with {members} members",
                                 lambda: self.is_settled(name, members), seconds)
        except Failed as failure:
            raise Failed(f"{failure}\nstatus: {self.cluster(name).get('status')}") from failure

    def create_as_in_readme(self):
        began = time.monotonic()
        readme.run_block(self.bed, "helm install main")
        self.wait_settled("main", 3)
        self.figure("create main to Available, all Ready", time.monotonic() - began, CREATE_BAR)

    def create(self, name, replicas=3, sets=()):
        self.bed.helm("install", name, os.path.join(ROOT, "charts/etcd-cluster"),
                      "--set", f"cluster.replicas={replicas}", *sets)
        _, seconds = self.wait_settled(name, replicas)
        self.figure(f"create {name} to Available, all Ready", seconds, CREATE_BAR)

    def start_load(self, name):
        self.load = Load(self.bed, name)
        self.load.wait_writes(100)

    def end_load(self):
        verdict = self.load.finish()
        self.load.close()
        self.load = None
        print(f"   {verdict['checked']} answers judged up to revision {verdict['head']}, lost: 0",
              flush=True)

    def scale(self, name, members, bar=GROWTH_BAR):
        """bar: of a step up, in seconds."""
        before = self.cluster(name)["spec"]["replicas"]
        steps = abs(members - before)

        def action():
            if f"etcdcluster/{name} --replicas={members}\n" in readme.block_with("kubectl scale"):
                readme.run_block(self.bed, "kubectl scale")
            else:
                self.bed.kubectl("scale", f"etcdcluster/{name}", f"--replicas={members}")
            return self.wait_settled(name, members, PATIENCE * steps)[1]
        seconds = self.during(f"{name} {before} -> {members}", action)
        self.figure(f"a step of {name} {before} -> {members}", seconds / steps,
                    bar if members > before else None)

    def delete_a_pod(self, name, leader=True):
        status = self.cluster(name)["status"]
        victim = status.get("leader") if leader else None
        if not victim:
            victim = next(m["name"] for m in status["members"] if m["name"] != status.get("leader"))
        old = self.bed.get("pods", victim)["metadata"]["uid"]
        members = status["voters"]

        def is_back():
            pod = self.bed.get("pods", victim)
            return pod and pod["metadata"]["uid"] != old and self.is_settled(name, members)

        def action():
            self.bed.kubectl("delete", "pod", victim, "--wait=false")
            return self.bed.wait(f"{victim} is back", is_back, PATIENCE)[1]
        self.figure(f"{victim} deleted and back", self.during(f"pod {victim} deleted", action))

    def remove(self, name, keeps_volumes=True):
        """The cluster's resource is deleted; its volumes are looked at, and go."""
        selector = f"etcdpp.dev/cluster={name}"
        volumes = self.bed.uids("persistentvolumeclaims", selector)
        self.bed.kubectl("delete", "etcdcluster", name, "--wait=false")
        _, seconds = self.bed.wait(f"{name} is gone", lambda: not self.cluster(name) and not any(
            self.bed.list(kind, selector) for kind in ("pods", "etcdmembers")), PATIENCE)
        self.figure(f"{name} gone", seconds)
        left = self.bed.uids("persistentvolumeclaims", selector)
        if keeps_volumes and left != volumes:
            raise Failed(f"volumes of {name} were {volumes}, are {left}")
        self.drop_volumes(name)

    def drop_volumes(self, name):
        self.bed.kubectl("delete", "pvc", "--selector", f"etcdpp.dev/cluster={name}")

    # ---- Backups.

    def wait_backup(self, name, seconds=PATIENCE):
        def ended():
            backup = self.bed.get("etcdbackups", name)
            phase = (backup or {}).get("status", {}).get("phase")
            return backup if phase in ("Completed", "Failed") else None
        backup, took = self.bed.wait(f"backup {name}", ended, seconds)
        if backup["status"]["phase"] == "Failed":
            raise Failed(f"backup {name}: {backup['status']}")
        if condition_of(backup, "Verified").get("status") != "True":
            raise Failed(f"backup {name} is not verified: {backup['status']}")
        self.figure(f"backup {name}", took)
        return backup["status"]["artifact"]

    def back_up_as_in_readme(self):
        keys = objects.S3_KEYS
        readme.run_block(self.bed, "kind: EtcdBackup", S3=objects.S3_URL,
                         KEY_ID=keys["AWS_ACCESS_KEY_ID"], KEY=keys["AWS_SECRET_ACCESS_KEY"])
        return self.wait_backup("before")

    def back_up(self, name, cluster, destination=None):
        self.bed.apply(objects.backup(name, cluster, destination))
        return self.wait_backup(name)

    def wait_restored(self, name, cluster, members):
        def ended():
            restore = self.bed.get("etcdrestores", name)
            phase = (restore or {}).get("status", {}).get("phase")
            return restore if phase in ("Completed", "Failed") else None
        restore, took = self.bed.wait(f"restore {name}", ended, 2 * PATIENCE)
        if restore["status"]["phase"] == "Failed":
            raise Failed(f"restore {name}: {restore['status']}")
        self.figure(f"restore {name}", took)
        self.wait_settled(cluster, members)
