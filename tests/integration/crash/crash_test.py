#!/usr/bin/env python3
"""kill -9 at random moments under 64 writers: every acknowledged write is there after the restart,
a watcher that resumes sees every revision once, and replaying the log twice gives the same hash.

    crash_test.py [--rounds 50] [--seed N] [--binary PATH]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import seeds  # noqa: E402
from etcd_process import EtcdProcess, server_binary  # noqa: E402

CLIENT = os.path.join(ROOT, "build", "release", "bin", "crash_client")


def hash_kv(etcd):
    status, answer = etcd.gateway("/v3/maintenance/hashkv", {})
    if status != 200:
        sys.exit(f"hashkv: {answer}")
    return answer["hash"], answer["header"]["revision"]


def write_until_killed(etcd, state, delay):
    """One client round; the server is killed `delay` seconds after the writers started."""
    client = subprocess.Popen([CLIENT, str(etcd.client_port), state], stdout=subprocess.PIPE,
                              text=True)
    first = client.stdout.readline()
    if first.strip() != "writing":
        client.wait(30)
        sys.exit(first + client.stdout.read() + etcd.log_tail())
    time.sleep(delay)  # the moment of the kill is the random input of the round
    etcd.kill()
    rest, _ = client.communicate(timeout=30)
    if client.returncode != 0:
        sys.exit(rest + etcd.log_tail())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--binary", default=None)
    options, randomness = seeds.parse(parser)
    with tempfile.TemporaryDirectory() as directory:
        state = os.path.join(directory, "state")
        # Frequent snapshots: rounds meet them at every step.
        etcd = EtcdProcess(binary=options.binary or server_binary(),
                           args=["--snapshot-count=500", "--snapshot-catchup-entries=100"])
        try:
            for number in range(options.rounds):
                etcd.start()
                if number % 5 == 4:
                    before = hash_kv(etcd)
                    etcd.kill()
                    etcd.start()
                    if hash_kv(etcd) != before:
                        sys.exit(f"round {number}: hash after replay {hash_kv(etcd)}, was {before}")
                write_until_killed(etcd, state, randomness.uniform(0.01, 0.6))
            etcd.start()
            _, revision = hash_kv(etcd)
            print(f"{options.rounds} rounds, revision {revision}: nothing lost")
        finally:
            etcd.close()


if __name__ == "__main__":
    main()
