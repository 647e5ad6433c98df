#!/usr/bin/env python3
"""Flipped bits and cut files in what a stopped member had fsynced: the start is refused with file
and reason (in the log: and offset), or the read that meets it fails and the member stops. Wrong
bytes are never served. Only a tail that a crash can have torn is repaired.

    damage_test.py [--cases 8 per kind of file] [--seed N]
"""

import argparse
import base64
import glob
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from crash_round import EtcdProcess, LogFiller  # noqa: E402

import seeds  # noqa: E402
from etcd_process import EtcdError, wait_until  # noqa: E402
from power_cut import copy_sparse  # noqa: E402
from wal_records import is_padding, used_bytes  # noqa: E402

KEYS = 120
EVERYTHING = {"key": "AA==", "range_end": "AA=="}


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Member:
    """What a member wrote before it stopped, in `base`; every case damages a copy."""

    def __init__(self, work, randomness):
        self.base = os.path.join(work, "base")
        self.killed = os.path.join(work, "killed")
        self.copy = os.path.join(work, "copy")
        self._random = randomness
        # Snapshots come often, so that there are .snap files; the last puts are in the log alone
        # when the member is killed.
        self.etcd = EtcdProcess(data_dir=self.base, args=["--snapshot-count=100"])
        self.states = []  # (revision, answer to a read of everything at that revision)
        self._write()

    def _write(self):
        self.etcd.start()
        self._put(KEYS)
        filler = LogFiller(self.etcd)
        self.etcd.wait_log("created a new WAL segment")
        self.etcd.wait_log("saved snapshot")
        self.etcd.stop()
        filler.finish()
        self.etcd.start()
        self._put(20)
        self._remember()
        self._put(20)
        self._remember()
        self.etcd.kill()
        copy_dir(self.base, self.killed, links=False)
        self.etcd.start()
        self.etcd.stop()

    def _put(self, count):
        for _ in range(count):
            # No sector of zeros anywhere: that would look torn, in etcd too.
            value = "%0512x" % self._random.getrandbits(2048)
            key = encode(f"key/{self._random.randrange(KEYS)}")
            status, answer = self.etcd.gateway("/v3/kv/put", {"key": key, "value": encode(value)})
            assert status == 200, answer

    def _remember(self):
        _, answer = self.etcd.gateway("/v3/kv/range", EVERYTHING)
        self.states.append((answer["header"]["revision"], answer["kvs"]))

    def files(self, pattern, base=None):
        return sorted(glob.glob(os.path.join(base or self.base, "member", pattern)))

    def damaged(self, path, base=None):
        """A fresh copy to damage; returns the path of the file in it."""
        base = base or self.base
        shutil.rmtree(self.copy, ignore_errors=True)
        copy_dir(base, self.copy, links=True)
        target = os.path.join(self.copy, os.path.relpath(path, base))
        os.unlink(target)
        copy_sparse(path, target)
        return target

    def run(self):
        """Starts on the damaged copy: ("refused" | "failed read" | "served", log)."""
        etcd = EtcdProcess(data_dir=self.copy, args=["--snapshot-count=100"])
        try:
            etcd.start()
        except EtcdError:
            if etcd.running() or etcd.process.returncode != 1:
                raise
            return "refused", etcd.log()
        else:
            return self._read(etcd)
        finally:
            etcd.close()

    def _read(self, etcd):
        for revision, kvs in self.states:
            try:
                status, answer = etcd.gateway("/v3/kv/range", {**EVERYTHING, "revision": revision})
            except OSError:
                status, answer = 0, "it stopped"
            if status != 200:
                if not wait_until(lambda: not etcd.running(), 60) or etcd.process.returncode == 0:
                    sys.exit(f"it goes on after a damaged read: {answer}\n{etcd.log_tail()}")
                return "failed read", etcd.log()
            if answer.get("kvs") != kvs:
                sys.exit(f"WRONG DATA served at revision {revision}\n{etcd.log_tail()}")
        return "served", etcd.log()

    def check_repaired(self, damaged):
        """Starts on a log whose last write a crash cut short: only the last put may be missing."""
        etcd = EtcdProcess(data_dir=self.copy)
        try:
            etcd.start()
            etcd.wait_log("repaired WAL")
            _, answer = etcd.gateway("/v3/kv/range", EVERYTHING)
            revision, expected = self.states[-1]
            found = {kv["key"]: kv for kv in answer["kvs"]}
            lost = [kv for kv in expected
                    if kv["mod_revision"] != revision and found.get(kv["key"]) != kv]
            if lost or not os.path.exists(damaged + ".broken"):
                sys.exit(f"repaired, but without {lost}\n{etcd.log_tail()}")
        finally:
            etcd.close()


def copy_dir(source, target, links):
    """A copy whose big, never changed files are links."""
    newest = sorted(glob.glob(os.path.join(source, "member", "wal", "*.wal")))[-1]

    def copy(one, other):
        if links and one != newest and one.endswith((".wal", ".sst", ".snap")):
            os.link(one, other)
        else:
            copy_sparse(one, other)
    shutil.copytree(source, target, copy_function=copy)


def flip(path, offset, bit):
    with open(path, "r+b") as damaged:
        damaged.seek(offset)
        byte = damaged.read(1)[0]
        damaged.seek(offset)
        damaged.write(bytes([byte ^ (1 << bit)]))


class Cases:
    def __init__(self, member, randomness):
        self.member = member
        self.random = randomness
        self.verdicts = {}

    def count(self, kind, verdict):
        row = self.verdicts.setdefault(kind, {})
        row[verdict] = row.get(verdict, 0) + 1

    def flips(self, kind, pattern, cases, must_refuse):
        """Random bits of random files. What is served all the same is complete and right."""
        paths = self.member.files(pattern)
        assert paths, pattern
        for _ in range(cases):
            path = self.random.choice(paths)
            offset = self.random.randrange(used_bytes(path))
            flip(self.member.damaged(path), offset, self.random.randrange(8))
            verdict, log = self.member.run()
            self.check_reason(f"{path} offset {offset}", path, verdict, log)
            if must_refuse and verdict == "served" and not is_padding(path, offset):
                sys.exit(f"{path}: bit flipped at {offset}, not noticed\n{log}")
            self.count(kind + " flipped", verdict)

    def cuts(self, kind, pattern, cases):
        paths = self.member.files(pattern)
        for _ in range(cases):
            path = self.random.choice(paths)
            length = self.random.randrange(used_bytes(path))
            os.truncate(self.member.damaged(path), length)
            verdict, log = self.member.run()
            self.check_reason(f"{path} cut at {length}", path, verdict, log)
            self.count(kind + " cut", verdict)

    @staticmethod
    def check_reason(what, path, verdict, log):
        """Whoever restores from a backup must find in the log which file is bad, and why."""
        if verdict == "served":
            return
        reasons = [line for line in log.splitlines() if '"level":"fatal"' in line]
        # RocksDB names some of its files by number only; a log cut short is told by its end.
        names = (os.path.basename(path), "the log ends at index", "MANIFEST", "CURRENT", ".sst",
                 "column famil", "older than the snapshot", "snapshot not found")
        if len(reasons) != 1 or not any(name in reasons[0] for name in names):
            sys.exit(f"{what}: {verdict} without a reason\n{log}")
        if path.endswith(".wal") and "crc mismatch" in reasons[0] and "offset" not in reasons[0]:
            sys.exit(f"{what}: no offset in {reasons[0]}")

    def torn_tails(self, cases):
        path = self.member.files("wal/*.wal", self.member.killed)[-1]
        used = used_bytes(path)
        for _ in range(cases):
            damaged = self.member.damaged(path, self.member.killed)
            os.truncate(damaged, used - self.random.randrange(1, 500))
            self.member.check_repaired(damaged)
            self.count("WAL tail torn", "repaired")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=8)
    options, randomness = seeds.parse(parser)
    with tempfile.TemporaryDirectory(prefix="etcd-damage-") as work:
        cases = Cases(Member(work, randomness), randomness)
        cases.flips("WAL", "wal/*.wal", 2 * options.cases, must_refuse=True)
        cases.flips(".snap", "snap/*.snap", options.cases // 2, must_refuse=False)
        cases.flips("SST", "rocksdb/*.sst", 2 * options.cases, must_refuse=False)
        cases.flips("MANIFEST", "rocksdb/MANIFEST-*", options.cases, must_refuse=False)
        cases.flips("CURRENT", "rocksdb/CURRENT", options.cases // 4, must_refuse=False)
        cases.cuts("WAL", "wal/*.wal", options.cases)
        cases.cuts(".snap", "snap/*.snap", options.cases // 2)
        cases.cuts("SST", "rocksdb/*.sst", options.cases)
        cases.cuts("MANIFEST", "rocksdb/MANIFEST-*", options.cases // 2)
        cases.torn_tails(options.cases // 2)
        for kind, row in cases.verdicts.items():
            print(kind, row)


if __name__ == "__main__":
    main()
