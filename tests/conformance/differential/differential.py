#!/usr/bin/env python3
"""Plays seeded request sequences on our server and on real etcd side by side (see main.cc).

    differential.py [--pairs 100] [--sequences 20] [--requests 200] [--peer v36|v34|v37|path]
                    [--first-seed N] [--ours BINARY]

Fails at the first difference, which it prints with the command that replays it, or when an error
that a single node can answer was never hit.
"""

import argparse
import collections
import concurrent.futures
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import peers  # noqa: E402
from etcd_process import EtcdProcess, server_binary, wait_until  # noqa: E402

TOOL = os.path.join(ROOT, "build", "release", "bin", "differential")
# No power is cut here: memory for the files and no fsync make a run short, on both sides alike.
FAST_DIR = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
MUST_HIT = [
    "etcdserver: key is not provided",
    "etcdserver: key not found",
    "etcdserver: value is provided",
    "etcdserver: lease is provided",
    "etcdserver: too many operations in txn request",
    "etcdserver: duplicate key given in txn request",
    "etcdserver: invalid sort option",
    "etcdserver: mvcc: required revision has been compacted",
    "etcdserver: mvcc: required revision is a future revision",
    "etcdserver: requested lease not found",
    "etcdserver: lease already exists",
    "etcdserver: too large lease TTL",
    "etcdserver: request is too large",
    "etcdserver: mvcc: database space exceeded",
    "etcdserver: corrupt cluster",
]
# Go etcd 3.6.16 dies when it reads, at the compact revision, a key that was deleted and put again in
# that one revision (the from-key hole of v3-api.md 3.4): "range failed to find revision pair", or a
# panic inside a transaction. The rest of such a pair is lost; more than this share is a failure.
PEER_DEATHS_MAX = 0.1


def run_pair(ours, theirs, options, seed):
    flags = ["--unsafe-no-fsync"] if options.peer != "v34" else []
    with tempfile.TemporaryDirectory(dir=FAST_DIR) as directory:
        with EtcdProcess(binary=ours, data_dir=os.path.join(directory, "ours"), args=flags) as a, \
                EtcdProcess(binary=theirs, data_dir=os.path.join(directory, "theirs"),
                            args=flags) as b:
            command = [TOOL, str(a.client_port), str(b.client_port), str(seed),
                       str(options.sequences), str(options.requests)]
            release = {"v34": "3.4", "v37": "3.7"}.get(options.peer)
            if release:
                command.append(release)
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            output = done.stdout + done.stderr
            # A panic takes a moment to be printed.
            if "their server closed" in output and a.running() and wait_until(
                    lambda: not b.running(), 10):
                return 0, "peer died of its own bug\n"
            if done.returncode != 0:
                output += f"\nours:\n{a.log_tail(10)}\ntheirs:\n{b.log_tail(30)}\n"
            return done.returncode, output


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--peer", default="v36")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--ours", default=None)
    parser.add_argument("--jobs", type=int, default=4)
    options = parser.parse_args()
    known = ("v34", *peers.BUILT)
    theirs = peers.binary(options.peer) if options.peer in known else options.peer
    ours = options.ours or server_binary()
    errors, used, deaths = set(), collections.Counter(), 0
    seeds = [options.first_seed + i * options.sequences for i in range(options.pairs)]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(run_pair, ours, theirs, options, seed): seed for seed in seeds}
        for future in concurrent.futures.as_completed(running):
            code, output = future.result()
            if code != 0:
                print(output)
                print(f"replay: {sys.argv[0]} --pairs 1 --sequences {options.sequences} "
                      f"--requests {options.requests} --peer {options.peer} "
                      f"--first-seed {running[future]}")
                for other in running:
                    other.cancel()
                sys.exit(1)
            for line in output.splitlines():
                if line.startswith("peer died"):
                    deaths += 1
                    print(f"seed {running[future]}: {line}")
                elif line.startswith("error "):
                    errors.add(line[6:])
                elif line.startswith("option "):
                    name, count = line[7:].rsplit(": ", 1)
                    used[name] += int(count)
    for name, count in sorted(used.items()):
        print(f"option {name}: {count}")
    for text in sorted(errors):
        print(f"error hit: {text}")
    if options.pairs >= 10 and deaths > PEER_DEATHS_MAX * options.pairs:
        sys.exit(f"the peer died in {deaths} of {options.pairs} pairs")
    if options.pairs * options.sequences >= 200 and options.peer != "v34":
        missing = [text for text in MUST_HIT if text not in errors]
        if missing:
            sys.exit("never hit: " + "; ".join(missing))
    print(f"{options.pairs * options.sequences} sequences of {options.requests} requests: equal")


if __name__ == "__main__":
    main()
