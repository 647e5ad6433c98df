#!/usr/bin/env python3
"""Writes the corpora of corpus/: files of a real etcd (Debian's, of Go) and bytes that once were, or
easily are, mistaken by a reader. The fuzz targets run over them as tests and a fuzzer starts from them.
What a target's own Seeds() gives is written by `<target> --write FOLDER`.

    make_corpus.py [ETCD]
"""

import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def write(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def run_etcd(etcd, folder):
    """A node with keys of several revisions, a lease, an alarm, a user, a compaction and snapshots."""
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    server = subprocess.Popen(
        [etcd, "--name=m", f"--data-dir={folder}", f"--listen-client-urls={client}",
         f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}", "--snapshot-count=8",
         f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=m={peer}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ctl(*words):
        return subprocess.run(["etcdctl", f"--endpoints={client}", *words], capture_output=True,
                              text=True, check=False, env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"})
    while ctl("endpoint", "health").returncode != 0:
        time.sleep(0.1)
    lease = ctl("lease", "grant", "6000").stdout.split()[1]
    for words in (("put", "a", "1"), ("put", "a", "2"), ("put", "b", "x" * 300, f"--lease={lease}"),
                  ("del", "a"), ("put", "a", "3"), ("user", "add", "u:p"), ("role", "add", "r"),
                  ("role", "grant-permission", "r", "readwrite", "a", "c"), ("compact", "3"),
                  ("put", "c", ""), ("member", "add", "away", "--peer-urls=http://127.0.0.1:1",
                                     "--learner")):
        ctl(*words)
    server.terminate()
    server.wait()


def of_etcd(etcd):
    with tempfile.TemporaryDirectory() as folder:
        run_etcd(etcd, folder)
        member = pathlib.Path(folder) / "member"
        # The zeros of a segment that is allocated but not written, a few of them.
        log = sorted((member / "wal").glob("*.wal"))[0].read_bytes().rstrip(b"\0")
        write("wal_fuzz", "go-segment", b"\0" + log + bytes(-len(log) % 8 + 64))
        newest = sorted((member / "snap").glob("*.snap"))[-1].read_bytes()
        write("snap_fuzz", "go-file", b"\0" + newest)
        write("bbolt_fuzz", "go-database", b"\1" + (member / "snap" / "db").read_bytes())


def hostile():
    """Each is one mistake that a reader of its format can make."""
    huge = varint(2**64 - 1)
    write("snap_fuzz", "length-beyond-the-end", b"\0\x08\x00\x12" + varint(2**31) + b"x")
    write("snap_fuzz", "no-crc", b"\0\x12\x00")
    write("raftpb_fuzz", "entry-length-overflows", b"\x08\x03\x3a" + huge)
    write("raftpb_fuzz", "varint-of-eleven-bytes", b"\x10" + b"\xff" * 10 + b"\x01")
    write("raftpb_fuzz", "unknown-type", b"\x08" + huge)
    write("raftpb_fuzz", "voter-packed-and-not", b"\x08\x07\x4a\x0c\x12\x0a\x0a\x08\x08\x01\x0a\x02\x01\x02")
    # Length field: the top byte says how much padding follows.
    write("wal_fuzz", "padding-without-record", b"\0" + struct.pack("<Q", 0x87 << 56))
    write("wal_fuzz", "record-beyond-the-end", b"\0" + struct.pack("<Q", 2**40) + b"\x08\x04")
    write("wal_fuzz", "negative-length", b"\0" + struct.pack("<Q", 2**64 - 1) + bytes(8))
    write("peer_stream_fuzz", "message-of-all-memory", b"\x02" + struct.pack(">Q", 2**63) + b"\x08")
    write("peer_stream_fuzz", "entries-of-all-memory", b"\x03" + struct.pack(">QQ", 1, 2**61))
    write("peer_stream_fuzz", "unknown-frame", b"\x03" + struct.pack(">Q", 9) + bytes(16))
    write("message_reader_fuzz", "length-of-four-gigabytes", b"\x03\0\xff\xff\xff\xff")
    write("message_reader_fuzz", "unknown-compression-flag", b"\x03\x02\0\0\0\0")
    write("canonical_fuzz", "empty-field-tag", b"\x00\x00\x00")
    write("canonical_fuzz", "varint-with-spare-zeros", b"\x00\x18\x80\x80\x00")
    write("kube_json_fuzz", "brackets-in-a-string", b'{"a":"]}\\"]"}' b'{"metadata":{"name":"]"}}')
    write("kube_json_fuzz", "deep", b"[" * 3000 + b"]" * 3000)
    write("kube_json_fuzz", "half-a-surrogate", b'{"a":"\\ud800"}')
    write("kube_json_fuzz", "lone-continuation-byte", b'{"a":"\x80"}')


if __name__ == "__main__":
    hostile()
    of_etcd(sys.argv[1] if len(sys.argv) > 1 else "/usr/bin/etcd")
