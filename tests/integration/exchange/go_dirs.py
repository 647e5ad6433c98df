"""Helpers of the tests of this folder: data directories of Go's etcd and of ours, and what is in
them."""

import base64
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import peers  # noqa: E402
from etcd_process import EtcdError, EtcdProcess, free_ports, server_binary, wait_until  # noqa: E402

_DUMP = os.environ.get("DB_DUMP") or os.path.join(os.path.dirname(server_binary()), "db_dump")


# 3.5 and later then check at each stop that database, snapshots and log agree.
VERIFY = {"ETCD_VERIFY": "all"}
_NOT_VERIFIED = "verification of persisted state failed"


def logging(version):
    return ["--logger=zap"] if version == "v34" else []


def member(version, args=(), **options):
    """A member alone, of Go's or ours; not started."""
    process = EtcdProcess(binary=peers.binary(version), env=VERIFY, **options)
    become(process, version, args)
    return process


def become(process, version, args=()):
    """The next start of `process` is of that server."""
    process.binary = peers.binary(version)
    process.args = logging(version) + list(args)


def stop_verified(process):
    """Stops a server of Go's; raises EtcdError when it finds fault with its own files."""
    process.stop()
    if _NOT_VERIFIED in process.log():
        raise EtcdError(process.log_tail())


def db_path(process):
    return os.path.join(process.data_dir, "member", "snap", "db")


def dump(path):
    """{bucket: {key: value}} of a database file, bytes in hexadecimal."""
    out = subprocess.run([_DUMP, path], stdout=subprocess.PIPE, text=True, check=True).stdout
    buckets = {}
    for line in out.splitlines():
        bucket, key, value = line.split(" ")
        buckets.setdefault(bucket, {})[key] = value
    return buckets


def hexed(text):
    return text.encode().hex()


def copy_dir(source, target):
    """With holes where files are zero: a log is 64 MB of preallocated space."""
    subprocess.run(["cp", "-r", "--sparse=always", source, target], check=True)


def export(data_dir, output_dir):
    """Our etcdutl's export; raises EtcdError with what it said."""
    done = subprocess.run([peers.etcdutl("ours"), "export", "--data-dir", data_dir,
                           "--output-dir", output_dir], capture_output=True, text=True,
                          timeout=120, check=False)
    if done.returncode != 0:
        raise EtcdError(f"export of {data_dir}: {done.stderr}")
    return done.stdout


def export_in_place(process):
    """The directory of a stopped member of ours becomes one for Go's."""
    exported = process.data_dir + ".go"
    said = export(process.data_dir, exported)
    os.rename(process.data_dir, process.data_dir + ".ours")
    os.rename(exported, process.data_dir)
    return said


def hash_kv(process):
    """(hash, revision, compact revision) at the head"""
    answer = json.loads(process.etcdctl("endpoint", "hashkv", "-w", "json"))[0]["HashKV"]
    return answer["hash"], answer["header"]["revision"], answer.get("compact_revision", 0)



def put_many(process, records, value="v", prefix="many"):
    """`records` new revisions' worth of keys by transactions of 100 over the gateway."""
    encoded = base64.b64encode(value.encode()).decode()
    for start in range(0, records, 100):
        puts = [{"requestPut": {
            "key": base64.b64encode(f"{prefix}-{i % 100}".encode()).decode(),
            "value": encoded}} for i in range(start, start + 100)]
        status, answer = process.gateway("/v3/kv/txn", {"success": puts})
        if status != 200:
            raise EtcdError(f"txn: {answer}")
    return int(answer["header"]["revision"])


__all__ = ["EtcdError", "free_ports", "peers", "wait_until"]
