#!/usr/bin/env python3
"""Power cuts at random moments under 64 writers: WAL, .snap and RocksDB files keep what was fsynced
and any part of what was not, and the member starts with every acknowledged write.

    power_loss_test.py [--rounds 20] [--seed N] [--keep DIR]
"""

import argparse
import os
import random
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from crash_round import EtcdProcess, LogFiller, Lost, Writers  # noqa: E402

import seeds  # noqa: E402
from etcd_process import EtcdError  # noqa: E402
from power_cut import PowerCut  # noqa: E402


def one_round(etcd, disk, state, number, randomness):
    if number % 3 == 2:
        cut_while_starting(etcd, disk, randomness)
    disk.prepare()
    etcd.start()
    writers = Writers(etcd, state)
    # In some rounds the log goes on to new segments, and the backend is flushed with each snapshot.
    filler = LogFiller(etcd) if number % 4 == 1 else None
    if number == 1:
        etcd.wait_log("created a new WAL segment")
    delay = randomness.uniform(0.01, 0.6) + (1.0 if filler and number != 1 else 0.0)
    time.sleep(delay)  # the moment of the cut is the random input of the round
    etcd.kill()
    writers.finish()
    segments = 0
    if filler:
        filler.finish()
        segments = etcd.log().count("created a new WAL segment")
    disk.cut()
    return segments


def cut_while_starting(etcd, disk, randomness):
    """Repairs, replays and cleanings of the start itself are cut short."""
    disk.prepare()
    etcd.start(wait_ready=False)
    time.sleep(randomness.uniform(0.0, 0.15))
    etcd.kill()
    disk.cut()


def check(etcd, state):
    """Starts without faults and reads everything."""
    etcd.env = {}
    etcd.start()
    writers = Writers(etcd, state)
    etcd.kill()
    writers.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    options, randomness = seeds.parse(parser)
    with tempfile.TemporaryDirectory(prefix="etcd-power-") as work:
        state = os.path.join(work, "state")
        data_dir = os.path.join(work, "data")
        disk = PowerCut(data_dir, random.Random(options.seed + 1), work)
        etcd = EtcdProcess(data_dir=data_dir, env=disk.environment(),
                           args=["--snapshot-count=500", "--snapshot-catchup-entries=100"])
        number = unsynced = segments = 0
        try:
            for number in range(options.rounds):
                segments += one_round(etcd, disk, state, number, randomness)
                unsynced += disk.unsynced
            check(etcd, state)
        except (EtcdError, Lost) as failure:
            sys.exit(f"round {number}: {failure}")
        finally:
            etcd.close()
        if unsynced == 0 or segments == 0:
            sys.exit(f"too easy: {unsynced} unsynced changes, {segments} new segments")
        print(f"{options.rounds} power cuts, {unsynced} unsynced changes at stake, {segments} new "
              "segments: nothing lost")


if __name__ == "__main__":
    main()
