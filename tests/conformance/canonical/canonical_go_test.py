#!/usr/bin/env python3
"""Whatever our walker lets into the log, Go's etcd reads as ours does: the code of 3.5 and of 3.6
writes what it has read in the same bytes. Google's library, which 3.7 has, writes members of a oneof
last; what it made of a request must be the same again once 3.6 has read that.

    canonical_go_test.py [--count N] [--seed N]
"""

import argparse
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import peers  # noqa: E402
from etcd_process import server_binary  # noqa: E402

CORPUS = os.environ.get("CANONICAL_CORPUS") or os.path.join(
    os.path.dirname(server_binary()), "canonical_corpus")


def build(version, folder):
    """The reader, with the modules that bench/peers pins for a release."""
    module = os.path.join(ROOT, "bench", "peers", version, "go.mod")
    binary = os.path.join(folder, version)
    tags = ["-tags=google"] if version == "v37" else []
    subprocess.run(["go", "build", "-modfile=" + module, *tags, "-o", binary, "."],
                   cwd=os.path.join(HERE, "reader"), check=True)
    return binary


def rewritten(reader, requests):
    done = subprocess.run([reader], input=requests, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{os.path.basename(reader)} cannot read {done.stderr.decode()}")
    return done.stdout


def differences(name, before, after):
    """Prints the first few; how many there are."""
    pairs = list(zip(before.splitlines(), after.splitlines(), strict=True))
    wrong = [(a, b) for a, b in pairs if a != b]
    for original, other in wrong[:5]:
        print(f"{original.decode()}: {name} has {other.decode()}")
    print(f"{name}: {len(pairs)} requests, {len(wrong)} read in another way")
    return len(wrong) + (not pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=20261121)
    options = parser.parse_args()
    peers.binary("v36")  # skipped without a Go that is new enough
    requests = subprocess.run([CORPUS, str(options.count), str(options.seed)],
                              stdout=subprocess.PIPE, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="etcd-canonical-") as folder:
        readers = {version: build(version, folder) for version in peers.BUILT}
        wrong = sum(differences(version, requests, rewritten(readers[version], requests))
                    for version in ("v35", "v36"))
        through = rewritten(readers["v36"], rewritten(readers["v37"], requests))
        wrong += differences("v37", requests, through)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
