"""Network namespaces for members, with cuts and delays between them. Needs root.

    network = Network()                # before any thread: moves the calling process into a namespace
    a, b = network.add_host(), network.add_host()
    network.cut(a, b)                  # what a sends to b is lost; b still reaches a
    network.delay(a, b, 0.075, jitter=0.05, loss=0.5)
    network.heal()

Each host is a namespace of its own; the calling process's namespace routes between them and is not
touched by cuts, so clients that run here reach all members at all times. No address or port of the
machine is used, and tests do not see each other's. Cuts are routing rules that lose packets in
silence; delays and losses send them through this process (a TUN device), since not every kernel has
netem.
"""

import atexit
import collections
import ctypes
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import threading
import time

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_TABLE = 200  # of routes: into the TUN device


def require_root():
    """Exits the test as skipped without the rights to make namespaces."""
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("SKIPPED: network namespaces need root and /dev/net/tun")
        sys.exit(77)


def _ip(*args):
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(args)}: {done.stderr.strip()}")


class Host:
    """A namespace; `wrapper` is put before the command of a process to run in it."""

    def __init__(self, name, number):
        self.name = name
        self.address = f"10.99.{number}.2"
        self.device = f"host{number}"
        self.wrapper = ["ip", "netns", "exec", name]


class Network:
    def __init__(self):
        require_root()
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        _remove_leftovers()
        self._hosts = []
        self._rules = []
        self._relay = None
        _ip("link", "set", "lo", "up")
        for setting in ("ip_forward", "conf/all/rp_filter", "conf/default/rp_filter"):
            with open(f"/proc/sys/net/ipv4/{setting}", "w", encoding="ascii") as file:
                file.write("1" if setting == "ip_forward" else "0")
        atexit.register(self.close)

    def add_host(self):
        number = len(self._hosts) + 1
        host = Host(f"etcd-{os.getpid()}-{number}", number)
        _ip("netns", "add", host.name)
        self._hosts.append(host)
        _ip("link", "add", host.device, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        _ip("addr", "add", f"10.99.{number}.1/24", "dev", host.device)
        _ip("link", "set", host.device, "up")
        inside = ("-n", host.name)
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "addr", "add", f"{host.address}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")
        _ip(*inside, "route", "add", "default", "via", f"10.99.{number}.1")
        return host

    # ---- Faults. They add up until heal().

    def cut(self, source, target):
        """Loses what `source` sends to `target`, and nothing else."""
        self._rule("100", source, target, "blackhole")

    def cut_both(self, a, b):
        self.cut(a, b)
        self.cut(b, a)

    def isolate(self, host):
        """From all other hosts."""
        for other in self._hosts:
            if other is not host:
                self.cut_both(host, other)

    def delay(self, source, target, seconds, jitter=0.0, loss=0.0):
        """Packets from `source` to `target` come later by `seconds` +- `jitter`, in their order, or
        with a probability of `loss` not at all. One setting for all pairs that are delayed."""
        if self._relay is None:
            self._relay = _Relay()
        self._relay.seconds, self._relay.jitter, self._relay.loss = seconds, jitter, loss
        self._rule("200", source, target, "lookup", str(_TABLE), device=source.device)

    def heal(self):
        for rule in self._rules:
            _ip("rule", "del", *rule)
        self._rules = []

    def _rule(self, preference, source, target, *action, device=None):
        rule = ["pref", preference, "from", source.address, "to", target.address]
        rule += ["iif", device] if device else []
        rule += action
        if rule not in self._rules:
            _ip("rule", "add", *rule)
            self._rules.append(rule)

    def close(self):
        """Removes the namespaces; those of what still runs in them go when that ends."""
        for host in self._hosts:
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True, check=False)
        self._hosts = []


def _remove_leftovers():
    """Of tests that were killed."""
    folder = "/run/netns"
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        parts = name.split("-")
        if len(parts) == 3 and parts[0] == "etcd" and not os.path.exists(f"/proc/{parts[1]}"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


class _Relay:
    """Takes packets from a TUN device and gives them back later."""

    def __init__(self):
        self.seconds = self.jitter = self.loss = 0.0
        self._random = random.Random(1)
        self._tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self._tun, _TUNSETIFF, struct.pack("16sH22x", b"delay", _IFF_TUN_NO_PI))
        _ip("link", "set", "delay", "up")
        _ip("route", "add", "default", "dev", "delay", "table", str(_TABLE))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        waiting = collections.deque()
        last = 0.0
        while True:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                try:
                    os.write(self._tun, waiting.popleft()[1])
                except OSError:
                    pass  # as a full queue loses it
            timeout = waiting[0][0] - now if waiting else None
            if not select.select([self._tun], [], [], timeout)[0]:
                continue
            packet = os.read(self._tun, 1 << 16)
            if self._random.random() < self.loss:
                continue
            due = time.monotonic() + self.seconds + self._random.uniform(-self.jitter, self.jitter)
            last = max(last, due)
            waiting.append((last, packet))
