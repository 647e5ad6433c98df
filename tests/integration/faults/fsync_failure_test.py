#!/usr/bin/env python3
"""An fsync fails under 64 writers: nothing is acknowledged any more, the process ends within a
second and not with 0, and after a power cut (the kernel may have dropped the bytes that it could not
write) a member without the fault has every acknowledged write.

    fsync_failure_test.py [--rounds 4] [--seed N]
"""

import argparse
import os
import random
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from crash_round import EtcdProcess, Lost, Writers  # noqa: E402

import seeds  # noqa: E402
from etcd_process import EtcdError  # noqa: E402
from faulty_io import ENGINE, LOG, SNAP, FaultyIo  # noqa: E402
from power_cut import PowerCut  # noqa: E402

EXIT_SECONDS = 1.0


def seconds_from_failure_to_exit(etcd, faults):
    """The fault is set already; it takes effect with the next fsync."""
    deadline = time.monotonic() + 20
    failed_at = None
    while etcd.running():
        now = time.monotonic()
        if failed_at is None and faults.failed_syncs:
            failed_at = now
        if now > deadline:
            raise Lost("still running\n" + etcd.log_tail())
        time.sleep(0.002)
    return time.monotonic() - (failed_at or time.monotonic())


def one_round(etcd, disk, faults, state, broken, randomness):
    disk.prepare()
    faults.failing_syncs = faults.failed_syncs = 0
    etcd.env = {**disk.environment(), **faults.environment()}
    etcd.start()
    writers = Writers(etcd, state)
    time.sleep(randomness.uniform(0.01, 0.6))  # the moment of the fault is the input of the round
    faults.failing_syncs = broken
    seconds = seconds_from_failure_to_exit(etcd, faults)
    status = etcd.wait_exit()
    writers.finish()
    if status != 1 or seconds > EXIT_SECONDS:
        raise Lost(f"exit status {status} after {seconds:.2f} s\n{etcd.log_tail()}")
    if broken == LOG and faults.failed_syncs != 1:
        raise Lost(f"{faults.failed_syncs} fsyncs failed: one is final")
    if faults.failed_syncs == 0:
        raise Lost("it ended before any fsync failed\n" + etcd.log_tail())
    fatal = [record for record in etcd.log_records() if record["level"] == "fatal"]
    if len(fatal) != 1 or "nput/output error" not in str(fatal[0]):
        raise Lost(f"no reason in the log: {fatal}\n{etcd.log_tail()}")
    # Writes that the failed fsync covered are unsynced: any acknowledgement of one is found out.
    disk.cut()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    options, randomness = seeds.parse(parser)
    classes = [("log", LOG), ("backend", ENGINE), ("log", LOG), (".snap", SNAP)]
    with tempfile.TemporaryDirectory(prefix="etcd-fsync-") as work:
        state = os.path.join(work, "state")
        data_dir = os.path.join(work, "data")
        disk = PowerCut(data_dir, random.Random(options.seed + 1), work)
        faults = FaultyIo(work, [data_dir])
        etcd = EtcdProcess(data_dir=data_dir,
                           args=["--snapshot-count=500", "--snapshot-catchup-entries=100"])
        name = ""
        try:
            for number in range(options.rounds):
                name, broken = classes[number % len(classes)]
                one_round(etcd, disk, faults, state, broken, randomness)
            etcd.env = {}
            etcd.start()
            writers = Writers(etcd, state)
            etcd.kill()
            writers.finish()
        except (EtcdError, Lost) as failure:
            sys.exit(f"fsync of the {name}: {failure}")
        finally:
            etcd.close()
        print(f"{options.rounds} failed fsyncs: stopped at once, nothing lost")


if __name__ == "__main__":
    main()
