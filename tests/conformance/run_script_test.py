"""scripts/run.sh started three times at once, as README's three members are: preparations must not
overlap, servers must. The tools that it calls are replaced by ones that write down what they do."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from etcd_process import wait_until  # noqa: E402

# Begins and ends are told by a folder that only one can make.
TOOL = """#!/bin/bash
mkdir "$WORK/busy" || { echo "$0 beside another" >>"$WORK/faults"; exit 1; }
sleep 0.2
rmdir "$WORK/busy"
echo "${0##*/} $*" >>"$WORK/calls"
"""
SERVER = """#!/bin/bash
touch "$WORK/started.$1"
exec sleep 300
"""


class RunScript(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for path, text in (("scripts/setup.sh", TOOL), ("tools/cmake", TOOL), ("tools/ninja", TOOL),
                           ("build/release/bin/etcd", SERVER)):
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)
        for name in ("run.sh", "common.sh"):
            shutil.copy(ROOT / "scripts" / name, self.root / "scripts" / name)
        self.environment = {**os.environ, "WORK": str(self.root),
                            "PATH": f"{self.root}/tools:{os.environ['PATH']}"}

    def start(self, member):
        process = subprocess.Popen([self.root / "scripts/run.sh", member], env=self.environment,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)

        def end():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.addCleanup(end)

    def test_three_at_once_prepare_one_after_the_other(self):
        members = ("m1", "m2", "m3")
        for member in members:
            self.start(member)
        # The lock is not kept by a server that runs.
        self.assertTrue(wait_until(lambda: all((self.root / f"started.{member}").exists()
                                               for member in members), 60))
        self.assertFalse((self.root / "faults").exists())
        calls = (self.root / "calls").read_text().splitlines()
        self.assertEqual(len(calls), 9)
        self.assertIn("ninja -C build/release -j", "\n".join(calls))


if __name__ == "__main__":
    unittest.main()
