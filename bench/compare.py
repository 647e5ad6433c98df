#!/usr/bin/env python3
"""Runs the same work on our server, on the no-op server over our transport (the floor) and on real
etcd, in turn on one machine and disk, and prints the figures as ratios to the best peer.

    bench/compare.sh [--rows put-1000,get-100] [--runs 3] [--servers ours,v36] [--json FILE]
                     [--members 3]

CPU is the server's own user + system time per operation; latencies are the client's. The machine
is shared with the load generator, so only ratios of one run mean something.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clusters  # noqa: E402
import scenarios  # noqa: E402
from harness import (  # noqa: E402,F401
    PEER_NAMES, ROOT, SERVERS, EtcdProcess, anonymous_mb, load, load_keys, rss_mb, server)

PUT = {"key_bytes": 8, "value_bytes": 256, "key_space": 100000}


def simple(**options):
    """A row that is one workload on a fresh server."""
    def run(name):
        with server(name) as etcd:
            load(etcd.client_port, etcd.pid, workload="put", connections=1, clients=1, total=200,
                 **PUT)
            return load(etcd.client_port, etcd.pid, **options)
    return run


def get_row(**options):
    """Reads over what 100,000 puts left."""
    def run(name):
        with server(name) as etcd:
            load(etcd.client_port, etcd.pid, workload="put", connections=10, clients=200,
                 total=100000, sequential="true", **PUT)
            return load(etcd.client_port, etcd.pid, key_bytes=8, key_space=100000, **options)
    return run


def idle(name):
    with server(name) as etcd:
        time.sleep(1)
        return {"rss_anon_mb": anonymous_mb(etcd.pid)}


def million(name):
    """1M keys of 48 B + 64 B: count, page of 500, kill -9 and restart, memory after it."""
    with server(name) as etcd:
        loaded = load_keys(etcd, 1000000, 48, 64)
        port = etcd.client_port
        counted = load(port, etcd.pid, workload="count", total=20)
        # Enough calls for the clock ticks of /proc to resolve the fast server's share.
        fast = name == "ours"
        counted = load(port, etcd.pid, workload="count", total=20000 if fast else 20)
        page = load(port, etcd.pid, workload="page", total=5000 if fast else 20, limit=500,
                    key_bytes=48, key_space=1000000)
        etcd.kill()
        start = time.monotonic()
        etcd.start(timeout=120)
        restart = time.monotonic() - start
        load(etcd.client_port, etcd.pid, workload="get", total=1, key_bytes=48, key_space=1000000)
        return {"load_rate": loaded["rate"], "load_cpu_us": loaded["server_cpu_us"],
                "count_cpu_us": counted["server_cpu_us"], "count_p50_ms": counted["p50_ms"],
                "page_cpu_us": page["server_cpu_us"], "page_p50_ms": page["p50_ms"],
                "restart_s": restart, "rss_mb": rss_mb(etcd.pid)}


def lists(name):
    """8 concurrent full lists of 100,000 values of 1 KB."""
    with server(name) as etcd:
        load_keys(etcd, 100000, 48, 1000)
        etcd.stop()
        etcd.start(timeout=120)
        time.sleep(1)
        base = rss_mb(etcd.pid)
        result = load(etcd.client_port, etcd.pid, workload="list", connections=8, clients=8,
                      total=8)
        return {"peak_above_mb": result["rss_peak_mb"] - base, "seconds": result["seconds"],
                "server_cpu_us": result["server_cpu_us"]}


# Row: how to run it, which figures to compare (the first is the bar's), whether the floor has it.
ROWS = {
    "put-1000": (simple(workload="put", connections=100, clients=1000, total=100000, **PUT),
                 ["server_cpu_us", "rate", "p50_ms", "p99_ms"], True),
    "put-1": (simple(workload="put", connections=1, clients=1, total=5000, **PUT),
              ["p50_ms", "p99_ms", "server_cpu_us", "rate"], True),
    "get-100": (get_row(workload="get", connections=10, clients=100, total=100000),
                ["server_cpu_us", "rate", "p50_ms", "p99_ms"], True),
    "get-1": (get_row(workload="get", connections=1, clients=1, total=10000),
              ["p50_ms", "p99_ms", "server_cpu_us"], True),
    "serializable-get-100": (
        get_row(workload="serializable-get", connections=10, clients=100, total=100000),
        ["server_cpu_us", "rate", "p50_ms", "p99_ms"], False),
    "mixed-100": (get_row(workload="mixed", connections=10, clients=100, total=100000),
                  ["server_cpu_us", "rate", "p50_ms", "p99_ms"], False),
    "txn-256": (get_row(workload="txn", connections=32, clients=256, total=50000),
                ["server_cpu_us", "rate", "p50_ms", "p99_ms"], False),
    "watch": (simple(workload="watch", connections=10, clients=10, watchers=100, value_bytes=32,
                     total=2000000),
              ["server_cpu_us", "rate"], False),
    "keepalive": (simple(workload="lease-keepalive", connections=10, clients=100, total=100000),
                  ["server_cpu_us", "rate"], False),
    "idle": (idle, ["rss_anon_mb"], False),
    "million": (million, ["count_cpu_us", "count_p50_ms", "page_cpu_us", "page_p50_ms",
                          "restart_s", "rss_mb", "load_rate", "load_cpu_us"], False),
    "lists": (lists, ["peak_above_mb", "seconds", "server_cpu_us"], False),
    **scenarios.ROWS,
    **scenarios.LONG_ROWS,
}
HIGHER_IS_BETTER = {"rate", "load_rate"}


def chosen(text):
    """Row names of --rows: names, and groups such as p6-all for p6 and all that begin with p6-."""
    names = []
    for name in text.split(","):
        group = name[:-len("-all")] if name.endswith("-all") else None
        names += [row for row in ROWS if f"{row}-".startswith(f"{group}-")] if group else [name]
    unknown = [name for name in names if name not in ROWS]
    if unknown or not names:
        raise SystemExit(f"unknown rows {unknown}; there are: {', '.join(ROWS)}")
    return names


def measure(row, names, runs):
    run, figures, with_floor = ROWS[row]
    samples = {}
    for _ in range(runs):
        # Servers take turns within a run, so that drift of the machine meets all of them.
        for name in names:
            if name == "floor" and not with_floor:
                continue
            samples.setdefault(name, []).append(run(name))
    return {name: {figure: statistics.median(s[figure] for s in taken) for figure in figures
                   if figure in taken[0]}  # a server may lack an RPC
            for name, taken in samples.items()}


def report(row, result):
    figures = ROWS[row][1]
    lines = []
    for figure in figures:
        peers = [result[p][figure] for p in PEER_NAMES if figure in result.get(p, {})]
        cells = [f"{result[s][figure]:.3g}" if figure in result.get(s, {}) else "-"
                 for s in SERVERS]
        ratio = "-"
        if peers and figure in result.get("ours", {}):
            best = max(peers) if figure in HIGHER_IS_BETTER else min(peers)
            ratio = f"{result['ours'][figure] / best:.3f}x" if best else "-"
        lines.append(f"| {row} | {figure} | " + " | ".join(cells) + f" | {ratio} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", help="names, or groups: p6-all, p8-all, p12-all")
    parser.add_argument("--members", type=int, default=1, help="of each cluster: clusters.py")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--servers", default="ours,floor,v34,v36,v37")
    parser.add_argument("--json", help="also write the medians here")
    options = parser.parse_args()
    names = [n for n in options.servers.split(",") if os.path.exists(SERVERS[n])]
    if options.members > 1:
        ROWS.clear()
        ROWS.update(clusters.rows(options.members))
        names = [name for name in names if name != "floor"]
    rows = chosen(options.rows or ",".join(row for row in ROWS if row not in scenarios.LONG_ROWS))
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True, check=False).stdout.strip()
    with open("/proc/cpuinfo", encoding="ascii") as info:
        model = next((line.split(":")[1].strip() for line in info if "model name" in line), "?")
    print(f"{time.strftime('%Y-%m-%d')}, commit {commit}, {os.cpu_count()} x {model}, "
          f"median of {options.runs}, {options.members} member(s)\n")
    print("| row | figure | " + " | ".join(SERVERS) + " | ours / best peer |")
    print("|---" * (len(SERVERS) + 3) + "|")
    results = {}
    for row in rows:
        results[row] = measure(row, names, options.runs)
        print("\n".join(report(row, results[row])), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
