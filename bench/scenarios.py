"""Rows of compare.py that are more than one workload on a fresh server: mixed txns, a Kubernetes
control plane, lists in all their forms, watch variants, operations under load. Sizes of ROWS are
scaled down to half a minute a server; LONG_ROWS are run only when named."""

import json
import subprocess
import time

from harness import load, load_command, load_keys, rss_mb, server

RATIOS = {"1to8": 0.125, "1to1": 1, "8to1": 8}  # ranges to puts
VALUES = {"256": 256, "1k": 1024, "16k": 16384}
CLIENTS = (32, 256, 1024)


def mixed_txn(ratio, value_bytes, clients):
    """Ranges of 100 keys and puts, one a txn, over 65,536 keys of 256 B."""
    def run(name):
        with server(name) as etcd:
            load_keys(etcd, 65536, 256, value_bytes)
            # Go counts all 65,536 keys for each range: milliseconds of CPU. Values of 16 KB make a
            # response of 1.6 MB.
            total = 10000 if ratio < 1 else 4000
            total = total if value_bytes <= 1024 else 1000
            return load(etcd.client_port, etcd.pid, workload="txn-mixed", rw_ratio=ratio, limit=100,
                        key_bytes=256, key_space=65536, value_bytes=value_bytes, total=total,
                        clients=clients, connections=clients)
    return run, ["rate", "server_cpu_us", "p50_ms", "p99_ms"], False


def kubernetes(objects, watchers, renewals, calls):
    def run(name):
        with server(name) as etcd:
            result = load(etcd.client_port, etcd.pid, workload="kubernetes", key_space=objects,
                          value_bytes=4096, connections=8, clients=64, total=calls,
                          watchers=watchers // 10, rate=renewals)
            result["event_rate"] = result["events"] / result["seconds"]
            return result
    return run, ["rate", "server_cpu_us", "p50_ms", "p99_ms", "event_rate", "rss_peak_mb"], False


LIST_KINDS = {
    "unary": {"workload": "list"},
    "paged500": {"workload": "paged-list", "limit": 500},
    "paged10k": {"workload": "paged-list", "limit": 10000},
    "stream": {"workload": "range-stream"},
}


def list_variants(count, value_bytes):
    """One full list a client; memory counts from a restart before each, as Go keeps its heap."""
    def run(name):
        figures = {}
        with server(name) as etcd:
            load_keys(etcd, count, 48, value_bytes)
            for kind, options in LIST_KINDS.items():
                if kind == "stream" and name not in ("ours", "v37"):
                    continue
                for clients in (1, 8):
                    etcd.stop()
                    etcd.start(timeout=120)
                    base = rss_mb(etcd.pid)
                    result = load(etcd.client_port, etcd.pid, connections=clients, clients=clients,
                                  total=clients, **options)
                    figures[f"{kind}_{clients}_peak_mb"] = result["rss_peak_mb"] - base
                    figures[f"{kind}_{clients}_s"] = result["seconds"]
        return figures
    names = [f"{kind}_{clients}_{figure}" for kind in LIST_KINDS for clients in (1, 8)
             for figure in ("peak_mb", "s")]
    return run, names, False


def fresh(figures, **options):
    def run(name):
        with server(name) as etcd:
            return load(etcd.client_port, etcd.pid, **options)
    return run, figures, False


def compact(etcd):
    # The revision to keep is read from the server: the background goes on writing.
    status = etcd.gateway("/v3/kv/range", {"key": "AA=="})[1]
    revision = int(status["header"]["revision"])
    etcd.etcdctl("--command-timeout=120s", "compact", "--physical", str(revision), timeout=130)


def defrag(etcd):
    etcd.etcdctl("--command-timeout=120s", "defrag", timeout=130)


def restart(etcd):
    etcd.stop()
    etcd.start(timeout=120)


def beside(etcd, operation):
    """Background load while `operation` runs: its figures, and the seconds of the operation."""
    command = load_command(etcd.client_port, 0, workload="background", rate=500, gets_rate=1000,
                           key_space=10000, key_bytes=16, value_bytes=256)
    background = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(1)  # the background reaches its pace
        start = time.monotonic()
        operation(etcd)
        seconds = time.monotonic() - start
        time.sleep(1)  # what the operation leaves behind is part of it
        background.terminate()
        output, _ = background.communicate(timeout=30)
    finally:
        background.kill()
    return json.loads(output), seconds


def under_load(revisions):
    """500 puts/s and 1,000 gets/s, open loop: idle, then while compaction, defrag, restart run."""
    operations = {"idle": lambda _: time.sleep(3), "compact": compact, "defrag": defrag,
                  "restart": restart}

    def run(name):
        figures = {}
        with server(name) as etcd:
            load(etcd.client_port, etcd.pid, workload="put", connections=10, clients=200,
                 total=revisions, key_space=10000, key_bytes=16, value_bytes=256)
            for operation, act in operations.items():
                result, seconds = beside(etcd, act)
                figures[f"{operation}_s"] = seconds
                for figure in ("put_p99_ms", "get_p99_ms", "put_stall_ms", "get_stall_ms"):
                    figures[f"{operation}_{figure}"] = result[figure]
        for operation in ("compact", "defrag"):
            figures[f"{operation}_put_p99_to_idle"] = (
                figures[f"{operation}_put_p99_ms"] / figures["idle_put_p99_ms"])
        return figures
    names = ["idle_put_p99_ms", "idle_get_p99_ms", "idle_put_stall_ms", "idle_get_stall_ms"]
    for operation in ("compact", "defrag", "restart"):
        names += [f"{operation}_{figure}" for figure in (
            "s", "put_p99_ms", "get_p99_ms", "put_stall_ms", "get_stall_ms")]
    return run, names + ["compact_put_p99_to_idle", "defrag_put_p99_to_idle"], False


ROWS = {
    "p6-1to8-1k-256": mixed_txn(0.125, 1024, 256),
    "p6-8to1-256-32": mixed_txn(8, 256, 32),
    "p7": kubernetes(objects=5000, watchers=100, renewals=50, calls=10000),
    "p8": list_variants(30000, 1000),
    "p10-distinct": fresh(["server_cpu_us", "rate"], workload="watch-distinct", connections=10,
                          clients=10, watchers=1000, total=100000, key_bytes=16, value_bytes=32),
    "p10-latency": fresh(["p50_ms", "p99_ms", "server_cpu_us"], workload="watch-latency",
                         connections=10, clients=10, watchers=10, total=1000, rate=100,
                         value_bytes=32),
    "p12": under_load(100000),
}
LONG_ROWS = {
    f"p6-{ratio}-{value}-{clients}": mixed_txn(RATIOS[ratio], VALUES[value], clients)
    for ratio in RATIOS for value in VALUES for clients in CLIENTS
    if f"p6-{ratio}-{value}-{clients}" not in ROWS
}
LONG_ROWS |= {
    "p7-full": kubernetes(objects=150000, watchers=1000, renewals=500, calls=100000),
    "p8-100k": list_variants(100000, 1000),
    # A fifth of the keys of P8: 8 unary lists are held whole by the client too.
    "p8-100kb": list_variants(2000, 100000),
    "p12-1m": under_load(1000000),
}
