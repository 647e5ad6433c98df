#!/usr/bin/env python3
"""The disk fills up under writers: reads go on, writes are refused with NOSPACE's text, the member
never exits, and it writes again within 10 s of room coming back, without a restart. What it
acknowledged is there, then and after a restart. A member that is started on a full disk serves reads
with the room of the log's reserve; without it, it waits for room and says so.

Full are in turn the log, the backend, the backend without statvfs telling, everything, and a real
file system of 320 MB where mounting is allowed.
"""

import base64
import glob
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from crash_round import EtcdProcess, LogFiller  # noqa: E402

from etcd_process import wait_until  # noqa: E402
from faulty_io import ENGINE, LOG, OTHER, SNAP, FaultyIo  # noqa: E402

REFUSAL = "etcdserver: mvcc: database space exceeded"
# A write that was under way when the room ran out may wait, and end as unknown.
UNKNOWN = "etcdserver: request timed out"
BACK_SECONDS = 10.0
WRITERS = 4


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Writer(threading.Thread):
    """Counts up in one key, one put at a time."""

    def __init__(self, port, key):
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._key = key
        self._stop_event = threading.Event()
        self.acknowledged = 0
        self.tried = 0
        self.refused = 0
        self.other_errors = []
        self.start()

    def run(self):
        try:
            while not self._stop_event.is_set():
                self._put()
        except (OSError, http.client.HTTPException) as error:
            self.other_errors.append(repr(error))

    def _put(self):
        self.tried += 1
        value = f"{self.tried} ".ljust(4000, "v")
        self._connection.request("POST", "/v3/kv/put", json.dumps(
            {"key": encode(self._key), "value": encode(value)}))
        response = self._connection.getresponse()
        body = json.loads(response.read())
        if response.status == 200:
            self.acknowledged = self.tried
        elif body["message"] == REFUSAL:
            self.refused += 1
            self._stop_event.wait(0.005)
        elif body["message"] != UNKNOWN:
            self.other_errors.append(body)

    def finish(self):
        self._stop_event.set()
        self.join()
        self._connection.close()


class Run:
    """One member that meets a full disk. `fill` and `free` change the disk."""

    def __init__(self, etcd, fill, free, fills_log):
        self.etcd = etcd
        self.fill = fill
        self.free = free
        self.fills_log = fills_log

    def __call__(self):
        self.etcd.start()
        self.writers = [Writer(self.etcd.client_port, f"writer/{n}") for n in range(WRITERS)]
        try:
            self.expect(lambda: self.sum("acknowledged") > 200, 20, "no writes")
            self.fill()
            seconds = self.until_back()
        finally:
            for writer in self.writers:
                writer.finish()
        self.check_values()
        self.etcd.stop()
        self.etcd.start()
        self.check_values()
        return seconds

    def until_back(self):
        """Refused for a while, with reads; then room, and the seconds until writes go on."""
        # The log has a segment in reserve: it is only full when that is used.
        filler = LogFiller(self.etcd, self.saw_refusals) if self.fills_log else None
        self.expect(self.saw_refusals, 40, "no refusals")
        if filler:
            filler.finish()
        for _ in range(20):
            refused = self.sum("refused")
            self.read()
            self.expect(lambda before=refused: self.sum("refused") > before, 10, "not refused")
        before = self.sum("acknowledged")
        self.free()
        start = time.monotonic()
        self.expect(lambda: self.sum("acknowledged") > before + WRITERS, BACK_SECONDS,
                    "no writes after room came back")
        seconds = time.monotonic() - start
        steady = self.sum("acknowledged") + 100
        self.expect(lambda: self.sum("acknowledged") > steady, 20, "writes do not go on")
        return seconds

    def saw_refusals(self):
        return self.sum("refused") > 20

    def sum(self, field):
        return sum(getattr(writer, field) for writer in self.writers)

    def expect(self, condition, seconds, what):
        def done():
            errors = [error for writer in self.writers for error in writer.other_errors]
            if errors or not self.etcd.running():
                self.fail(f"errors {errors[:3]}")
            return condition()
        if not wait_until(done, seconds):
            self.fail(f"{what} in {seconds} s")

    def fail(self, what):
        state = [(writer.tried, writer.acknowledged, writer.refused) for writer in self.writers]
        sys.exit(f"{what}; running: {self.etcd.running()}; tried, acknowledged, refused: {state}\n"
                 f"{self.etcd.log_tail()}")

    def read(self):
        status, answer = self.etcd.gateway("/v3/kv/range", {"key": encode("writer/"),
                                                            "range_end": encode("writer0")})
        if status != 200:
            self.fail(f"a read failed: {answer}")
        return {base64.b64decode(kv["key"]).decode(): base64.b64decode(kv["value"]).split()[0]
                for kv in answer["kvs"]}

    def check_values(self):
        found = self.read()
        for number, writer in enumerate(self.writers):
            value = int(found[f"writer/{number}"])
            if not writer.acknowledged <= value <= writer.tried:
                self.fail(f"writer {number} acknowledged {writer.acknowledged}, found {value}")


def with_library(work, masks, hidden, fills_log, kind=Run):
    data_dir = os.path.join(work, "data")
    faults = FaultyIo(work, [data_dir])
    etcd = EtcdProcess(data_dir=data_dir, env=faults.environment(), args=["--snapshot-count=200"])

    def fill():
        faults.hides_full = hidden
        faults.full = masks

    def free():
        if faults.refused_writes == 0 and hidden:
            sys.exit("nothing met the full disk")
        faults.full = 0
    return kind(etcd, fill, free, fills_log)


class StartOnFullDisk(Run):
    """Killed, started on the full disk, killed and started again with nothing left to give up."""

    has_reserve = True

    def __call__(self):
        self.etcd.start()
        self.writers = [Writer(self.etcd.client_port, "writer/0")]
        self.expect(lambda: self.sum("acknowledged") > 200, 60, "no writes")
        self.writers[0].finish()
        self.etcd.kill()
        self.fill()
        if self.has_reserve:
            self.start_with_the_reserve()
            self.etcd.kill()
            for reserve in glob.glob(os.path.join(self.etcd.data_dir, "member", "wal", "*.tmp")):
                os.unlink(reserve)
            self.fill()
        self.etcd.start(wait_ready=False)
        self.etcd.wait_log("storage engine waits for disk space", 60)
        if "ready to serve client requests" in self.etcd.log():
            self.fail("started without room")
        self.free()
        start = time.monotonic()
        self.etcd.wait_log("ready to serve client requests", 60)
        if not wait_until(lambda: self.put()[0] == 200, 60):
            self.fail("no writes after room came back")
        seconds = time.monotonic() - start
        self.check_values()
        return seconds

    def start_with_the_reserve(self):
        self.etcd.start(wait_ready=False)
        self.etcd.wait_log("ready to serve client requests", 60)
        self.etcd.wait_log("gave up the log's reserve: no space left on device")
        self.check_values()
        # Once the engine has looked at the disk again, where the log has made another reserve.
        if not wait_until(lambda: self.put()[1].get("message") == REFUSAL, 60):
            self.fail("writes are not refused")

    def put(self):
        return self.etcd.gateway("/v3/kv/put", {"key": encode("other"), "value": ""})


class StartWithoutReserve(StartOnFullDisk):
    has_reserve = False


def file_system(work):
    """A tmpfs, what fills it to the last byte, and what frees it; None: mounting is not allowed."""
    directory = os.path.join(work, "disk")
    os.mkdir(directory)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", directory],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        return None
    junk = []

    def fill():
        junk.append(os.path.join(directory, f"junk-{len(junk)}"))
        with open(junk[-1], "wb", buffering=0) as file:
            for size in (65536, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def free():
        while junk:
            os.unlink(junk.pop())
    return os.path.join(directory, "data"), fill, free


def with_file_system(work):
    disk = file_system(work)
    if disk is None:
        return None
    data_dir, fill, free = disk
    etcd = EtcdProcess(data_dir=data_dir, args=["--snapshot-count=200"])
    return Run(etcd, fill, free, False)


def start_on_file_system(work):
    disk = file_system(work)
    if disk is None:
        return None
    data_dir, fill, free = disk
    return StartOnFullDisk(EtcdProcess(data_dir=data_dir), fill, free, False)


SCENARIOS = {
    "log": lambda work: with_library(work, LOG, 0, True),
    "backend": lambda work: with_library(work, ENGINE, 0, False),
    "backend, untold": lambda work: with_library(work, ENGINE, 1, False),
    "everything": lambda work: with_library(work, LOG | ENGINE | SNAP | OTHER, 0, False),
    "file system": with_file_system,
    "backend, at a start": lambda work: with_library(work, ENGINE, 0, False, StartWithoutReserve),
    "file system, at a start": start_on_file_system,
}


def main():
    for name in sys.argv[1:] or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="etcd-full-") as work:
            run = SCENARIOS[name](work)
            if run is None:
                print(f"{name}: mounting is not allowed here; left to the other scenarios")
                continue
            try:
                print(f"{name} full: ", end="", flush=True)
                print(f"writes again after {run():.1f} s", flush=True)
            finally:
                run.etcd.close()
                subprocess.run(["umount", os.path.join(work, "disk")], capture_output=True,
                               check=False)


if __name__ == "__main__":
    main()
