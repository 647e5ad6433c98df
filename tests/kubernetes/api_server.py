"""A real kube-apiserver without nodes, on loopback and without root, over a store of ours: enough to
judge custom resources. Its binary comes from testbed/testbed.sh build."""

import http.client
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from etcd_process import EtcdProcess, free_ports, wait_until  # noqa: E402

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "etcdpp-testbed"
BINARY = CACHE / "bin/kube-apiserver"
TOKEN = "test"


class ApiServer:
    """with ApiServer() as api: api.kubectl("get", "crds")"""

    def __init__(self):
        if not BINARY.exists():
            print(f"SKIPPED: {BINARY} is not built (tests/kubernetes/testbed/testbed.sh build)")
            sys.exit(77)
        tools = subprocess.run([HERE / "tools.sh"], capture_output=True, text=True, check=True)
        self.tools = pathlib.Path(tools.stdout.strip())

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        (self.port,) = free_ports(1)
        self.store = EtcdProcess()
        self.store.__enter__()
        self._write_files()
        self.log = open(self.path / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen(self._command(), stdout=self.log, stderr=self.log)
        if not wait_until(self._is_ready, 60):
            print((self.path / "log").read_text(encoding="utf-8")[-4000:])
            self.__exit__(None, None, None)
            raise RuntimeError("kube-apiserver did not become ready")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.store.__exit__(None, None, None)
        self.folder.cleanup()

    def _write_files(self):
        subprocess.run(["openssl", "genrsa", "-out", self.path / "sa.key", "2048"], check=True,
                       capture_output=True)
        (self.path / "tokens").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        (self.path / "kubeconfig").write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}]}))

    def _command(self):
        path = self.path
        return [str(BINARY), f"--etcd-servers=http://{self.store.endpoint()}", f"--secure-port={self.port}",
                "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={path}/certs",
                "--service-cluster-ip-range=198.19.0.0/24", "--authorization-mode=RBAC",
                f"--token-auth-file={path}/tokens", f"--service-account-key-file={path}/sa.key",
                f"--service-account-signing-key-file={path}/sa.key",
                "--service-account-issuer=https://kubernetes.default.svc", "--v=1"]

    def _is_ready(self):
        if self.process.poll() is not None:
            return True  # the first use will say it
        return self.kubectl("get", "--raw", "/readyz").stdout == "ok"

    def kubectl(self, *words, given=None):
        """`given` (text or an object) is its standard input."""
        text = given if given is None or isinstance(given, str) else json.dumps(given)
        return self._tool("kubectl", words, text)

    def helm(self, *words):
        return self._tool("helm", words)

    def _tool(self, name, words, text=None):
        environment = {**os.environ, "KUBECONFIG": str(self.path / "kubeconfig"), "HOME": str(self.path)}
        return subprocess.run([self.tools / name, *words], env=environment, input=text or "", text=True,
                              capture_output=True, check=False, timeout=100)

    def request(self, method, path, body=None, content_type="application/json"):
        """(status, object) of one call of the API."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30,
                                                 context=ssl._create_unverified_context())
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()
