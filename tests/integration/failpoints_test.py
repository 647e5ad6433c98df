#!/usr/bin/env python3
"""Failpoints: a release server has none, not even their names; a server of the "failpoints" preset
(given as argument or $ETCD_BINARY) has all and dies where it is told to.

    failpoints_test.py [BINARY]
"""

import http.client
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from etcd_process import EtcdProcess, free_ports, server_binary  # noqa: E402

PANIC_EXIT = 2
# What robustness tests of etcd 3.6 set; those of its storage engine have no place here.
NAMES = set("""
    raftBeforeSave raftAfterSave raftBeforeLeaderSend raftBeforeFollowerSend raftBeforeSaveSnap
    raftAfterSaveSnap raftBeforeApplySnap raftAfterApplySnap raftAfterWALRelease raftBeforeAdvance
    raftBeforeWALSaveSnaphot raftDropHeartbeat applyBeforeOpenSnapshot applyAfterOpenSnapshot
    beforeApplyOneEntryNormal beforeApplyOneConfChange walBeforeSync walAfterSync
    beforeCommit afterCommit commitBeforePreCommitHook commitAfterPreCommitHook beforeStartDBTxn
    afterStartDBTxn beforeWritebackBuf afterWritebackBuf compactBeforeCommitScheduledCompact
    compactAfterCommitScheduledCompact compactBeforeSetFinishedCompact compactAfterSetFinishedCompact
    compactBeforeCommitBatch compactAfterCommitBatch compactAfterAcquiredBatchTxLock defragBeforeCopy
    defragBeforeRename defragOpenFileError defragdbFail beforeSendWatchResponse beforeSyncWatchers
    beforeMoveVictims beforeProgressIfSync beforePublishing afterIsMemberExist beforeRangeStreamChunk
    beforeCheckpointInLeaseRenew beforeLookupWhenLeaseTimeToLive beforeLookupWhenForwardLeaseTimeToLive
    beforeServeHTTPLeaseRenew""".split())


def names_in_source():
    names = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "server")):
        for file in files:
            if file.endswith(".cc"):
                with open(os.path.join(folder, file), encoding="utf-8") as source:
                    names |= set(re.findall(r'FAILPOINT(?:_RETURNS)?\("(\w+)"\)', source.read()))
    return names


def names_in(binary):
    with open(binary, "rb") as file:
        content = file.read()
    return {name for name in names_in_source() | {"GOFAIL_HTTP"} if name.encode() in content}


class FailpointsTest(unittest.TestCase):
    def setUp(self):
        self.names = names_in_source()
        self.assertIn("walBeforeSync", self.names)
        self.built_in = "GOFAIL_HTTP" in names_in(server_binary())

    def ask(self, port, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, content

    def test_all_of_etcds_names_have_a_place(self):
        self.assertEqual(NAMES - self.names, set())

    def test_a_release_server_has_none(self):
        if self.built_in:
            self.skipTest("built with failpoints")
        self.assertEqual(names_in(server_binary()), set())

    def test_the_endpoint_lists_sets_and_clears_them(self):
        if not self.built_in:
            return  # nothing to ask
        port = free_ports(1)[0]
        with EtcdProcess(env={"GOFAIL_HTTP": f"127.0.0.1:{port}"}) as etcd:
            status, content = self.ask(port, "GET", "/")
            self.assertEqual(status, 200)
            self.assertEqual(set(line.split("=")[0] for line in content.splitlines()), self.names)
            self.assertEqual(self.ask(port, "PUT", "/walBeforeSync", 'sleep("10ms")')[0], 204)
            etcd.etcdctl("put", "a", "b")
            self.assertGreater(int(self.ask(port, "GET", "/walBeforeSync/count")[1]), 0)
            self.assertEqual(self.ask(port, "DELETE", "/walBeforeSync")[0], 204)
            self.assertEqual(self.ask(port, "PUT", "/walBeforeSync", 'panic("x")')[0], 204)
            etcd.etcdctl_result("put", "a", "c", command_timeout="2s")
            self.assertEqual(etcd.wait_exit(), PANIC_EXIT)
            self.assertIn("panic: failpoint walBeforeSync: x", etcd.log())
            etcd.start()
            self.assertIn(etcd.etcdctl("get", "a", "--print-value-only"), ("b\n", "c\n"))


if __name__ == "__main__":
    if len(sys.argv) > 1 and os.path.sep in sys.argv[1]:
        os.environ["ETCD_BINARY"] = sys.argv.pop(1)
    unittest.main()
