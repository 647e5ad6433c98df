"""The real etcds that this machine has: Debian's 3.4, and those that bench/peers builds with Go.

    binary = peers.binary("v36")      # exits the test as skipped when it cannot be had
"""

import argparse
import os
import subprocess
import sys
import unittest

from etcd_process import REPOSITORY, server_binary

DEBIAN = "/usr/bin/etcd"
BUILT = ("v35", "v36", "v37")
_folder = []


def binary(version):
    """Path of a server: "ours", "v34", or one of BUILT."""
    if version == "ours":
        return server_binary()
    if version == "v34":
        return DEBIAN
    return _built(version, "etcd")


def etcdutl(version):
    """Path of the offline tool of "ours" or of one of BUILT."""
    if version == "ours":
        return os.path.join(os.path.dirname(server_binary()), "etcdutl")
    return _built(version, "etcdutl")


def _built(version, name):
    if version not in BUILT:
        raise ValueError(f"no etcd {version}")
    if not _folder:
        _folder.append(_build())
    return os.path.join(_folder[0], version, name)


def _build():
    built = subprocess.run([os.path.join(REPOSITORY, "bench", "peers", "build.sh")],
                           stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode == 77:
        sys.exit(77)
    if built.returncode != 0:
        sys.exit("the Go etcds do not build")
    return built.stdout.strip()


def run_tests(test_case):
    """The main of a test that compares with etcd 3.6: its class gets the server as `peer`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="real etcd 3.6; built from its module when not given")
    options, rest = parser.parse_known_args()
    test_case.peer = options.peer or binary("v36")
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
