"""What the API server of the testbed says, asked over connections of our own inside the control plane's
network: a kubectl for each look would take half a core from what is measured."""

import contextlib
import ctypes
import http.client
import json
import os
import ssl
import threading
import urllib.parse

CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
STATE = os.environ.get("BED") or os.path.join(CACHE, "etcdpp-testbed", "state")
CONTROL_PLANE = "198.18.255.254"
PORT = 6443

_OURS = "/apis/etcdpp.dev/v1alpha1"
_PATHS = {
    "pods": "/api/v1", "persistentvolumeclaims": "/api/v1", "events": "/api/v1", "services": "/api/v1",
    "nodes": "/api/v1", "networkpolicies": "/apis/networking.k8s.io/v1",
    "etcdclusters": _OURS, "etcdmembers": _OURS, "etcdbackups": _OURS, "etcdbackupschedules": _OURS,
    "etcdrestores": _OURS}
_OF_THE_CLUSTER = {"nodes"}
_NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """Something did not come to be; the message says what was there instead."""


def _enter(namespace):
    if _libc.setns(namespace.fileno(), _NETWORK_NAMESPACE) != 0:
        raise Failed(f"setns: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def network(name):
    """This thread in a network namespace; a socket made meanwhile stays there."""
    with open("/proc/thread-self/ns/net", "rb") as own, open(f"/run/netns/{name}", "rb") as other:
        _enter(other)
        try:
            yield
        finally:
            _enter(own)


class _Connection(http.client.HTTPSConnection):
    def connect(self):
        with network("kcp"):
            super().connect()


class Api:
    """As administrator. Thread-safe: each thread has its connection."""

    def __init__(self):
        self._of_thread = threading.local()

    def get(self, kind, name, namespace):
        """The object, or None."""
        return self._ask(f"{self._path(kind, namespace)}/{name}")

    def list(self, kind, namespace, selector=""):
        query = urllib.parse.urlencode({"labelSelector": selector})
        return (self._ask(f"{self._path(kind, namespace)}?{query}") or {}).get("items", [])

    @staticmethod
    def _path(kind, namespace):
        where = "" if kind in _OF_THE_CLUSTER else f"/namespaces/{namespace}"
        return f"{_PATHS[kind]}{where}/{kind}"

    def _connection(self):
        if not hasattr(self._of_thread, "connection"):
            pki = os.path.join(STATE, "pki")
            context = ssl.create_default_context(cafile=os.path.join(pki, "ca.crt"))
            context.load_cert_chain(os.path.join(pki, "admin.crt"), os.path.join(pki, "admin.key"))
            self._of_thread.connection = _Connection(CONTROL_PLANE, PORT, timeout=30, context=context)
        return self._of_thread.connection

    def _ask(self, target):
        connection = self._connection()
        for is_last in (False, True):  # the server may have closed an idle connection
            try:
                connection.request("GET", target)
                answer = connection.getresponse()
                body = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if is_last:
                    raise Failed(f"{target}: {error}") from error
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Failed(f"{target}: {answer.status} {body[:500]}")
        return json.loads(body)
