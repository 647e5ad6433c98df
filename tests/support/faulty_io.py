"""Drives faulty_io.c in a running server: failing or slow fsyncs and full disks by class of file.

    faults = FaultyIo(work_dir, [data_dir])
    EtcdProcess(env=faults.environment(), ...)
    faults.full = LOG | ENGINE
"""

import mmap
import os
import struct

from etcd_process import REPOSITORY

OTHER, LOG, ENGINE, SNAP = 1, 2, 4, 8
_FIELD = struct.Struct("<I")


def library():
    """Path of the preloaded library: $FAULTY_IO, else the release build's."""
    return os.environ.get("FAULTY_IO") or os.path.join(
        REPOSITORY, "build", "release", "lib", "libfaulty_io.so")


def _field(index):
    return property(lambda self: self._get(index), lambda self, value: self._set(index, value))


class FaultyIo:
    """The masks are unions of classes; the counts are the library's. Order: struct Control."""

    def __init__(self, work_dir, dirs):
        self._path = os.path.join(work_dir, "faulty-io-control")
        self._dirs = dirs
        with open(self._path, "w+b") as control:
            control.truncate(mmap.PAGESIZE)
            self._map = mmap.mmap(control.fileno(), mmap.PAGESIZE)

    failing_syncs = _field(0)
    full = _field(1)
    failed_syncs = _field(2)
    refused_writes = _field(3)
    hides_full = _field(4)
    slow_syncs = _field(5)
    slow_millis = _field(6)
    steps = _field(7)
    kill_at = _field(8)

    def environment(self):
        return {"LD_PRELOAD": library(), "FAULTY_IO_DIRS": ":".join(self._dirs),
                "FAULTY_IO_CONTROL": self._path}

    def _get(self, index):
        return _FIELD.unpack_from(self._map, 4 * index)[0]

    def _set(self, index, value):
        _FIELD.pack_into(self._map, 4 * index, value)
