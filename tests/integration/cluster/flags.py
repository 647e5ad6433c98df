"""Flags that the tests of this folder give each release of etcd."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

# A member that was away for a second needs a snapshot.
_SNAPSHOTS = ["--snapshot-count=100"]
_CATCH_UP = {"v35": ["--experimental-snapshot-catchup-entries=50"], "v34": []}
# Elections as fast as two shared cores allow.
_FAST = ["--heartbeat-interval=50", "--election-timeout=500"]


def for_faults(version):
    catch_up = _CATCH_UP.get(version, ["--snapshot-catchup-entries=50"])
    return logging(version) + _SNAPSHOTS + catch_up + _FAST


def logging(version):
    return ["--logger=zap"] if version == "v34" else []
