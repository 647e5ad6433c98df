#!/usr/bin/env python3
"""Debian's etcdctl (API 3) drives every command whose service exists, in each output format, against
our server and against real etcd; what it prints must be the same, ids and sizes aside.

    etcdctl_test.py [--peer BINARY]
"""

import argparse
import json
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from etcd_process import EtcdProcess, etcdctl_environment  # noqa: E402

LEASE = "32695410dcc0ca06"

# Commands in the order in which they run; "<" starts the text for standard input.
COMMANDS = [
    "version",
    "put a 1",
    "put a 2 --prev-kv",
    "put b/1 x",
    "put b/2 y",
    "put b/3 z",
    "put with\\ space v",
    "get a",
    "get a --print-value-only",
    "get missing",
    "get b/ --prefix",
    "get b/ --prefix --keys-only",
    "get b/ --prefix --count-only",
    "get b/ --prefix --limit=2",
    "get b/ --prefix --order=DESCEND --sort-by=KEY",
    "get b/ --prefix --order=ASCEND --sort-by=MODIFY",
    "get b/ --prefix --order=DESCEND --sort-by=CREATE",
    "get b/ --prefix --order=ASCEND --sort-by=VALUE",
    "get b/ --prefix --order=ASCEND --sort-by=VERSION",
    "get a --rev=2",
    "get a --rev=99",
    "get a --consistency=s",
    "get --from-key b/2",
    "get a b/2",
    "get a --hex",
    "put a 3 --ignore-value",
    "put a --ignore-value",
    "put missing --ignore-value",
    "put a 4 --ignore-lease",
    "put",
    "get",
    "put a 5 --lease=1234",
    "del b/1 --prev-kv",
    "del b/ --prefix --prev-kv",
    "del b/ --prefix",
    "del missing",
    "put c 1",
    "put c 2",
    'txn <value("c") = "2"\n\nput c 3\nget c\n\nput c 4\n\n',
    'txn <value("c") = "2"\n\nput c 5\n\nget c\nget a\n\n',
    'txn <mod("c") > "1"\nversion("c") > "0"\ncreate("c") > "1"\n\ndel c\nput d 1\n\nput d 2\n\n',
    'txn <\n\nput d 7\nput d 8\n\n\n',
    "compaction 5",
    "compaction 5",
    "compaction 999",
    "get a --rev=3",
    "compaction --physical 7",
    "lease grant 100 ",
    "lease list",
    f"lease revoke {LEASE}",
    f"lease timetolive {LEASE}",
    "lease keep-alive --once 1",
    "alarm list",
    "alarm disarm",
    "member list",
    "endpoint health",
    "endpoint status",
    "endpoint hashkv",
    "defrag",
    "check perf --help",
    "user list --help",
]
FORMATS = ["simple", "json", "fields"]

# What may differ: identity, sizes that an engine chooses, times, indexes of the log.
NORMAL = [
    (re.compile(r'"(cluster_id|member_id|raft_term|leader|raftIndex|raftAppliedIndex|raftTerm|dbSize'
                r'|dbSizeInUse|ID|took|version|storageVersion|dbSizeQuota|id)":("[^"]*"|\d+)'),
     r'"\1":0'),
    (re.compile(r'"(ClusterID|MemberID|RaftTerm|RaftIndex|RaftAppliedIndex|Leader|DBSize|DBSizeInUse'
                r'|ID|Version|Hash|TTL|GrantedTTL)" : \S+'), r'"\1" : 0'),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"client-[0-9a-f-]{36}"), "client-UUID"),
    (re.compile(r'took = \S+|"Took" : \S+'), "took"),
    (re.compile(r"0x[0-9a-f]+"), "0xADDRESS"),
    (re.compile(r"lease [0-9a-f]{10,16}"), "lease ID"),
    (re.compile(r"\b[0-9a-f]{15,16}\b"), "HEX"),
    (re.compile(r'"ts":"[^"]*"'), '"ts"'),
    (re.compile(r'"level":.*?"msg"'), '"msg"'),
    (re.compile(r"HOST, HEX, .*"), "STATUS"),
]


def normalize(text):
    for pattern, replacement in NORMAL:
        text = pattern.sub(replacement, text)
    return text


def run_all(etcd, fmt):
    """[(command, exit status, normalized output)]"""
    results = []
    for command in COMMANDS:
        words, _, stdin = command.partition("<")
        arguments = [w.replace("\\ ", " ") for w in re.split(r"(?<!\\) ", words.strip())]
        done = subprocess.run(etcd.etcdctl_command("-w", fmt, *arguments), text=True,
                              input=stdin, capture_output=True, timeout=60, check=False,
                              env=etcdctl_environment())
        results.append((command, done.returncode, normalize(done.stdout + done.stderr)))
    return results


class EtcdctlTest(unittest.TestCase):
    peer = None
    maxDiff = None

    def compare(self, fmt):
        with EtcdProcess() as ours, EtcdProcess(binary=self.peer) as theirs:
            for mine, other in zip(run_all(ours, fmt), run_all(theirs, fmt)):
                with self.subTest(command=mine[0], format=fmt):
                    self.assertEqual(mine[1:], other[1:])

    def test_simple(self):
        self.compare("simple")

    def test_json(self):
        self.compare("json")

    def test_fields(self):
        self.compare("fields")

    def test_watch_prints_history_and_live_events(self):
        def watched(binary):
            with EtcdProcess(binary=binary) as etcd:
                etcd.etcdctl("put", "w/1", "a")
                etcd.etcdctl("put", "w/2", "b")
                etcd.etcdctl("del", "w/1")
                process = subprocess.Popen(
                    etcd.etcdctl_command("watch", "--rev=1", "--prefix", "--prev-kv", "w/"),
                    stdout=subprocess.PIPE, text=True, env=etcdctl_environment())
                lines = []
                try:
                    while "live" not in lines:
                        if len(lines) == 9:
                            etcd.etcdctl("put", "w/3", "live")
                        lines.append(process.stdout.readline().rstrip("\n"))
                        self.assertTrue(process.poll() is None)
                finally:
                    process.kill()
                    process.wait()
                    process.stdout.close()
                return lines
        self.assertEqual(watched(None), watched(self.peer))

    def test_lease_life(self):
        with EtcdProcess() as etcd:
            granted = etcd.etcdctl("lease", "grant", "600")
            lease = re.match(r"lease ([0-9a-f]+) granted with TTL\(600s\)", granted).group(1)
            etcd.etcdctl("put", "k", "v", f"--lease={lease}")
            status = etcd.etcdctl("lease", "timetolive", lease, "--keys")
            self.assertRegex(status, rf"lease {lease} granted with TTL\(600s\), "
                                     r"remaining\((600|599|598)s\), attached keys\(\[k\]\)")
            self.assertIn(lease, etcd.etcdctl("lease", "list"))
            self.assertIn("keepalived", etcd.etcdctl("lease", "keep-alive", "--once", lease))
            self.assertEqual(etcd.etcdctl("lease", "revoke", lease), f"lease {lease} revoked\n")
            self.assertEqual(etcd.etcdctl("get", "k"), "")
            self.assertIn("already expired", etcd.etcdctl("lease", "timetolive", lease))

    def test_a_lease_expires_with_its_keys(self):
        with EtcdProcess() as etcd:
            lease = etcd.etcdctl("lease", "grant", "2").split()[1]
            etcd.etcdctl("put", "short", "lived", f"--lease={lease}")
            watch = subprocess.Popen(etcd.etcdctl_command("watch", "--rev=2", "short"),
                                     stdout=subprocess.PIPE, text=True, env=etcdctl_environment())
            try:
                # Ends with an empty line only if the watch dies.
                while watch.stdout.readline() not in ("DELETE\n", ""):
                    pass
                self.assertIsNone(watch.poll())
            finally:
                watch.kill()
                watch.wait()
                watch.stdout.close()
            self.assertEqual(etcd.etcdctl("get", "short"), "")


def built_peer():
    """Go etcd 3.6: the release whose API level ours has."""
    built = subprocess.run([os.path.join(ROOT, "bench", "peers", "build.sh")],
                           stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        sys.exit(built.returncode)
    return os.path.join(built.stdout.strip(), "v36", "etcd")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=None)
    options, rest = parser.parse_known_args()
    EtcdctlTest.peer = options.peer or built_peer()
    unittest.main(argv=[sys.argv[0]] + rest)


if __name__ == "__main__":
    main()
