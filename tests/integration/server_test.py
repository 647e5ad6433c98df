"""The server as a process: start, readiness, signals, exit codes, log lines, listeners, metrics."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from etcd_process import EtcdError, EtcdProcess, free_ports, server_binary, wait_until  # noqa: E402


def run_server(*args, env=None, cwd=None):
    """One run to its end; for starts that must fail."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCD_")}
    environment.update(env or {})
    with tempfile.TemporaryDirectory() as work:
        return subprocess.run([server_binary(), *args], env=environment, cwd=cwd or work,
                              capture_output=True, text=True, timeout=30, check=False)


def files_below(folder):
    """{path: (mode, time of the last change, size)} of everything in it."""
    found = {}
    for path, folders, files in os.walk(folder):
        for name in folders + files + ["."]:
            info = os.lstat(os.path.join(path, name))
            found[os.path.join(path, name)] = (info.st_mode, info.st_mtime_ns, info.st_size)
    return found


class ServerTest(unittest.TestCase):
    def test_version_comes_first_as_clients_parse_it(self):
        result = run_server("--version")
        self.assertEqual(result.returncode, 0)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "etcd Version: 3.6.16")
        self.assertRegex(lines[1], "^Git SHA: ")

    def test_help_goes_to_stdout_and_usage_to_stderr(self):
        result = run_server("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("--listen-client-urls 'http://localhost:2379'", result.stdout)
        self.assertIn("Usage:", result.stderr)

    def test_exit_codes_tell_usage_from_configuration(self):
        self.assertEqual(run_server("--nope").returncode, 2)
        self.assertEqual(run_server("--max-wals=x").returncode, 2)
        self.assertEqual(run_server("extra").returncode, 1)
        self.assertEqual(run_server("--heartbeat-interval=0").returncode, 1)
        self.assertEqual(run_server("--name=a", env={"ETCD_NAME": "a"}).returncode, 1)

    def test_log_lines_come_in_order(self):
        with EtcdProcess() as etcd:
            etcd.wait_log("successfully notified init daemon")
            messages = [record["msg"] for record in etcd.log_records()]
            expected = ["Running: ", "starting an etcd server", "now serving peer/client/metrics",
                        "published local member to cluster through raft",
                        "ready to serve client requests",
                        "serving client traffic insecurely; this is strongly discouraged!"]
            places = [messages.index(message) for message in expected]
            self.assertEqual(places, sorted(places))

    def test_sigterm_closes_in_order_and_dies_of_the_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with EtcdProcess() as etcd:
                etcd.process.send_signal(number)
                self.assertEqual(etcd.wait_exit(), -number)
                messages = [record["msg"] for record in etcd.log_records()]
                self.assertEqual(messages[-1], "closed etcd server")
                self.assertIn("received signal; shutting down", messages)

    def test_sighup_ends_it_at_once(self):
        with EtcdProcess() as etcd:
            etcd.process.send_signal(signal.SIGHUP)
            self.assertEqual(etcd.wait_exit(), -signal.SIGHUP)

    def test_a_stop_does_not_wait_for_watchers(self):
        with EtcdProcess() as etcd:
            watcher = subprocess.Popen(etcd.etcdctl_command("watch", "--prefix", ""),
                                       env={**os.environ, "ETCDCTL_API": "3"},
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_until(lambda: etcd.metrics().get("etcd_debugging_mvcc_watcher_total") == 1, 60)
                self.assertEqual(etcd.stop(timeout=30), -signal.SIGTERM)
            finally:
                watcher.kill()
                watcher.wait()

    def test_a_second_process_on_the_same_directory_is_refused(self):
        with EtcdProcess() as etcd:
            second = EtcdProcess(data_dir=etcd.data_dir)
            with self.assertRaises(EtcdError) as caught:
                second.start()
            self.assertIn("exited with 1", str(caught.exception))
            second.close()
            self.assertEqual(etcd.etcdctl("put", "a", "b"), "OK\n")

    def test_a_busy_port_is_named_and_nothing_else_happens(self):
        with EtcdProcess() as etcd, socket.socket() as taken:
            etcd.stop()
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            before = files_below(etcd.data_dir)
            for busy in ("--listen-client-urls", "--listen-client-http-urls",
                         "--listen-peer-urls", "--listen-metrics-urls"):
                for data_dir in (etcd.data_dir, etcd.data_dir + "-fresh"):
                    with self.subTest(busy=busy, data_dir=data_dir):
                        command = [arg for arg in etcd.command()[1:]
                                   if not arg.startswith((busy + "=", "--data-dir="))]
                        result = run_server(*command, f"{busy}=http://{address}",
                                            f"--data-dir={data_dir}")
                        self.assertEqual(result.returncode, 1)
                        last = json.loads(result.stderr.splitlines()[-1])
                        self.assertEqual((last["level"], last["msg"], last["error"]), (
                            "fatal", "discovery failed",
                            f"listen tcp {address}: bind: address already in use"))
                self.assertEqual(files_below(etcd.data_dir), before)
                self.assertFalse(os.path.exists(etcd.data_dir + "-fresh"))
            etcd.start()

    def test_the_data_directory_is_private(self):
        with EtcdProcess() as etcd:
            self.assertEqual(os.stat(etcd.data_dir).st_mode & 0o777, 0o700)
            self.assertEqual(os.stat(etcd.data_dir + "/member/wal").st_mode & 0o777, 0o700)

    def test_a_unix_socket_serves_too(self):
        with tempfile.TemporaryDirectory() as work:
            path = work + "/client.sock"
            with EtcdProcess(client_socket=path) as etcd:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(path)
                    client.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    self.assertIn(b"200 OK", client.recv(4096))
                etcd.stop()
                self.assertFalse(os.path.exists(path))

    def test_metrics_urls_serve_metrics_and_health_only(self):
        port = free_ports(1)[0]
        with EtcdProcess(args=[f"--listen-metrics-urls=http://127.0.0.1:{port}"]) as etcd:
            client_port, etcd.client_port = etcd.client_port, port
            self.assertEqual(etcd.http("GET", "/health")[0], 200)
            self.assertEqual(etcd.http("GET", "/metrics")[0], 200)
            self.assertEqual(etcd.http("GET", "/version")[0], 404)
            etcd.client_port = client_port

    def test_separate_http_urls_split_the_protocols(self):
        port = free_ports(1)[0]
        etcd = EtcdProcess(args=[f"--listen-client-http-urls=http://127.0.0.1:{port}"])
        self.addCleanup(etcd.close)
        etcd.start(wait_ready=False)
        etcd.wait_log("ready to serve client requests")
        self.assertEqual(etcd.etcdctl("put", "a", "b"), "OK\n")
        with self.assertRaises(OSError):
            etcd.http("GET", "/version", timeout=60)
        etcd.client_port = port
        self.assertEqual(etcd.http("GET", "/version")[0], 200)

    def test_calls_are_counted_by_method_and_code(self):
        with EtcdProcess() as etcd:
            labels = ('grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}')
            ok = 'grpc_server_handled_total{grpc_code="OK",' + labels
            self.assertEqual(etcd.metrics()[ok], 0)
            etcd.etcdctl("put", "a", "b")
            metrics = etcd.metrics()
            self.assertEqual(metrics[ok], 1)
            self.assertEqual(metrics["grpc_server_started_total{" + labels], 1)
            self.assertEqual(metrics["etcd_debugging_mvcc_keys_total"], 1)
            self.assertEqual(metrics["etcd_debugging_mvcc_current_revision"], 2)
            self.assertEqual(metrics["etcd_server_is_leader"], 1)
            self.assertGreater(metrics["etcd_disk_wal_fsync_duration_seconds_count"], 0)
            self.assertNotIn("grpc_server_handling_seconds_count{" + labels, metrics)

    def test_extensive_metrics_time_the_methods(self):
        with EtcdProcess(args=["--metrics=extensive"]) as etcd:
            etcd.etcdctl("put", "a", "b")
            self.assertEqual(etcd.metrics()[
                'grpc_server_handling_seconds_count{grpc_method="Put",'
                'grpc_service="etcdserverpb.KV",grpc_type="unary"}'], 1)

    def test_ready_is_sent_to_the_service_manager(self):
        with tempfile.TemporaryDirectory() as work:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(work + "/notify")
                manager.settimeout(10)
                with EtcdProcess(env={"NOTIFY_SOCKET": work + "/notify"}):
                    self.assertEqual(manager.recv(64), b"READY=1")

    def test_a_log_file_gets_the_lines(self):
        with tempfile.TemporaryDirectory() as work:
            path = work + "/etcd.log"
            with EtcdProcess(args=["--log-outputs=" + path, "--log-format=console"]) as etcd:
                etcd.stop()
                self.assertEqual(etcd.log(), "")
                with open(path, encoding="utf-8") as log:
                    self.assertTrue(re.search(r"\tinfo\t\S+\tready to serve client requests\n",
                                              log.read()))

    def test_a_journal_that_is_not_there_is_refused(self):
        if os.path.exists("/run/systemd/journal/socket"):
            self.skipTest("there is a journal")
        result = run_server("--log-outputs=systemd/journal")
        self.assertEqual(result.returncode, 1)
        self.assertIn("failed to verify flags", result.stderr)
        self.assertIn("can't find journal (dial unixgram /run/systemd/journal/socket: connect: no "
                      "such file or directory)", result.stderr)

    def test_a_slow_request_is_logged_with_its_sizes_and_without_its_value(self):
        with EtcdProcess(args=["--warning-unary-request-duration=1ns"]) as etcd:
            etcd.etcdctl("put", "foo", "secret")
            wait_until(lambda: any(r["msg"] == "request stats" for r in etcd.log_records()), 60)
            record = next(r for r in etcd.log_records() if r["msg"] == "request stats" and
                          r["response type"] == "/etcdserverpb.KV/Put")
            self.assertEqual(record["level"], "warn")
            self.assertEqual(list(record)[4:], [
                "start time", "time spent", "remote", "response type", "request count",
                "request size", "response count", "response size", "request content"])
            self.assertEqual(record["request content"], 'key:"foo" value_size:6 ')
            self.assertEqual((record["request count"], record["request size"],
                              record["response count"]), (1, 13, 0))
            self.assertRegex(record["remote"], r"^127\.0\.0\.1:\d+$")
            self.assertNotIn("secret", etcd.log())

    def test_reflection_has_a_flag_of_its_own(self):
        def services(etcd):
            with grpc.insecure_channel(etcd.endpoint()) as channel:
                call = channel.stream_stream(
                    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
                return b"".join(call(iter([b"\x3a\x01*"]), timeout=60))  # list_services: "*"

        with EtcdProcess() as etcd:
            with self.assertRaises(grpc.RpcError) as caught:
                services(etcd)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        with EtcdProcess(args=["--enable-grpc-reflection"]) as etcd:
            listed = services(etcd)
            for name in (b"etcdserverpb.KV", b"v3lockpb.Lock",
                         b"grpc.reflection.v1alpha.ServerReflection"):
                self.assertIn(name, listed)

    def test_a_watch_over_http_takes_watchers_while_it_is_answered(self):
        def chunk(text):
            return b"%x\r\n%s\r\n" % (len(text), text)

        with EtcdProcess() as etcd, \
                socket.create_connection(("127.0.0.1", etcd.client_port), timeout=60) as client:
            client.sendall(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n" +
                           chunk(b'{"create_request":{"key":"YQ=="}}'))
            received = b""
            for wanted in (b'"created":true', b'"watch_id":"1"'):
                while wanted not in received:
                    piece = client.recv(65536)
                    self.assertTrue(piece, received)
                    received += piece
                client.sendall(chunk(b'{"create_request":{"key":"Yg=="}}'))

    def test_an_idle_member_is_small(self):
        with EtcdProcess() as etcd:
            self.assertLess(etcd.memory_bytes("RssAnon"), 20_000_000)

    def test_debug_vars_is_json(self):
        with EtcdProcess() as etcd:
            variables = json.loads(etcd.http("GET", "/debug/vars")[2])
            self.assertEqual(variables["raft.status"]["raftState"], "StateLeader")
            self.assertGreater(variables["file_descriptor_limit"], 0)


if __name__ == "__main__":
    unittest.main()
