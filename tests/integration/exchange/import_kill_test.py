#!/usr/bin/env python3
"""The upgrade in place is killed (SIGKILL) before each of its changes of the disk: Go's files are
as they were, and Go's etcd starts on them, or the import is complete. The next start of ours has all
the data, with the original beside it.

    import_kill_test.py [--version v34] [--every N] [--step N]
"""

import argparse
import filecmp
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import go_dirs  # noqa: E402
from go_dirs import EtcdError, become, db_path, hash_kv  # noqa: E402

from faulty_io import FaultyIo  # noqa: E402


class Upgrade:
    def __init__(self, version, work):
        self.version = version
        self.work = work
        self.member = go_dirs.member(version)
        self.data_dir = self.member.data_dir
        self.pristine = os.path.join(work, "pristine")
        self.hash = None

    def prepare(self):
        go = self.member.start()
        go_dirs.put_many(go, 2000, "x" * 500)
        for i in range(30):
            go.etcdctl("put", f"last-{i}", "v")
        self.hash = hash_kv(go)
        go.kill()  # so that the log goes on after the database
        go_dirs.copy_dir(self.data_dir, self.pristine)

    def reset(self):
        shutil.rmtree(self.data_dir)
        go_dirs.copy_dir(self.pristine, self.data_dir)

    def start_ours(self, kill_at):
        """With a kill before that step; (steps made, True when the member is ready)."""
        faults = FaultyIo(self.work, [self.data_dir])
        faults.kill_at = kill_at
        become(self.member, "ours")
        self.member.env = faults.environment()
        try:
            self.member.start()
            return faults.steps, True
        except EtcdError:
            if self.member.process.returncode != -signal.SIGKILL:
                raise
            return faults.steps, False
        finally:
            self.member.env = {}

    def expect_untouched(self):
        """All that Go's etcd had, and nothing that it would take for its own."""
        for folder, _, files in os.walk(self.pristine):
            for name in files:
                path = os.path.join(folder, name)
                now = os.path.join(self.data_dir, os.path.relpath(path, self.pristine))
                if not filecmp.cmp(path, now, shallow=False):
                    raise EtcdError(f"{now} was changed")
        if os.path.exists(os.path.join(self.data_dir, "member", "rocksdb")):
            raise EtcdError("there are two backends")

    def expect_go_goes_on(self):
        become(self.member, self.version)
        self.member.start()
        self.expect_hash("Go's etcd")
        self.member.kill()

    def expect_ours_goes_on(self):
        self.start_ours(kill_at=0)
        self.expect_hash("ours")
        self.member.kill()
        original = db_path(self.member) + ".imported"
        pristine = os.path.join(self.pristine, "member", "snap", "db")
        if os.path.exists(db_path(self.member)) or not filecmp.cmp(original, pristine, False):
            raise EtcdError("the original is not kept")

    def expect_hash(self, who):
        found = hash_kv(self.member)
        if found != self.hash:
            raise EtcdError(f"{who}: {found}, before: {self.hash}")


def last_step_of_import(upgrade):
    """How many steps a start makes until the engine has its name."""
    engine = os.path.join(upgrade.data_dir, "member", "rocksdb")
    low, high = 1, upgrade.start_ours(kill_at=0)[0]
    upgrade.member.kill()
    while low < high:  # the first kill that finds it in place
        middle = (low + high) // 2
        upgrade.reset()
        upgrade.start_ours(middle)
        upgrade.member.kill()
        if os.path.exists(engine):
            high = middle
        else:
            low = middle + 1
    return low


def run(upgrade, options):
    upgrade.prepare()
    last = last_step_of_import(upgrade)
    steps = [options.step] if options.step else range(1, last + 1)
    untouched = 0
    for step in steps:
        # The last ones are the renames; of the many writes before, a sample.
        if step < last - 20 and step % options.every != 0 and not options.step:
            continue
        upgrade.reset()
        if upgrade.start_ours(step)[1]:
            upgrade.member.kill()
        try:
            if os.path.exists(db_path(upgrade.member)):
                untouched += 1
                upgrade.expect_untouched()
                if untouched % 8 == 1:
                    upgrade.expect_go_goes_on()
                    upgrade.reset()
                    upgrade.start_ours(step)
                    upgrade.member.kill()
            upgrade.expect_ours_goes_on()
        except EtcdError as failure:
            raise EtcdError(f"killed before step {step} of {last}: {failure}") from failure
    if untouched < 5:
        raise EtcdError(f"only {untouched} kills came before the import was complete")
    print(f"{last} steps; {untouched} kills left Go's directory as it was")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default="v34")
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--step", type=int, default=0)
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="etcd-exchange-")
    upgrade = Upgrade(options.version, work)
    try:
        run(upgrade, options)
    except (EtcdError, subprocess.CalledProcessError) as failure:
        sys.exit(str(failure))
    finally:
        upgrade.member.close()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
