#!/usr/bin/env python3
"""CPU of a put and of a get on our server with 1 GB and with 20 GB of data (1 KB values).

    bench/big_data.py [--small 1000000] [--big 20000000]
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare import EtcdProcess, SERVERS, load, rss_mb  # noqa: E402


def measure(etcd, keys):
    """(put CPU, get CPU) in us: overwrites and linearizable reads of random keys."""
    common = {"connections": 10, "clients": 100, "key_bytes": 48, "key_space": keys}
    put = load(etcd.client_port, etcd.pid, workload="put", total=200000, value_bytes=1000, **common)
    get = load(etcd.client_port, etcd.pid, workload="get", total=200000, **common)
    return put, get


def fill(etcd, first, last):
    if last > first:
        load(etcd.client_port, etcd.pid, workload="put", connections=10, clients=200,
             total=last - first, first_key=first, sequential="true", key_bytes=48,
             value_bytes=1000)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=1000000)
    parser.add_argument("--big", type=int, default=20000000)
    options = parser.parse_args()
    with EtcdProcess(binary=SERVERS["ours"], args=["--quota-backend-bytes=-1"]) as etcd:
        rows = []
        first = 0
        for keys in (options.small, options.big):
            # In steps, so that one run of the generator stays within its time limit.
            while first < keys:
                step = min(keys, first + 1000000)
                fill(etcd, first, step)
                first = step
            put, get = measure(etcd, keys)
            rows.append((keys, put, get, rss_mb(etcd.pid)))
            print(f"{keys} keys: put {put['server_cpu_us']:.1f} us, p99 {put['p99_ms']:.1f} ms; "
                  f"get {get['server_cpu_us']:.1f} us, p99 {get['p99_ms']:.1f} ms; "
                  f"RSS {rows[-1][3]:.0f} MB", flush=True)
        small, big = rows
        print(f"big / small: put {big[1]['server_cpu_us'] / small[1]['server_cpu_us']:.2f}x, "
              f"get {big[2]['server_cpu_us'] / small[2]['server_cpu_us']:.2f}x")


if __name__ == "__main__":
    main()
