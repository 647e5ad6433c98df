"""What a disk holds after a power cut, from the journal that faulty_io.c wrote.

    disk = PowerCut(data_dir, random, work_dir)
    disk.prepare()
    ... run a server with disk.environment(), kill -9 ...
    disk.cut()                             # data_dir is now what survived

Strict model, as POSIX has it: bytes and sizes are safe after an fsync of their file, names after an
fsync of their directory. Of what came later any part may be there: of each directory a prefix of
its changes, of each file nothing, all, a prefix that ends within a write, or single sectors of
writes in place. A file's size never covers bytes that were not written, and a sector is whole.
"""

import os
import shutil
import struct

from faulty_io import library

SECTOR = 512
HEAD = struct.Struct("<IIQQ")
WRITE, TRUNCATE, EXTEND, SYNC, CREATE, RENAME, REMOVE = range(1, 8)


class _File:
    """`done` are changes that are on disk, on top of the bytes at `base`; `pending` those that may
    be: (number, operation, argument, payload)."""

    def __init__(self, base=None):
        self.base = base
        self.done = []
        self.pending = []

    def sync(self, covered):
        self.done += [change for change in self.pending if change[0] < covered]
        self.pending = [change for change in self.pending if change[0] >= covered]

    def size(self):
        size = os.path.getsize(self.base) if self.base else 0
        for _, operation, argument, payload in self.done:
            size = _size_after(size, operation, argument, payload)
        return size

    def lose(self, random):
        """Decides what of the pending changes reached the disk."""
        kind = random.choice(("none", "all", "prefix", "sectors"))
        if kind == "none" or not self.pending:
            return
        if kind == "all":
            self.done += self.pending
        elif kind == "prefix":
            kept = random.randrange(len(self.pending))
            self.done += self.pending[:kept]
            self.done += _torn(self.pending[kept], random)
        else:
            self._keep_sectors(random)

    def _keep_sectors(self, random):
        size = self.size()
        for change in self.pending:
            number, operation, argument, payload = change
            if operation != WRITE:
                self.done.append(change)
            elif argument + len(payload) > size:  # appended: in order
                self.done += _torn(change, random)
                return
            else:
                for at, piece in _sectors(argument, payload):
                    if random.random() < 0.5:
                        self.done.append((number, WRITE, at, piece))
            size = _size_after(size, operation, argument, payload)

    def write_to(self, path):
        if self.base:
            copy_sparse(self.base, path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            for _, operation, argument, payload in self.done:
                if operation == WRITE:
                    os.pwrite(descriptor, payload, argument)
                elif operation == TRUNCATE or os.fstat(descriptor).st_size < argument:
                    os.ftruncate(descriptor, argument)
        finally:
            os.close(descriptor)


class _Directory:
    """`names` as the process sees them, `durable` as the disk has them."""

    def __init__(self):
        self.names = {}
        self.durable = {}
        self.pending = []  # (number, name to remove or None, name to set or None, node)

    def change(self, number, removed, name, node):
        _rename(self.names, removed, name, node)
        self.pending.append((number, removed, name, node))

    def sync(self, covered):
        while self.pending and self.pending[0][0] < covered:
            _rename(self.durable, *self.pending.pop(0)[1:])

    def lose(self, random):
        kept = random.choice((0, len(self.pending), random.randint(0, len(self.pending))))
        self.sync(self.pending[kept][0] if kept < len(self.pending) else float("inf"))
        for node in self.durable.values():
            node.lose(random)

    def write_to(self, path):
        os.mkdir(path, 0o700)
        for name, node in self.durable.items():
            node.write_to(os.path.join(path, name))


class PowerCut:
    """`random` decides what of the unsynced changes survives."""

    def __init__(self, data_dir, random, work_dir):
        self.data_dir = data_dir
        self.random = random
        self.base = os.path.join(work_dir, "before-power-cut")
        self.journal = os.path.join(work_dir, "journal")
        self.unsynced = 0  # changes that the last cut could take

    def prepare(self):
        """Before each start: remembers the directory, which is taken as durable."""
        shutil.rmtree(self.base, ignore_errors=True)
        os.makedirs(self.data_dir, 0o700, exist_ok=True)
        copy_tree(self.data_dir, self.base)
        # Empty, should the kill come before the library begins its own.
        open(self.journal, "wb").close()
        self._inodes = {}
        self._root = self._scan(self.data_dir, self.base)

    def environment(self):
        return {"LD_PRELOAD": library(), "FAULTY_IO_DIRS": self.data_dir,
                "FAULTY_IO_JOURNAL": self.journal}

    def cut(self):
        """After the process is gone: replaces the directory by what survived."""
        self._replay()
        self.unsynced = sum(len(node.pending) for node in self._inodes.values())
        self._root.lose(self.random)
        shutil.rmtree(self.data_dir)
        self._root.write_to(self.data_dir)

    def _scan(self, path, base):
        node = _Directory() if os.path.isdir(path) else _File(base)
        self._inodes[os.stat(path).st_ino] = node
        if isinstance(node, _Directory):
            for name in os.listdir(path):
                node.names[name] = self._scan(os.path.join(path, name), os.path.join(base, name))
            node.durable = dict(node.names)
        return node

    def _replay(self):
        with open(self.journal, "rb") as journal:
            records = memoryview(journal.read())
        at = number = 0
        while at + HEAD.size <= len(records):
            operation, size, inode, argument = HEAD.unpack_from(records, at)
            payload = records[at + HEAD.size:at + HEAD.size + size]
            if len(payload) < size:
                break  # the kill came in between
            self._apply(number, operation, inode, argument, payload)
            at += HEAD.size + size
            number += 1

    def _apply(self, number, operation, inode, argument, payload):
        if operation == SYNC:
            # Unknown: synced after it was removed.
            if inode in self._inodes:
                self._inodes[inode].sync(argument)
        elif operation == CREATE:
            node = self._inodes[inode] = _Directory() if argument else _File()
            parent, name = self._find(bytes(payload))
            parent.change(number, None, name, node)
        elif operation == RENAME:
            before, after, _ = bytes(payload).split(b"\0")
            (from_parent, from_name), (to_parent, to_name) = self._find(before), self._find(after)
            node = from_parent.names[from_name]
            if from_parent is to_parent:
                from_parent.change(number, from_name, to_name, node)
            else:
                from_parent.change(number, from_name, None, None)
                to_parent.change(number, None, to_name, node)
        elif operation == REMOVE:
            parent, name = self._find(bytes(payload))
            parent.change(number, name, None, None)
        else:
            self._inodes[inode].pending.append((number, operation, argument, payload))

    def _find(self, path):
        """(directory, last name) of an absolute path."""
        relative = os.path.relpath(os.path.normpath(path.decode()), self.data_dir)
        *parents, name = relative.split("/")
        node = self._root
        for parent in parents:
            node = node.names[parent]
        return node, name


def _rename(names, removed, name, node):
    if removed is not None:
        names.pop(removed, None)
    if name is not None:
        names[name] = node


def _size_after(size, operation, argument, payload):
    if operation == TRUNCATE:
        return argument
    return max(size, argument + len(payload))


def _sectors(offset, payload):
    at = 0
    while at < len(payload):
        room = SECTOR - (offset + at) % SECTOR
        yield offset + at, payload[at:at + room]
        at += room


def _torn(change, random):
    number, operation, argument, payload = change
    if operation != WRITE:
        return []
    pieces = list(_sectors(argument, payload))
    return [(number, WRITE, at, piece) for at, piece in pieces[:random.randint(0, len(pieces))]]


def copy_sparse(source, target):
    """Copies only what is not a hole: WAL segments are preallocated."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        size = os.fstat(reader.fileno()).st_size
        at = 0
        while at < size:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:
                break  # nothing but a hole is left
            end = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            while at < end:
                os.lseek(writer.fileno(), at, os.SEEK_SET)
                at += os.sendfile(writer.fileno(), reader.fileno(), at, end - at)
        os.truncate(target, size)
    shutil.copymode(source, target)


def copy_tree(source, target):
    shutil.copytree(source, target, copy_function=copy_sparse)
