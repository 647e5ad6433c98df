#!/usr/bin/env python3
"""`etcdutl snapshot restore` is killed (SIGKILL) before each of its changes of the disk: no server
starts on what it left, and the next restore makes the same member of it; or it was complete.

    restore_kill_test.py [--every N] [--step N]
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import go_dirs  # noqa: E402
from go_dirs import EtcdError, hash_kv, peers  # noqa: E402

from faulty_io import FaultyIo  # noqa: E402

UNFINISHED = "a restore did not come to its end"


class Restores:
    def __init__(self, work):
        self.work = work
        self.path = os.path.join(work, "snapshot.db")
        self.member = go_dirs.member("ours")
        self.data_dir = self.member.data_dir
        self.hash = None

    def prepare(self):
        source = self.member.start()
        go_dirs.put_many(source, 1000, "x" * 500)
        source.etcdctl("snapshot", "save", self.path)
        self.hash = hash_kv(source)
        source.kill()
        shutil.rmtree(self.data_dir)

    def restore(self, kill_at=0):
        """(steps made, True when it said that it is done)"""
        faults = FaultyIo(self.work, [self.data_dir])
        faults.kill_at = kill_at
        done = subprocess.run(
            [peers.etcdutl("ours"), "snapshot", "restore", self.path, "--data-dir", self.data_dir,
             "--initial-cluster", f"default={self.member.peer_url()}",
             "--initial-advertise-peer-urls", self.member.peer_url()],
            env={**os.environ, **faults.environment()}, capture_output=True, text=True,
            timeout=120, check=False)
        if done.returncode not in (0, -signal.SIGKILL):
            raise EtcdError(f"restore ended with {done.returncode}: {done.stderr}")
        return faults.steps, done.returncode == 0

    def expect_no_start(self):
        try:
            self.member.start()
        except EtcdError as failure:
            if UNFINISHED not in str(failure):
                raise
            return
        raise EtcdError("a server started on it")

    def expect_all(self):
        self.member.start()
        found = hash_kv(self.member)
        self.member.kill()
        if found != self.hash:
            raise EtcdError(f"restored: {found}, before: {self.hash}")

    def try_step(self, step):
        """True when the kill came before the restore was complete."""
        shutil.rmtree(self.data_dir, ignore_errors=True)
        _, done = self.restore(step)
        complete = os.path.exists(os.path.join(self.data_dir, "member"))
        if done and not complete:
            raise EtcdError("it said that it was done")
        if not complete:
            # Before its first folder there is nothing that could be told from a new directory.
            if os.path.exists(self.data_dir) and os.listdir(self.data_dir):
                self.expect_no_start()
            self.restore()
        self.expect_all()
        return not complete


def run(restores, options):
    restores.prepare()
    last = restores.restore()[0]
    unfinished = 0
    for step in [options.step] if options.step else range(1, last + 1):
        # The first and the last ones are about names; of the many writes between, a sample.
        is_sampled = step <= 8 or step > last - 12 or step % options.every == 0
        if not is_sampled and not options.step:
            continue
        try:
            unfinished += restores.try_step(step)
        except EtcdError as failure:
            raise EtcdError(f"killed before step {step} of {last}: {failure}") from failure
    if unfinished < 5 and not options.step:
        raise EtcdError(f"only {unfinished} kills came before the restore was complete")
    print(f"{last} steps; {unfinished} kills left a restore to be done again")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=25)
    parser.add_argument("--step", type=int, default=0)
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="etcd-exchange-")
    restores = Restores(work)
    try:
        run(restores, options)
    except (EtcdError, subprocess.CalledProcessError) as failure:
        sys.exit(str(failure))
    finally:
        restores.member.close()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
