"""Objects that the story applies, and what etcdctl says of a cluster."""

import base64
import json

from bed import CONTROL_PLANE, Failed
from load import endpoints_of

API = "etcdpp.dev/v1alpha1"
S3_PORT = 7070
S3_URL = f"http://{CONTROL_PLANE}:{S3_PORT}"
S3_KEYS = {"AWS_ACCESS_KEY_ID": "e2e-access", "AWS_SECRET_ACCESS_KEY": "e2e-secret-0123456789"}
BUCKET = "etcd"


def made(kind, name, spec):
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def s3():
    return {"s3": {"endpoint": S3_URL, "bucket": BUCKET,
                   "prefix": "e2e", "region": "us-east-1", "forcePathStyle": True,
                   "credentialsSecretRef": {"name": "s3"}}}


def backup(name, cluster, destination=None):
    return made("EtcdBackup", name, {"clusterRef": {"name": cluster},
                                     "destination": destination or s3()})


def restore(name, source, cluster, spec, **options):
    return made("EtcdRestore", name, {
        "source": {"backupRef": {"name": source}},
        "target": {"newCluster": {"name": cluster, "spec": spec}}, **options})


class Etcd:
    """etcdctl on all members of a cluster, from the control plane."""

    def __init__(self, bed, cluster, namespace="default"):
        self.bed = bed
        self.cluster = cluster
        self.namespace = namespace

    def ctl(self, *args, endpoints=None, **options):
        endpoints = endpoints or endpoints_of(self.bed, self.cluster, self.namespace)
        if not endpoints:
            raise Failed(f"{self.cluster} has no members to talk to")
        return self.bed.exec("env", "ETCDCTL_API=3", "etcdctl",
                             "--endpoints=" + ",".join(endpoints), *args, **options).stdout

    def hashes(self, revision=0):
        """{(hash, compact revision)} of all members"""
        answers = json.loads(self.ctl("endpoint", "hashkv", f"--rev={revision}", "-w", "json"))
        return {(a["HashKV"]["hash"], a["HashKV"].get("compact_revision", 0)) for a in answers}

    def content(self, revision=0):
        """{key: value}"""
        answer = json.loads(self.ctl("get", "", "--from-key", f"--rev={revision}", "-w", "json"))
        return {base64.b64decode(kv["key"]): base64.b64decode(kv.get("value", ""))
                for kv in answer.get("kvs", [])}

    def revision(self):
        return json.loads(self.ctl("get", "nothing", "-w", "json"))["header"]["revision"]

    def put(self, key, value):
        self.ctl("put", key, value)
