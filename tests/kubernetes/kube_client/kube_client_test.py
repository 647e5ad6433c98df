#!/usr/bin/env python3
"""Runs kube_client_check against a real kube-apiserver, whose certificate is verified."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from api_server import ApiServer, TOKEN  # noqa: E402

CONFIG = """
current-context: test
clusters: [{{name: test, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: {ca}}}}}]
contexts: [{{name: test, context: {{cluster: test, user: admin, namespace: default}}}}]
users: [{{name: admin, user: {{token: {token}}}}}]
"""


def main():
    with ApiServer() as api:
        config = api.path / "verified.kubeconfig"
        config.write_text(CONFIG.format(port=api.port, ca=api.path / "certs/apiserver.crt", token=TOKEN),
                          encoding="utf-8")
        environment = {**os.environ, "KUBECONFIG": str(config), "NO_PROXY": "127.0.0.1"}
        return subprocess.run([os.environ["KUBE_CLIENT_CHECK"], *sys.argv[1:]], env=environment,
                              check=False, timeout=150).returncode


if __name__ == "__main__":
    sys.exit(main())
