"""A cluster of real processes, of our members, Go's, or both, and a load that judges what it is
told.

    with Cluster(["ours", "v36", "ours"]) as cluster, ClusterLoad(cluster) as load:
        cluster.leader().kill()
        ...
        load.finish()                  # everything acknowledged is there, all members agree

Members listen on loopback with ports from the kernel, or, with a Network (network.py), each in a
namespace of its own, so that they can be cut off from each other.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time

import peers
from etcd_process import EtcdError, EtcdProcess, Started, free_ports, server_binary, wait_until

CLIENT = os.environ.get("CLUSTER_CLIENT") or os.path.join(
    os.path.dirname(server_binary()), "cluster_client")

ALTER_VALUE = os.environ.get("ALTER_VALUE") or os.path.join(
    os.path.dirname(server_binary()), "alter_value")


class Member(EtcdProcess):
    """One member; `version` is "ours" or Go's, as in peers.binary."""

    def __init__(self, cluster, name, version, host=None, **options):
        network = {"host": host.address, "wrapper": host.wrapper} if host else {}
        super().__init__(binary=peers.binary(version), name=name, **network, **options)
        self.cluster = cluster
        self.version = version
        self.net = host
        self.client_port, self.peer_port = (2379, 2380) if host else free_ports(2)
        self.joins = False

    def command(self):
        state = "existing" if self.joins else "new"
        members = ",".join(f"{m.name}={m.peer_url()}" for m in self.cluster.members)
        return super().command() + [f"--initial-cluster={members}",
                                    f"--initial-cluster-state={state}"]

    def status(self, timeout=3.0):
        """What Maintenance.Status says, or None: the member does not answer."""
        try:
            code, answer = self.gateway("/v3/maintenance/status", {}, timeout=timeout)
            return answer if code == 200 else None
        except (OSError, ValueError):
            return None
        except Exception as error:  # http.client's, of a connection that broke half-way
            if error.__class__.__module__ == "http.client":
                return None
            raise

    def alter_value(self, key):
        """Of the stopped member: one byte of the newest value, under valid checksums."""
        subprocess.run([ALTER_VALUE, self.data_dir, key], check=True)

    def member_id(self):
        return self.status()["header"]["member_id"]

    def whole_log(self):
        """Of all starts."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()


class Cluster(Started):
    """members    "ours", "v34", ...: one for each member
    network       a Network, or None: loopback
    args, env     of all members
    """

    def __init__(self, members, network=None, args=(), env=None):
        self.network = network
        self.args = list(args)
        self.env = dict(env or {})
        self.members = []
        self._next = 0
        for version in members:
            self.members.append(self._new_member(version))

    def _new_member(self, version):
        name = f"m{self._next}"
        self._next += 1
        host = self.network.add_host() if self.network else None
        return Member(self, name, version, host, args=self.args, env=self.env)

    # ---- Life cycle.

    def start(self, timeout=90.0):
        for member in self.members:
            member.start(wait_ready=False)
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=30.0):
        """All members that run serve, and agree on a leader."""
        deadline = time.monotonic() + timeout
        for member in self.running():
            member.wait_ready(max(0.1, deadline - time.monotonic()))
        self.leader(max(0.1, deadline - time.monotonic()))

    def running(self):
        return [member for member in self.members if member.running()]

    def close(self):
        for member in self.members:
            member.close()

    # ---- What it is like.

    def leader(self, timeout=60.0, among=None):
        """The member that most of the cluster follow in the newest term."""
        found = []

        def agreed():
            votes = {}
            for member in among or self.running():
                status = member.status()
                if status and status.get("leader", "0") != "0":
                    votes.setdefault((int(status["raftTerm"]), status["leader"]), []).append(
                        (member, status["header"]["member_id"]))
            if not votes:
                return False
            (_, leader), voters = max(votes.items(), key=lambda vote: vote[0][0])
            found[:] = [m for m, member_id in voters if member_id == leader]
            return bool(found) and 2 * len(voters) > len(self.members)
        if not wait_until(agreed, timeout):
            raise EtcdError("no leader\n" + "\n".join(
                f"{m.name} ({m.version}): {m.status()}\n{m.log_tail(15)}" for m in self.running()))
        return found[0]

    def followers(self):
        leader = self.leader()
        return [member for member in self.running() if member is not leader]

    def endpoints(self):
        return ",".join(member.endpoint() for member in self.members)

    def hashes(self):
        """HashKV of each member at the newest revision, by name; waits until all have applied it."""
        revision = self.leader().status()["header"]["revision"]

        def everywhere():
            statuses = [member.status() for member in self.running()]
            return all(s and int(s["header"]["revision"]) >= int(revision) for s in statuses)
        if not wait_until(everywhere, 60):
            raise EtcdError(f"not all members have revision {revision}")
        out = {}
        for member in self.running():
            answer = json.loads(member.etcdctl("endpoint", "hashkv", "-w", "json",
                                               f"--rev={revision}"))[0]["HashKV"]
            out[member.name] = (answer["hash"], answer.get("compact_revision", 0))
        return out

    def expect_equal_hashes(self, timeout=90.0):
        """Of what each member has at the newest revision, when all have compacted to the same one.
        Nobody may write meanwhile (ClusterLoad.paused): the members are asked one after the other."""
        found = {}

        def comparable():
            found.clear()
            found.update(self.hashes())
            return len({compacted for _, compacted in found.values()}) == 1
        if not wait_until(comparable, timeout) or len(set(found.values())) != 1:
            raise EtcdError(f"members differ (hash, compacted): {found}")

    def version(self):
        """The cluster version that each running member has decided on, e.g. {"3.6.0"}."""
        return {json.loads(m.http("GET", "/version")[2])["etcdcluster"] for m in self.running()}

    # ---- Membership, by etcdctl on a member that stays.

    def add(self, version, learner=False, start=True):
        """A new member, started on an empty directory; a learner until promote()."""
        member = self._new_member(version)
        member.joins = True
        # Refused until the leader has been connected to all members for some seconds.
        self._retry(lambda: self.leader().etcdctl_result(
            "member", "add", member.name, "--peer-urls=" + member.peer_url(),
            *(["--learner"] if learner else [])))
        self.members.append(member)
        if start:
            member.start(wait_ready=not learner)
        return member

    def promote(self, member, timeout=60.0):
        """When the learner has caught up."""
        wait_until(lambda: member.status() is not None, timeout)
        self._retry(lambda: self.leader().etcdctl_result("member", "promote", self.id_of(member)),
                    timeout)

    def remove(self, member):
        helper = next(m for m in self.running() if m is not member)
        self._retry(lambda: helper.etcdctl_result("member", "remove", self.id_of(member)))
        self.members.remove(member)
        member.kill()

    def _retry(self, command, timeout=60.0):
        """Until the command succeeds; for what is refused while the cluster is not healthy yet."""
        last = []

        def succeeds():
            last[:] = [command()]
            return last[0].returncode == 0
        if not wait_until(succeeds, timeout):
            raise EtcdError(last[0].stderr + "\n".join(
                f"{m.name} ({m.version}):\n{m.log_tail(15)}" for m in self.members))

    def id_of(self, member):
        """In hexadecimal, as etcdctl wants it."""
        helper = next(m for m in self.running() if m is not member)
        listed = json.loads(helper.etcdctl("member", "list", "-w", "json"))["members"]
        found = [m["ID"] for m in listed if m["peerURLs"] == [member.peer_url()]]
        return f"{found[0]:x}"

    def move_leader(self, member):
        leader = self.leader()
        if leader is not member:
            leader.etcdctl("move-leader", self.id_of(member))
        if self.leader() is not member:
            raise EtcdError(f"{member.name} does not lead")


class Wrong(Exception):
    """The load was told something that breaks a promise of the API."""


class ClusterLoad:
    """Writers, readers and watches on all members until finish(), which judges all that they were
    told: see tests/integration/cluster/main.cc. Options are its flags."""

    def __init__(self, cluster, endpoints=None, compact=False, progress=False, **options):
        self.cluster = cluster
        flags = [f"--{key}={value}" for key, value in options.items()]
        flags += ["--compact"] if compact else []
        flags += ["--progress"] if progress else []
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [CLIENT, endpoints or cluster.endpoints(), *flags], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors, bufsize=0)

    def mark(self):
        self._ask("mark")

    def report(self):
        """Since mark(): writes, reads, longest_gap_ms, slowest_ms, errors by text."""
        return json.loads(self._ask("report"))

    def use_endpoints(self, members=None):
        """After the members of the cluster changed, or to talk to some of them only."""
        chosen = self.cluster.members if members is None else members
        self._ask("endpoints " + ",".join(member.endpoint() for member in chosen))

    def wait_writes(self, count=200, timeout=60.0):
        """Until so many more writes were acknowledged."""
        wanted = self.report()["writes"] + count
        if not wait_until(lambda: self.report()["writes"] >= wanted, timeout):
            raise EtcdError(f"no writes: {self.report()}\n" + "\n".join(
                f"{m.name}: {m.status()}\n{m.log_tail(10)}" for m in self.cluster.running()))

    def pause(self):
        """Clients stand still, their connections stay; resume() before anything else is asked."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self):
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def finish(self, timeout=180.0):
        """Its verdict: {"head": revision, "checked": operations}; raises Wrong."""
        return json.loads(self._ask("stop", timeout))

    def _ask(self, command, timeout=60.0):
        try:
            self._process.stdin.write(command.encode() + b"\n")
        except BrokenPipeError:
            pass  # it has said why
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            raise EtcdError(f"the load does not answer {command!r}")
        answer = self._process.stdout.readline().decode()
        if answer.startswith("WRONG") or not answer:
            self._errors.seek(0)
            raise Wrong(answer + self._errors.read())
        return answer

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
