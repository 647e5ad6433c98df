#!/usr/bin/env python3
"""The same plain HTTP and gateway requests to our server and to real etcd 3.6: status, body (JSON as
a value) and the listed headers must be equal.

    http_surface_test.py [--peer BINARY]
"""

import base64
import http.client
import json
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import peers  # noqa: E402
from etcd_process import EtcdProcess, wait_until  # noqa: E402

HEADERS = ("content-type", "allow", "location", "x-content-type-options",
           "grpc-metadata-content-type", "access-control-allow-methods",
           "access-control-allow-origin", "access-control-allow-headers")

# Fields whose value differs from server to server or from moment to moment.
FREE = {"cluster_id", "member_id", "raft_term", "raftTerm", "raftIndex", "raftAppliedIndex",
        "leader", "dbSize", "dbSizeInUse", "ID", "memberID", "clientURLs", "peerURLs"}


def b64(text):
    return base64.b64encode(text).decode()


K = b64(b"k")
PLAIN = [(m, p, None) for p in ("/version", "/health", "/livez", "/readyz", "/nothing", "/", "/v3",
                                "/v3/", "/v3/nothing", "/v3alpha/kv/range", "/v3/kv/range/",
                                "/v3/kv/range:x", "/v2/keys/a", "/debug/pprof/",
                                "/livez/serializable_read", "/livez/nothing", "/readyz/",
                                "/readyz/data_corruption", "/readyz/linearizable_read",
                                "/readyz/non_learner", "/readyz/serializable_read",
                                "/health?serializable=true", "/health?exclude=NOSPACE",
                                "/livez?exclude=serializable_read", "/readyz?exclude=nothing",
                                "/health/", "/version/")
         for m in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")]
PLAIN += [("GET", "/v3/kv/range", None), ("PUT", "/v3/kv/put", "{}"),
          ("HEAD", "/v3/kv/range", None), ("OPTIONS", "/v3/kv/range", None)]

# (path, body) of POST, one after the other on the same state.
GATEWAY = [
    ("/v3/kv/put", {"key": K, "value": K}),
    ("/v3beta/kv/put", {"key": K, "value": b64(b"two")}),
    ("/v3/kv/put", {"key": K, "value": K, "prev_kv": True}),
    ("/v3/kv/put", {"key": K, "value": K, "prevKv": True}),
    ("/v3/kv/put", {"value": K}),
    ("/v3/kv/put", {"key": K, "lease": "99"}),
    ("/v3/kv/put", {"key": K, "lease": 1.5}),
    ("/v3/kv/put", {"key": K, "prev_kv": "true"}),
    ("/v3/kv/put", {"key": K, "prev_kv": 1}),
    ("/v3/kv/put", {"key": "a-_b", "value": "a+/b"}),
    ("/v3/kv/put", {"key": "YQ", "value": "YQ=="}),
    ("/v3/kv/put", {"key": "Y", "value": ""}),
    ("/v3/kv/put", {"key": "!!", "value": ""}),
    ("/v3/kv/put", {"key": 5}),
    ("/v3/kv/range", {"key": K}),
    ("/v3/kv/range", {"key": K, "range_end": None}),
    ("/v3/kv/range", {"key": K, "unknown": {"a": [1]}}),
    ("/v3/kv/range", {"key": "AA==", "range_end": "AA==", "sort_order": "DESCEND"}),
    ("/v3/kv/range", {"key": "AA==", "range_end": "AA==", "sort_order": "descend"}),
    ("/v3/kv/range", {"key": "AA==", "range_end": "AA==", "sort_order": 2}),
    ("/v3/kv/range", {"key": "AA==", "range_end": "AA==", "sort_order": 9}),
    ("/v3/kv/range", {"key": "AA==", "range_end": "AA==", "sort_order": "2"}),
    ("/v3/kv/range", {"key": "AA==", "rangeEnd": "AA==", "limit": "1"}),
    ("/v3/kv/range", {"key": "AA==", "range_end": "AA==", "limit": 1.0}),
    ("/v3/kv/range", '{"key":"AA==","range_end":"AA==","rangeEnd":"AA=="}'),
    ("/v3/kv/range", '{"key":"aw==","key":"aw=="}'),
    ("/v3/kv/range", '{"key":"aw==","limit":1e0}'),
    ("/v3/kv/range", '{"key":"aw==","limit":9223372036854775808}'),
    ("/v3/kv/range", '{"key":"aw=="} trailing'),
    ("/v3/kv/range", '{"key":"aw=="'),
    ("/v3/kv/range", ""), ("/v3/kv/range", "null"), ("/v3/kv/range", "[]"),
    ("/v3/kv/range", '"a"'), ("/v3/kv/range", "{}"), ("/v3/kv/range", "nonsense"),
    ("/v3/kv/range", {"key": K, "revision": "999"}),
    ("/v3/kv/txn", {"compare": [{"key": K, "target": "VERSION", "result": "GREATER",
                                 "version": "1"}],
                    "success": [{"request_range": {"key": K}}], "failure": []}),
    ("/v3/kv/txn", {"success": [{"request_put": {"key": K, "value": K}},
                                {"request_delete_range": {"key": b64(b"none")}}]}),
    ("/v3/kv/txn", {"success": [{"request_range": {"key": K}, "request_put": {"key": K}}]}),
    ("/v3/kv/txn", {"success": [{}]}),
    ("/v3/kv/txn", {}),
    ("/v3/kv/deleterange", {"key": "YQ==", "prev_kv": True}),
    ("/v3/kv/deleterange", {}),
    ("/v3/kv/compaction", {"revision": "3"}),
    ("/v3/kv/compaction", {"revision": "3"}),
    ("/v3/kv/compaction", {"revision": "9999"}),
    ("/v3/lease/grant", {"TTL": "100", "ID": "7"}),
    ("/v3/lease/grant", {"TTL": 100, "ID": 7}),
    ("/v3/lease/grant", {"TTL": "100", "id": "8", "ID": "9"}),
    ("/v3/lease/timetolive", {"ID": "404"}),
    ("/v3/kv/lease/timetolive", {"ID": "404"}),
    ("/v3/lease/leases", {}), ("/v3/kv/lease/leases", {}),
    ("/v3/lease/keepalive", {"ID": "7"}),
    ("/v3/lease/keepalive", '{"ID":"7"}{"ID":"404"}'),
    ("/v3/lease/keepalive", ""), ("/v3/lease/keepalive", '{"ID":'),
    ("/v3/lease/revoke", {"ID": "7"}), ("/v3/kv/lease/revoke", {"ID": "7"}),
    ("/v3/cluster/member/list", {}),
    ("/v3/maintenance/status", {}),
    ("/v3/maintenance/alarm", {"action": "ACTIVATE", "memberID": "5", "alarm": "CORRUPT"}),
    ("/v3/kv/put", {"key": K, "value": K}),
    ("/v3/maintenance/alarm", {"action": "GET"}),
    ("/v3/maintenance/status", {}),
    ("/v3/maintenance/alarm", {"action": "DEACTIVATE", "memberID": "5", "alarm": "CORRUPT"}),
    ("/v3/maintenance/defragment", {}),
    ("/v3/maintenance/hashkv", {}),
    # Not /v3/maintenance/hash: it hashes the members' ids too, which differ between two clusters.
]


def scrub(value):
    """The value without what may differ."""
    if isinstance(value, dict):
        return {k: "*" if k in FREE else scrub(v) for k, v in value.items()}
    return [scrub(v) for v in value] if isinstance(value, list) else value


def body_of(data):
    """A JSON value, one per line for streams, else the text."""
    text = data.decode("utf-8", "replace")
    try:
        if text.count("\n") > 1:
            return [scrub(json.loads(line)) for line in text.splitlines()]
        return scrub(json.loads(text))
    except ValueError:
        return text


def seen(etcd, method, path, body):
    if isinstance(body, dict):
        body = json.dumps(body)
    status, headers, data = etcd.http(method, path, body)
    lower = {k.lower(): v for k, v in headers.items()}
    parsed = body_of(data)
    # Texts of the parser are the library's.
    if status == 400 and isinstance(parsed, dict) and parsed.get("code") == 3 \
            and not str(parsed.get("message")).startswith("etcdserver:"):
        parsed["message"] = "*"
    return {"status": status, "headers": {h: lower.get(h) for h in HEADERS}, "body": parsed}


def first_lines(etcd, path, body, count):
    """Status, headers and the first `count` objects of a stream that stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", etcd.client_port, timeout=60)
    try:
        connection.request("POST", path, body=body)
        response = connection.getresponse()
        headers = {k.lower(): v for k, v in response.getheaders()}
        lines = [scrub(json.loads(response.readline())) for _ in range(count)]
        return response.status, {h: headers.get(h) for h in HEADERS}, lines
    finally:
        connection.close()


class HttpSurfaceTest(unittest.TestCase):
    peer = None

    def setUp(self):
        self.ours = EtcdProcess().start()
        self.theirs = EtcdProcess(binary=self.peer).start()
        for etcd in (self.ours, self.theirs):
            self.assertTrue(wait_until(
                lambda e=etcd: b'"storage":"3.6.0"' in e.http("GET", "/version")[2], 10))

    def tearDown(self):
        self.ours.close()
        self.theirs.close()

    def compare(self, requests):
        wrong = []
        for method, path, body in requests:
            ours = seen(self.ours, method, path, body)
            theirs = seen(self.theirs, method, path, body)
            if ours != theirs:
                wrong.append(f"{method} {path} {body}\n  ours   {ours}\n  theirs {theirs}")
        self.assertFalse(wrong, f"{len(wrong)} differ\n" + "\n".join(wrong))

    def test_plain_http(self):
        self.compare(PLAIN)

    def test_watch(self):
        self.compare([("POST", "/v3/kv/put", {"key": K, "value": K})])
        for body in ('{"create_request":{"key":"aw==","start_revision":"1"}}',
                     '{"create_request":{"key":"aw==","range_end":"YQ=="}}',
                     '{"create_request":{"key":"aw==","start_revision":"-5"}}',
                     '{"createRequest":{"key":"aw==","filters":["NOPUT"],"watch_id":"7"}}',
                     '{"create_request":{"key":"aw=="}} {"cancel_request":{"watch_id":"0"}}'):
            lines = 1 if "NOPUT" in body or "range_end" in body else 2
            if "-5" in body:
                lines = 1
            with self.subTest(body=body):
                self.assertEqual(first_lines(self.ours, "/v3/watch", body, lines),
                                 first_lines(self.theirs, "/v3/watch", body, lines))

    def test_gateway(self):
        self.compare([("POST", path, body) for path, body in GATEWAY])


if __name__ == "__main__":
    peers.run_tests(HttpSurfaceTest)
