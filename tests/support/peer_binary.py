"""The Go etcd releases that conformance tests compare with."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def peer_binary(release="v36"):
    """Path of the server of a release, built if needed. Skips the test (exit 77) without Go."""
    built = subprocess.run([os.path.join(ROOT, "bench", "peers", "build.sh")],
                           stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode == 77:
        sys.exit(77)
    built.check_returncode()
    return os.path.join(built.stdout.strip(), release, "etcd")
