"""What the rows of compare.py share: the servers, the load generator, figures from /proc."""

import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from etcd_process import EtcdProcess, free_ports  # noqa: E402

BIN = os.path.join(ROOT, "build", "release", "bin")
PEERS = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "etcdpp-peers")
SERVERS = {
    "ours": os.path.join(BIN, "etcd"),
    "floor": os.path.join(BIN, "bench_floor"),
    "v34": "/usr/bin/etcd",
    "v35": os.path.join(PEERS, "v35", "etcd"),
    "v36": os.path.join(PEERS, "v36", "etcd"),
    "v37": os.path.join(PEERS, "v37", "etcd"),
}
PEER_NAMES = ("v34", "v35", "v36", "v37")
QUOTA = "--quota-backend-bytes=8589934592"


def load_command(port, pid, **options):
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    return [os.path.join(BIN, "bench_load"), f"--port={port}", f"--server-pid={pid}"] + flags


def load(port, pid, **options):
    """One workload; the load generator's JSON object."""
    command = load_command(port, pid, **options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def anonymous_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def rss_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


class Floor:
    """The no-op server: no data, no readiness to wait for beyond its port."""

    def __init__(self):
        self.client_port = free_ports(1)[0]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen([SERVERS["floor"], str(self.client_port)],
                                        stdout=subprocess.DEVNULL)
        time.sleep(0.5)  # the generator retries nothing; half a second is ample for a listen()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def pid(self):
        return self.process.pid


def server(name):
    return Floor() if name == "floor" else EtcdProcess(binary=SERVERS[name], args=[QUOTA])


def load_keys(etcd, count, key_bytes, value_bytes):
    """Keys 0 to count - 1."""
    return load(etcd.client_port, etcd.pid, workload="put", connections=10, clients=200,
                total=count, sequential="true", key_bytes=key_bytes, value_bytes=value_bytes)
