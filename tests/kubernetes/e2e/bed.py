"""The testbed (../testbed) for the tests of this folder: started and stopped with the images in it,
kubectl and helm, waiting for conditions.

    with Bed(["etcd", "etcd-operator"]) as bed:
        bed.helm("install", ...)
        bed.wait("three members", lambda: ..., 60)
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from api import CACHE, CONTROL_PLANE, STATE, Api, Failed  # noqa: F401  (others import them from here)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
TESTBED = os.path.join(ROOT, "tests", "kubernetes", "testbed", "testbed.sh")
BINARIES = os.environ.get("BINARIES") or os.path.join(ROOT, "build", "release", "bin")


def skip(reason):
    print(f"SKIPPED: {reason}", file=sys.stderr)
    sys.exit(77)


def run(*command, timeout=300, check=True, input_text=None, env=None):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                          input=input_text, env=env)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


class Bed:
    """images   names for scripts/image.sh, built from BINARIES and loaded on every node
    volumes  persistent volumes on each node, for members; recycled by wait()
    archives further image archives"""

    def __init__(self, images, volumes=4, archives=()):
        self.images = images
        self.volumes = volumes
        self.archives = list(archives)
        self._work = tempfile.TemporaryDirectory(prefix="etcd-e2e-")
        self._lock = None
        self._api = Api()
        self._last_recycling = 0.0

    # ---- Life cycle.

    def __enter__(self):
        self.check_machine()
        archives = [self.build_image(image) for image in self.images] + self.archives
        os.makedirs(os.path.join(CACHE, "etcdpp-testbed"), exist_ok=True)
        self._lock = open(os.path.join(CACHE, "etcdpp-testbed", "test.lock"), "w", encoding="ascii")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        run(TESTBED, "down", check=False)  # of a test that was killed
        try:
            run(TESTBED, "up", timeout=300)
            for archive in archives:
                run(TESTBED, "load", archive, timeout=300)
            run(TESTBED, "volumes", str(self.volumes), "8Gi")
        except BaseException:
            self.__exit__(None)
            raise
        return self

    def __exit__(self, *_):
        if not os.environ.get("KEEP_TESTBED"):
            run(TESTBED, "down", check=False)
        self._work.cleanup()
        self._lock.close()

    def check_machine(self):
        if os.geteuid() != 0:
            skip("needs root, to make namespaces")
        for tool in ("buildah", "debootstrap", "containerd", "ctr", "runc", "iptables", "ip"):
            if shutil.which(tool) is None:
                skip(f"needs {tool}: scripts/setup.sh --kubernetes")
        if not os.access(os.path.join(CACHE, "etcdpp-testbed", "bin", "kube-apiserver"), os.X_OK):
            skip("needs the testbed: tests/kubernetes/testbed/testbed.sh build")
        probe = run("unshare", "--net", "true", check=False)
        if probe.returncode != 0:
            skip(f"no network namespaces: {probe.stderr.strip()}")

    def build_image(self, image):
        archive = os.path.join(self._work.name, image + ".tar")
        run(os.path.join(ROOT, "scripts", "image.sh"), "build", "--tool", "buildah",
            "--prebuilt", BINARIES, "--out", archive, image, timeout=600)
        return archive

    def path(self, name):
        return os.path.join(self._work.name, name)

    # ---- Commands.

    def kubectl(self, *args, **options):
        return run(TESTBED, "kubectl", *args, **options).stdout

    def helm(self, *args, **options):
        return run(TESTBED, "helm", *args, **options).stdout

    def exec(self, *args, **options):
        """In the network of the control plane, which reaches pods and services."""
        return run(TESTBED, "exec", *args, **options)

    def node(self, verb, number):
        run(TESTBED, verb, str(number))

    def apply(self, *objects, namespace="default"):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.kubectl("apply", "--namespace", namespace, "--filename", "-", input_text=text)

    def get(self, kind, name, namespace="default"):
        """The object, or None. Kinds are plurals."""
        return self._api.get(kind, name, namespace)

    def list(self, kind, selector="", namespace="default"):
        return self._api.list(kind, namespace, selector)

    def uids(self, kind, selector=""):
        """{name: uid} of those that are not being deleted."""
        return {one["metadata"]["name"]: one["metadata"]["uid"] for one in self.list(kind, selector)
                if "deletionTimestamp" not in one["metadata"]}

    def events(self, name, reason):
        """Messages of the warnings and notes about an object."""
        return [event["message"] for event in self.list("events")
                if event["involvedObject"].get("name") == name and event.get("reason") == reason]

    # ---- Waiting.

    def wait(self, what, condition, seconds=120):
        """The condition's first true value, and the seconds it took."""
        began = time.monotonic()
        seen = None
        while time.monotonic() - began < seconds:
            self.recycle()
            try:
                seen = condition()
            except Failed as error:  # the API server may be busy
                seen = error
            else:
                if seen:
                    return seen, time.monotonic() - began
            time.sleep(0.2)
        raise Failed(f"{what}: not after {seconds} s, but {seen}")

    def hold(self, what, observed, seconds=12):
        """Nothing of this changes for a while: what must not happen can only be waited for."""
        before = observed()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            now = observed()
            if now != before:
                raise Failed(f"{what}: was {before}, is {now}")
            time.sleep(0.5)

    def recycle(self):
        """Volumes of deleted claims become free again: nobody else does that here."""
        if time.monotonic() - self._last_recycling < 5:
            return
        self._last_recycling = time.monotonic()
        run(TESTBED, "recycle", check=False)

    def report(self, namespaces):
        """What there is, for a test that failed."""
        for namespace in namespaces:
            for what in ("pods,pvc,jobs,etcdclusters,etcdmembers,etcdbackups,etcdrestores -o wide",
                         "events --sort-by=.lastTimestamp"):
                print(run(TESTBED, "kubectl", "get", *what.split(), "--namespace", namespace,
                          check=False).stdout[-6000:], file=sys.stderr)
            for pod in run(TESTBED, "kubectl", "get", "pods", "--namespace", namespace, "-o", "name",
                           check=False).stdout.split():
                print(pod, run(TESTBED, "kubectl", "logs", pod, "--namespace", namespace,
                               "--all-containers", "--tail=15", check=False).stdout, file=sys.stderr)


def condition_of(resource, kind):
    """status, reason and message of a condition; empty when there is none."""
    for condition in (resource or {}).get("status", {}).get("conditions", []):
        if condition["type"] == kind:
            return condition
    return {}
