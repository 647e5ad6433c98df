"""One round of writers that outlive no server: shared by the tests of this folder."""

import base64
import os
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from etcd_process import EtcdProcess, server_binary  # noqa: E402,F401

CLIENT = os.environ.get("CRASH_CLIENT") or os.path.join(
    os.path.dirname(server_binary()), "crash_client")


class Lost(Exception):
    """What was acknowledged is not there, or the server did not start."""


class Writers:
    """64 writers and a watcher. Starting them checks what earlier rounds saw acknowledged; `finish`,
    when the server is gone, leaves what this one saw in `state`."""

    def __init__(self, etcd, state):
        self._etcd = etcd
        self._process = subprocess.Popen([CLIENT, str(etcd.client_port), state],
                                         stdout=subprocess.PIPE, text=True)
        first = self._process.stdout.readline()
        if first.strip() != "writing":
            self.finish(first)

    def finish(self, said=""):
        rest, _ = self._process.communicate(timeout=30)
        if self._process.returncode != 0:
            raise Lost(said + rest + self._etcd.log_tail())


class LogFiller:
    """Fills the log, a segment a second, with requests that change nothing: deletes of keys of 1 MB
    that do not exist. Ends with the server, or when `enough()`."""

    def __init__(self, etcd, enough=lambda: False):
        key = base64.b64encode(b"x" * (1 << 20)).decode()

        def fill():
            try:
                while etcd.running() and not enough():
                    etcd.gateway("/v3/kv/deleterange", {"key": key})
            except Exception:  # noqa: BLE001  the server is gone
                pass
        self._threads = [threading.Thread(target=fill) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def finish(self):
        for thread in self._threads:
            thread.join()
