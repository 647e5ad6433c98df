"""Authorities and certificates for tests, by openssl.

    ca = Authority(folder, "ca")          # ca.path is its certificate
    certificate, key = ca.issue("server") # for 127.0.0.1
"""

import os
import subprocess


def _openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=120)


class Authority:
    def __init__(self, folder, name):
        self.folder = folder
        self.path = os.path.join(folder, name + ".crt")
        self._key = os.path.join(folder, name + ".key")
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout",
                 self._key, "-out", self.path, "-subj", f"/CN={name}")

    def issue(self, name, host="IP:127.0.0.1"):
        """Paths of a certificate and its key."""
        base = os.path.join(self.folder, name)
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", base + ".key", "-out",
                 base + ".csr", "-subj", f"/CN={name}")
        with open(base + ".ext", "w", encoding="utf-8") as extensions:
            extensions.write(f"subjectAltName={host}\n")
        _openssl("x509", "-req", "-in", base + ".csr", "-CA", self.path, "-CAkey", self._key,
                 "-CAcreateserial", "-days", "30", "-out", base + ".crt", "-extfile", base + ".ext")
        return base + ".crt", base + ".key"
