"""versitygw, an S3 server that checks signatures strictly, on a port of its own.

    with S3Server(folder) as s3:
        s3.endpoint, s3.ACCESS_KEY, s3.SECRET_KEY
        s3.make_bucket("b")    # objects are files in <folder>/b

With the files of a certificate and its key it is served by TLS.
"""

import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def program():
    """Builds it when needed; exits the test as skipped when it cannot be had."""
    built = subprocess.run([os.path.join(HERE, "build_versitygw.sh")], stdout=subprocess.PIPE,
                           text=True, check=False)
    if built.returncode == 77:
        sys.exit(77)
    if built.returncode != 0:
        sys.exit("versitygw does not build")
    return built.stdout.strip()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class S3Server:
    ACCESS_KEY = "test-access"
    SECRET_KEY = "test-secret-key"

    def __init__(self, folder, certificate=None, key=None):
        self.folder = folder
        self.log_path = folder + ".log"
        self.access_log = folder + ".access"
        self.tls = ["--cert", certificate, "--key", key] if certificate else []
        self.process = None
        self.port = None

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        for _ in range(5):
            self.port = _free_port()
            if self._start():
                return self
        raise RuntimeError("versitygw does not start: " + self.log())

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _start(self):
        environment = dict(os.environ, ROOT_ACCESS_KEY=self.ACCESS_KEY,
                           ROOT_SECRET_KEY=self.SECRET_KEY)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [program(), "--port", f"127.0.0.1:{self.port}", "--access-log", self.access_log,
                 *self.tls, "posix", self.folder],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self.process.poll() is None
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        self.process.wait()
        return False

    @property
    def endpoint(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def make_bucket(self, name):
        os.makedirs(os.path.join(self.folder, name))

    def files(self, bucket):
        """Paths of the bucket's objects, relative to it."""
        root = os.path.join(self.folder, bucket)
        found = []
        for folder, _, names in os.walk(root):
            if ".sgwtmp" in folder:
                continue
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
        return sorted(found)

    def open_uploads(self, bucket):
        """Files of multipart uploads that were neither finished nor aborted."""
        root = os.path.join(self.folder, bucket, ".sgwtmp")
        return sorted(name for _, _, names in os.walk(root) for name in names)

    def reads(self, key):
        """How often an object's content was asked for."""
        with open(self.access_log, encoding="utf-8") as log:
            return sum(f" s3_GetObject {key} " in line for line in log)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]
