"""Starts one etcd member (ours or a real one) for a test: own directory, ports from the kernel,
readiness by condition, clean stop or kill -9, and restart on the same files and ports.

    with EtcdProcess() as etcd:                      # our binary
        etcd.etcdctl("put", "a", "b")
    with EtcdProcess(binary="/usr/bin/etcd") as real:  # Debian's

Works with Go's etcd 3.4 and later: only flags that all of them know are used. Python 3.9, standard
library only. Not thread-safe, except that `kill` may be called from any thread.
"""

import atexit
import fcntl
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_live = weakref.WeakSet()


def server_binary():
    """Path of our server: $ETCD_BINARY, else the release build's."""
    return os.environ.get("ETCD_BINARY") or os.path.join(
        REPOSITORY, "build", "release", "bin", "etcd")


class EtcdError(Exception):
    """The process did not do what was asked; the message carries the end of its log."""


class Started:
    """For `with`: start() at its beginning, close() at its end, and when the start fails."""

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()


class EtcdProcess(Started):
    """One member.

    binary        the server; default: server_binary()
    data_dir      default: a new directory, removed by close(); a given one is kept
    args          more flags, after ours
    env           variables added to the environment (ETCD_* of the caller are never inherited)
    name          --name
    wrapper       command put before the server, e.g. ["strace", "-f"] or ["taskset", "1"]
    client_socket also listen on this unix socket
    host          address to listen on, e.g. of a network namespace that `wrapper` enters
    """

    def __init__(self, binary=None, data_dir=None, args=(), env=None, name="default", wrapper=(),
                 client_socket=None, host="127.0.0.1"):
        self.binary = binary or server_binary()
        self.name = name
        self.args = list(args)
        self.env = dict(env or {})
        self.wrapper = list(wrapper)
        self.client_socket = client_socket
        self.host = host
        self._own_dir = tempfile.mkdtemp(prefix="etcd-test-")
        self.data_dir = data_dir or os.path.join(self._own_dir, "data")
        self.log_path = os.path.join(self._own_dir, "log")
        self.client_port = None
        self.peer_port = None
        self.process = None
        self._log_start = 0
        _live.add(self)

    # ---- Life cycle.

    def start(self, timeout=90.0, wait_ready=True):
        """Starts the member and waits until it serves. Later calls use the same ports and files."""
        if self.running():
            raise EtcdError("already running")
        fresh = self.client_port is None
        for attempt in range(5):
            if fresh:
                self.client_port, self.peer_port = free_ports(2)
            self._spawn()
            if not wait_ready:
                return self
            try:
                self.wait_ready(timeout)
                return self
            except EtcdError:
                # A port that was free a moment ago can be taken; anything else is a failure.
                taken = "address already in use" in self.log().lower()
                self.kill()
                if not (fresh and taken) or attempt == 4:
                    raise
        return self

    def _spawn(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCD_")}
        environment.update(self.env)
        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, cwd=self._own_dir)

    def command(self):
        peer = self.peer_url()
        names = [arg[len("--name="):] for arg in self.args if arg.startswith("--name=")]
        name = names[-1] if names else self.name
        listen = self.endpoint_url()
        if self.client_socket:
            listen += f",unix://{self.client_socket}"
        flags = {
            "--name": name,
            "--data-dir": self.data_dir,
            "--listen-client-urls": listen,
            "--advertise-client-urls": self.endpoint_url(),
            "--listen-peer-urls": peer,
            "--initial-advertise-peer-urls": peer,
            "--initial-cluster": f"{name}={peer}",
        }
        given = {arg.split("=", 1)[0] for arg in self.args}
        ours = [f"{flag}={value}" for flag, value in flags.items() if flag not in given]
        return self.wrapper + [self.binary] + ours + self.args

    def wait_ready(self, timeout=30.0):
        """Returns when /health answers true: the member leads and serves."""
        def healthy():
            if self.process.poll() is not None:
                raise EtcdError(f"exited with {self.process.returncode}\n{self.log_tail()}")
            try:
                status, _, body = self.http("GET", "/health", timeout=1.0)
                return status == 200 and json.loads(body).get("health") == "true"
            except (OSError, http.client.HTTPException, ValueError):
                return False
        if not wait_until(healthy, timeout):
            raise EtcdError(f"not ready after {timeout} s\n{self.log_tail()}")

    def stop(self, timeout=60.0):
        """SIGTERM; returns the exit status as Popen has it (-15 after a clean stop of etcd)."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill(self):
        """SIGKILL, and waits until the process is gone."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()

    def pause(self):
        """SIGSTOP: the process stands still, its connections stay."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def wait_exit(self, timeout=60.0):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise EtcdError(f"still running after {timeout} s\n{self.log_tail()}") from None

    def close(self):
        """Kills what runs and removes the directory."""
        self.kill()
        shutil.rmtree(self._own_dir, ignore_errors=True)

    def __exit__(self, kind, *_):
        if kind is not None:
            state = "running" if self.running() else f"ended: {self.process and self.process.poll()}"
            print(f"{self.name} was {state}; the end of its log:\n{self.log_tail()}",
                  file=sys.stderr)
        self.close()

    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    # ---- What it says and costs.

    def log(self):
        """Text logged since the last start."""
        try:
            with open(self.log_path, "rb") as log:
                log.seek(self._log_start)
                return log.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def log_records(self):
        """Log lines that are JSON objects, as dictionaries."""
        records = []
        for line in self.log().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                records.append(record)
        return records

    def wait_log(self, message, timeout=60.0):
        """Waits for a record with exactly this "msg" and returns it."""
        found = []

        def seen():
            found[:] = [r for r in self.log_records() if r.get("msg") == message]
            return bool(found) or not self.running()
        wait_until(seen, timeout)
        if not found:
            raise EtcdError(f"no log line {message!r}\n{self.log_tail()}")
        return found[0]

    def memory_bytes(self, field="VmRSS"):
        """A size of /proc/<pid>/status: VmRSS, RssAnon, VmHWM, ..."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise EtcdError(f"no {field}")

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # ---- Talking to it.

    def endpoint(self):
        return f"{self.host}:{self.client_port}"

    def peer_url(self):
        return f"http://{self.host}:{self.peer_port}"

    def endpoint_url(self):
        return "http://" + self.endpoint()

    def http(self, method, path, body=None, headers=None, timeout=60.0):
        """One HTTP/1.1 request to the client port: (status, headers, body bytes)."""
        connection = http.client.HTTPConnection(self.host, self.client_port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def gateway(self, path, request, timeout=60.0):
        """One call of the JSON gateway, e.g. gateway("/v3/kv/range", {"key": "YQ=="})."""
        status, _, body = self.http("POST", path, json.dumps(request), timeout=timeout)
        return status, json.loads(body)

    def metrics(self):
        """The samples of /metrics: {'name{label="x"}': value}."""
        _, _, body = self.http("GET", "/metrics")
        samples = {}
        for line in body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def etcdctl_command(self, *args):
        return [os.environ.get("ETCDCTL_BINARY", "/usr/bin/etcdctl"),
                "--endpoints=" + self.endpoint_url(), *args]

    def etcdctl(self, *args, input_text=None, check=True, timeout=60.0):
        """Runs etcdctl (API 3) to its end and returns its output; see etcdctl_result."""
        result = self.etcdctl_result(*args, input_text=input_text, timeout=timeout)
        if check and result.returncode != 0:
            raise EtcdError(f"etcdctl {args} failed: {result.stderr}\n{self.log_tail()}")
        return result.stdout

    def etcdctl_result(self, *args, input_text=None, timeout=60.0, command_timeout=None):
        """The CompletedProcess of one etcdctl command: returncode, stdout, stderr (text)."""
        environment = etcdctl_environment()
        if command_timeout:  # by flag it would contradict the environment, which ends etcdctl
            environment["ETCDCTL_COMMAND_TIMEOUT"] = command_timeout
        stdin = {"input": input_text} if input_text is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(self.etcdctl_command(*args), env=environment,
                              capture_output=True, text=True, timeout=timeout, check=False, **stdin)


def etcdctl_environment():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCDCTL_")}
    environment["ETCDCTL_API"] = "3"
    # Its own are 5 and 2 s, which a busy machine may need for an election and a write.
    environment["ETCDCTL_COMMAND_TIMEOUT"] = "25s"
    environment["ETCDCTL_DIAL_TIMEOUT"] = "20s"
    return environment


# Below the range that the kernel takes for outgoing connections: between the choice and the server's
# bind no connection of any process may happen to get the port.
PORTS = range(12000, 32000)
_reserved = {}  # port: the locked file that keeps other test processes from it


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on and no other test process takes, all different."""
    found = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(found) == count:
            return found
        if port not in _reserved and _reserve(port):
            found.append(port)
    raise EtcdError("no free port")


def _reserve(port):
    """Holds the port for the life of this process, unless somebody has it."""
    folder = os.path.join(tempfile.gettempdir(), "etcd-test-ports")
    os.makedirs(folder, exist_ok=True)
    lock = open(os.path.join(folder, str(port)), "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
    except OSError:
        lock.close()
        return False
    _reserved[port] = lock
    return True


def wait_until(condition, timeout):
    """Polls until the condition holds; False when `timeout` seconds went by."""
    deadline = time.monotonic() + timeout
    pause = 0.005
    while True:
        if condition():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


@atexit.register
def _close_all():
    for process in list(_live):
        process.close()
