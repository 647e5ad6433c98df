"""What goes wrong on a real cluster: reported with what to do, and nothing touched on a guess. The first
ones run beside the load of main."""

import contextlib
import json
import os

import objects
from bed import Failed, condition_of
from story import PATIENCE

NOWHERE = "no-such-class"
IMAGE = "localhost/no-such-image"


def standing(bed, name):
    """Records, volumes and what etcd lists: what only a change of membership changes."""
    listed = json.loads(objects.Etcd(bed, name).ctl("member", "list", "-w", "json"))["members"]
    return {**objects_of(bed, name), "listed": sorted(member["ID"] for member in listed)}


def objects_of(bed, name):
    selector = f"etcdpp.dev/cluster={name}"
    return {kind: bed.uids(kind, selector) for kind in ("etcdmembers", "persistentvolumeclaims")}


def followers(story, name):
    status = story.cluster(name)["status"]
    return [m for m in status["members"] if m["name"] != status.get("leader")]


def set_spec(bed, name, **fields):
    bed.kubectl("patch", "etcdcluster", name, "--type=merge", "--patch", json.dumps({"spec": fields}))


def wait_condition(story, name, kind, status, reason, seconds=PATIENCE):
    """The condition's message, and how long it took."""
    def is_so():
        found = condition_of(story.cluster(name), kind)
        return found if (found.get("status"), found.get("reason")) == (status, reason) else None
    found, took = story.bed.wait(f"{name}: {kind} {status} {reason}", is_so, seconds)
    return found.get("message", ""), took


def wait_event(bed, name, reason, *words):
    def is_there():
        return next((m for m in bed.events(name, reason) if all(word in m for word in words)), None)
    message, _ = bed.wait(f"event {reason} of {name} with {words}", is_there, PATIENCE)
    print(f"   {name}: {reason}: {message[:300]}", flush=True)


@contextlib.contextmanager
def cordoned(bed, nodes):
    for node in nodes:
        bed.kubectl("cordon", node)
    try:
        yield
    finally:
        for node in nodes:
            bed.kubectl("uncordon", node)


def quorum_loss(story, bed):
    """Two of three pods go, and their nodes take none; a user asks for more meanwhile."""
    story.step("the quorum is lost: reported, nothing is touched, and back")
    before = standing(bed, "main")
    survivor = story.cluster("main")["status"]["leader"]
    victims = followers(story, "main")

    def action():
        with cordoned(bed, {member["node"] for member in victims}):
            for member in victims:
                bed.kubectl("delete", "pod", member["name"], "--wait=false")
            message, took = wait_condition(story, "main", "Available", "False", "QuorumLost")
            story.figure("a lost quorum reported", took)
            if "EtcdRestore" not in message:
                raise Failed(f"it does not say what to do: {message}")
            wait_event(bed, "main", "QuorumLost", "Nothing is changed")
            set_spec(bed, "main", replicas=5)
            wait_seen(story, "main")
            bed.hold("without a quorum", lambda: (
                objects_of(bed, "main"), bed.get("pods", survivor)["metadata"]["uid"]))
            set_spec(bed, "main", replicas=3)
        return story.wait_settled("main", 3)[1]
    story.figure("all members back after it",
                 story.during("two of three pods cannot run", action, bar=None))
    wait_event(bed, "main", "QuorumRestored")
    expect_standing(bed, before)


def wait_seen(story, name):
    """The operator has looked at the newest spec."""
    def is_seen():
        cluster = story.cluster(name)
        return cluster["status"]["observedGeneration"] == cluster["metadata"]["generation"]
    story.bed.wait(f"{name} seen", is_seen, PATIENCE)


def expect_standing(bed, before):
    now = standing(bed, "main")
    if now != before:
        raise Failed(f"before: {before}\nnow: {now}")


def pause(story, bed):
    """A pod is deleted and five members are wanted: nothing happens until the pause ends."""
    story.step("paused: nothing is done")
    before = standing(bed, "main")
    victim = followers(story, "main")[0]["name"]
    set_spec(bed, "main", paused=True)
    wait_condition(story, "main", "Reconciled", "False", "Paused")
    wait_event(bed, "main", "Paused")

    def action():
        bed.kubectl("delete", "pod", victim, "--wait=false")
        bed.wait(f"{victim} is gone", lambda: not bed.get("pods", victim), PATIENCE)
        set_spec(bed, "main", replicas=5)
        wait_seen(story, "main")
        message, _ = wait_condition(story, "main", "Degraded", "True", "MemberDown")
        print(f"   while paused: {message}", flush=True)
        bed.hold("paused", lambda: (objects_of(bed, "main"), bed.get("pods", victim)))
        set_spec(bed, "main", replicas=3, paused=False)
        return story.wait_settled("main", 3)[1]
    story.figure("all members back after the pause", story.during("paused", action, bar=None))
    expect_standing(bed, before)


def foreign_member(story, bed):
    """A voter by MemberAdd, by hand, that never starts: reported, and not counted as ours."""
    story.step("a member that is not ours")
    before = standing(bed, "main")
    etcd = objects.Etcd(bed, "main")
    # etcd takes it when all members have been connected for five seconds.
    bed.wait("MemberAdd", lambda: "added to cluster" in etcd.ctl(
        "member", "add", "stranger", "--peer-urls=http://198.18.255.254:12380"), PATIENCE)
    wait_condition(story, "main", "Degraded", "True", "UnexpectedMember")
    wait_event(bed, "main", "UnexpectedMember", "198.18.255.254:12380")
    set_spec(bed, "main", replicas=5)
    wait_seen(story, "main")
    bed.hold("with a member that is not ours", lambda: objects_of(bed, "main"), 5)
    set_spec(bed, "main", replicas=3)
    (stranger,) = set(standing(bed, "main")["listed"]) - set(before["listed"])
    etcd.ctl("member", "remove", f"{stranger:x}")
    story.wait_settled("main", 3)
    expect_standing(bed, before)


def drains(story, bed):
    """The budget lets one member go, and no second one before the first is back."""
    story.step("a node is drained, a second one is not")
    before = standing(bed, "main")
    members = story.cluster("main")["status"]["members"]
    nodes = [member["node"] for member in members]
    first = next(member for member in members if nodes.count(member["node"]) == 1)
    second = next(member for member in members if member["node"] != first["node"])

    def action():
        with cordoned(bed, {first["node"], second["node"]}):
            drain(bed, first["node"])
            wait_condition(story, "main", "Degraded", "True", "MemberDown")
            uid = bed.get("pods", second["name"])["metadata"]["uid"]
            try:
                drain(bed, second["node"])
            except Failed as refusal:
                if "disruption budget" not in str(refusal):
                    raise
            else:
                raise Failed("a second member was evicted")
            if bed.get("pods", second["name"])["metadata"]["uid"] != uid:
                raise Failed(f"{second['name']} was evicted")
        return story.wait_settled("main", 3)[1]
    story.figure("all members back after it",
                 story.during(f"{first['node']} drained", action))
    expect_standing(bed, before)


def drain(bed, node):
    bed.kubectl("drain", node, "--pod-selector=etcdpp.dev/cluster=main", "--delete-emptydir-data",
                "--timeout=20s")


# ---- Clusters of their own.

def made_cluster(bed, name, **spec):
    bed.apply(objects.made("EtcdCluster", name, spec))


def retention(story, bed):
    """Volumes of members that leave are kept, those of the deleted cluster go; its NetworkPolicy."""
    story.step("volumes: kept of members that leave, deleted with their cluster")
    selector = "etcdpp.dev/cluster=kept"
    client = {"namespaceSelector": {"matchLabels": {"team": "payments"}}}
    made_cluster(bed, "kept", replicas=3, networkPolicy={"enabled": True, "clientFrom": [client]},
                 storage={"pvcRetention": {"whenRemoved": "Retain", "whenDeleted": "Delete"}})
    story.wait_settled("kept", 3)
    network_policy(story, bed, client)
    volumes = bed.uids("persistentvolumeclaims", selector)
    bed.kubectl("scale", "etcdcluster/kept", "--replicas=1")
    story.wait_settled("kept", 1)
    detached = bed.uids("persistentvolumeclaims", selector + ",etcdpp.dev/detached=true")
    now = bed.uids("persistentvolumeclaims", selector)
    if now != volumes or len(detached) != 2:
        raise Failed(f"volumes were {volumes}, are {now}, detached: {detached}")
    bed.kubectl("scale", "etcdcluster/kept", "--replicas=3")
    story.wait_settled("kept", 3)
    now = bed.uids("persistentvolumeclaims", selector)
    if len(now) != 5 or not volumes.items() <= now.items():
        raise Failed(f"volumes of members that had left were used again: {volumes}, now {now}")
    story.remove("kept", keeps_volumes=False)
    print(f"   kept and never used again: {sorted(detached)}", flush=True)


def network_policy(story, bed, client):
    policy = bed.get("networkpolicies", "kept")
    rules = [({port["port"] for port in rule["ports"]}, rule.get("from", []))
             for rule in policy["spec"]["ingress"]]
    own = {"podSelector": {"matchLabels": {"etcdpp.dev/cluster": "kept"}}}
    peers = next(sources for ports, sources in rules if ports == {2380})
    clients = next(sources for ports, sources in rules if ports == {2379})
    if peers != [own] or own not in clients or client not in clients or len(clients) != 4:
        raise Failed(f"NetworkPolicy: {policy['spec']}")
    set_spec(bed, "kept", networkPolicy={"enabled": False, "clientFrom": None})
    bed.wait("no NetworkPolicy", lambda: not bed.get("networkpolicies", "kept"), PATIENCE)
    print(f"   NetworkPolicy: ports and sources {rules}; gone when switched off", flush=True)


def unbound_volume(story, bed):
    story.step("a StorageClass that does not exist")
    made_cluster(bed, "unbound", replicas=3, storage={"className": NOWHERE})
    message, _ = wait_condition(story, "unbound", "StorageReady", "False", "Pending")
    print(f"   {message}", flush=True)
    bed.wait("StorageReady names the class", lambda: NOWHERE in condition_of(
        story.cluster("unbound"), "StorageReady")["message"], PATIENCE)
    wait_event(bed, "unbound", "MemberFailed", NOWHERE)
    expect_only_a_seed(story, bed, "unbound")


def wrong_image(story, bed):
    story.step("an image that does not exist")
    made_cluster(bed, "unfound", replicas=3, image={"repository": IMAGE, "tag": "v0"})
    message, _ = wait_condition(story, "unfound", "Degraded", "True", "MemberDown")
    print(f"   {message}", flush=True)
    wait_event(bed, "unfound", "MemberFailed", IMAGE, "spec.image")
    expect_only_a_seed(story, bed, "unfound")


def expect_only_a_seed(story, bed, name):
    available = condition_of(story.cluster(name), "Available")
    members = bed.uids("etcdmembers", f"etcdpp.dev/cluster={name}")
    if len(members) != 1 or (available["status"], available["reason"]) != ("False", "Bootstrapping"):
        raise Failed(f"{name}: members {members}, {available}")
    story.remove(name)


# ---- Backups.

def backup_troubles(story, bed, cluster, s3):
    """Wrong credentials, and a stored backup with one byte altered."""
    story.step("wrong credentials, an altered backup")
    wrong_credentials(bed, cluster)
    artifact = story.back_up("fine", cluster)
    alter(s3, os.path.basename(artifact["uri"]))
    bed.apply(objects.restore("from-altered", "fine", "never", {"replicas": 1}))
    failed = wait_failed(bed, "etcdrestores", "from-altered")
    wait_event(bed, "from-altered", "RestoreFailed")
    # By its digest, or already when it is unpacked.
    if not any(word in failed["message"] for word in ("SHA-256", "damaged")):
        raise Failed(f"it does not say that the backup was altered: {failed['message']}")
    if (bed.get("etcdclusters", "never") or {}).get("status", {}).get("clusterID"):
        raise Failed("a cluster was made of an altered backup")
    if bed.get("etcdclusters", "never"):
        story.remove("never")


def wrong_credentials(bed, cluster):
    place = objects.s3()
    place["s3"]["credentialsSecretRef"] = {"name": "wrong"}
    keys = {**objects.S3_KEYS, "AWS_SECRET_ACCESS_KEY": "another"}
    bed.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong"},
               "stringData": keys})
    backup = objects.backup("denied", cluster, place)
    backup["spec"]["retries"] = 0
    bed.apply(backup)
    wait_failed(bed, "etcdbackups", "denied")
    wait_event(bed, "denied", "BackupFailed", "credentials")


def wait_failed(bed, kind, name):
    """Its status."""
    def ended():
        status = (bed.get(kind, name) or {}).get("status", {})
        return status if status.get("phase") in ("Completed", "Failed") else None
    status, _ = bed.wait(f"{kind} {name} fails", ended, PATIENCE)
    if status["phase"] != "Failed":
        raise Failed(f"{kind} {name}: {status}")
    ready = condition_of({"status": status}, "Ready")
    if ready.get("status") != "False" or not ready.get("message"):
        raise Failed(f"{kind} {name}: {status}")
    print(f"   {name}: {status['message']}", flush=True)
    return status


def alter(s3, name):
    """One byte in the middle of what is stored under this name."""
    (path,) = [os.path.join(s3.folder, stored) for stored in s3.files()
               if os.path.basename(stored) == name]
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
