"""Runs every command of README.md against our server and compares what it prints.

```console blocks: "$ command" and its output, exactly. A command that does not end by itself (etcdctl
watch) is stopped once its expected output has appeared. ```sh blocks: "scripts/run.sh FLAGS" must
become ready with these flags; git clone and scripts/test.sh (which runs this) are only looked at.
```bash blocks: RUN_BY says which test runs each of them.
"""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from etcd_process import (EtcdProcess, etcdctl_environment, free_ports,  # noqa: E402
                          server_binary, wait_until)

README = (ROOT / "README.md").read_text(encoding="utf-8")


# A text that only one block has, and the test that picks this block by it.
RUN_BY = {
    "--initial-cluster=": "tests/conformance/readme_test.py",
    "etcdutl export": "tests/conformance/readme_test.py",
    "helm install etcd-operator": "tests/kubernetes/e2e/story.py",
    "helm install main": "tests/kubernetes/e2e/story.py",
    "kubectl scale": "tests/kubernetes/e2e/story.py",
    "kind: EtcdBackup\n": "tests/kubernetes/e2e/story.py",
    "kind: EtcdRestore": "tests/kubernetes/e2e/e2e.py",
    "helm install db": "tests/kubernetes/plain_chart.sh",
}


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def session_steps():
    """(command, expected output) of all console blocks, in order."""
    steps = []
    for block in blocks("console"):
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                steps.append([line[2:].strip(), ""])
            else:
                steps[-1][1] += line
    return steps


class ReadmeTest(unittest.TestCase):
    def test_the_session_prints_what_the_readme_shows(self):
        steps = session_steps()
        self.assertGreater(len(steps), 8)
        with EtcdProcess() as etcd:
            environment = etcdctl_environment()
            environment["ETCDCTL_ENDPOINTS"] = etcd.endpoint()
            for command, expected in steps:
                with self.subTest(command=command):
                    real = command.replace("localhost:2379", etcd.endpoint())
                    run = self.run_until if "watch" in real else self.run_to_end
                    self.assertEqual(run(real, environment, expected), self.trimmed(expected))

    @staticmethod
    def trimmed(text):
        return text.rstrip("\n")

    def run_to_end(self, command, environment, _):
        result = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=environment,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=60, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.trimmed(result.stdout)

    def run_until(self, command, environment, expected):
        process = subprocess.Popen(shlex.split(command), env=environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        deadline = threading.Timer(20, process.kill)
        deadline.start()
        lines = [process.stdout.readline() for _ in expected.splitlines()]
        deadline.cancel()
        process.kill()
        process.communicate()
        return self.trimmed("".join(lines))

    def test_every_start_that_is_shown_becomes_ready(self):
        starts = 0
        for block in blocks("sh"):
            for line in block.splitlines():
                if line.startswith("git clone") or line == "scripts/test.sh":
                    continue
                words = shlex.split(line)
                self.assertEqual(words[0], "scripts/run.sh", line)
                with self.subTest(line=line), EtcdProcess(args=words[1:]):
                    starts += 1
        self.assertGreater(starts, 2)

    def test_three_members_start_as_shown(self):
        (block,) = (block for block in blocks("bash") if "--initial-cluster=" in block)
        peers, clients = free_ports(3), free_ports(3)
        # The ports of the text are 2381.. and 2371..; "238$i" needs a table instead.
        text = block.replace("scripts/run.sh", server_binary())
        for i in range(3):
            text = text.replace(f":238{i + 1}", f":{peers[i]}")
        text = text.replace(":238$i", ":${peers[$i]}").replace(":237$i", ":${clients[$i]}")
        arrays = f"peers=(0 {' '.join(map(str, peers))}); clients=(0 {' '.join(map(str, clients))})"
        with tempfile.TemporaryDirectory() as folder:
            shell = subprocess.Popen(["bash", "-c", f"{arrays}\n{text}\nwait"], cwd=folder,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, start_new_session=True)
            try:
                def listed():
                    result = subprocess.run(
                        ["etcdctl", f"--endpoints=127.0.0.1:{clients[2]}", "member", "list"],
                        env=etcdctl_environment(), capture_output=True, text=True, timeout=60,
                        check=False)
                    return result.stdout.count("started") == 3
                self.assertTrue(wait_until(listed, 60))
            finally:
                os.killpg(shell.pid, signal.SIGKILL)
                shell.wait()

    def test_every_block_is_run_by_a_test(self):
        # Blocks of any other kind, or of none, would be run by nobody.
        kinds = re.findall(r"^```(.*)$", README, re.MULTILINE)[::2]
        self.assertEqual(set(kinds) - {"bash", "console", "sh"}, set())
        for block in blocks("bash"):
            with self.subTest(block=block):
                picked = [text for text in RUN_BY if text in block]
                self.assertEqual(len(picked), 1)
                source = (ROOT / RUN_BY[picked[0]]).read_text(encoding="utf-8")
                self.assertIn(picked[0].strip(), source)
        for text in RUN_BY:
            self.assertEqual(sum(text in block for block in blocks("bash")), 1, text)

    def test_named_scripts_exist_and_run(self):
        for path in set(re.findall(r"\bscripts/\w+\.sh", README)):
            self.assertTrue(os.access(ROOT / path, os.X_OK), path)

    def test_the_way_back_writes_a_directory_for_go(self):
        (command,) = (block for block in blocks("bash") if "etcdutl export" in block)
        command = command.replace("build/release/bin/", os.path.dirname(server_binary()) + "/")
        with tempfile.TemporaryDirectory() as folder:
            with EtcdProcess(data_dir=os.path.join(folder, "m1.etcd")) as etcd:
                etcd.etcdctl("put", "a", "b")
                etcd.stop()
                subprocess.run(["bash", "-c", command], cwd=folder, check=True, timeout=60,
                               stdin=subprocess.DEVNULL)
            self.assertTrue(os.path.exists(os.path.join(folder, "m1.go", "member", "snap", "db")))


if __name__ == "__main__":
    unittest.main()
