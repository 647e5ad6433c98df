"""What the whole story has beyond the short one."""

import os
import re
import sys
import tempfile
import threading

import yaml

import faults
import objects
from bed import HERE, ROOT, Failed, condition_of, run
from prometheus import Prometheus, program
from story import PATIENCE, SYSTEM, S3Server

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import peers  # noqa: E402

UPSTREAM = "localhost/upstream-etcd"
UPSTREAM_TAG = "v3.6.16"
CRDS = os.path.join(os.path.dirname(HERE), "crds")
_folder = tempfile.TemporaryDirectory(prefix="etcd-e2e-")


def archives():
    """The image of Go's etcd: one binary, and the C library of this machine where it wants one."""
    program()
    out = os.path.join(_folder.name, "upstream.tar")
    binary = peers.binary("v36")
    listed = run("ldd", binary, check=False).stdout
    libraries = re.findall(r"(/\S+) \(0x", listed)
    run(sys.executable, os.path.join(os.path.dirname(HERE), "testbed", "scratch_image.py"),
        f"{UPSTREAM}:{UPSTREAM_TAG}", binary, "/usr/local/bin/etcd", out, *libraries)
    return [out]


def run_all(story, bed):
    """Where the short story has come to its end: clusters main, with its load, and copy."""
    story.step("a cluster is deleted: its volumes stay")
    story.remove("copy")
    with Prometheus(bed) as prometheus:
        story.step("Prometheus")
        prometheus.expect_members("main", 3)
        story.step("the operator killed in the middle of everything")
        for members in (5, 3, 1, 3):
            operator_killed(story, bed, lambda m=members: story.scale("main", m, bar=None))
            prometheus.expect_members("main", members)
        operator_killed(story, bed, lambda: story.delete_a_pod("main", leader=False))
        prometheus.expect_members("main", 3)
        story.step("a node is killed, and back")
        operator_killed(story, bed, lambda: lose_a_node(story, bed, prometheus))
        prometheus.expect_members("main", 3)
        helm_after_scale(story, bed)
        faults.quorum_loss(story, bed)
        faults.pause(story, bed)
        faults.drains(story, bed)
        faults.foreign_member(story, bed)
        prometheus.expect_members("main", 3)
        with S3Server(bed) as s3:
            schedules(story, bed)
            story.step("nothing that was acknowledged is missing")
            story.end_load()
            another_name(story, bed, s3, prometheus)
        upstream(story, bed, prometheus)
    refusals(story, bed)
    faults.retention(story, bed)
    faults.unbound_volume(story, bed)
    faults.wrong_image(story, bed)


def operator_killed(story, bed, action):
    """All its pods, without notice, a while after the action began."""
    def kill():
        for pod in story.operator_pods():
            run_quietly(bed, "delete", "pod", pod["metadata"]["name"], "--namespace", SYSTEM,
                        "--grace-period=0", "--force")
    timer = threading.Timer(2.0, kill)
    timer.start()
    try:
        action()
    finally:
        timer.join()


def run_quietly(bed, *args):
    try:
        bed.kubectl(*args)
    except Failed as failure:
        print(f"   {failure}", flush=True)


def lose_a_node(story, bed, prometheus):
    """The node of a member that does not lead, so that it is the node that is looked at."""
    status = story.cluster("main")["status"]
    member = next(m for m in status["members"] if m["name"] != status.get("leader"))
    number = member["node"][-1]

    def action():
        bed.node("kill-node", number)
        _, noticed = bed.wait(
            "Degraded", lambda: condition_of(story.cluster("main"), "Degraded").get("status") == "True",
            PATIENCE)
        story.figure(f"{member['node']} lost and noticed", noticed)
        bed.wait("Kubernetes gives the node up", lambda: condition_of(
            bed.get("nodes", member["node"]), "Ready").get("status") != "True", PATIENCE)
        prometheus.expect_up("main", [m["name"] for m in status["members"] if m != member])
        bed.node("start-node", number)
        return story.wait_settled("main", 3)[1]
    story.figure("the node back, all members Ready",
                 story.during(f"{member['node']} killed and back", action, bar=None))


def helm_after_scale(story, bed):
    story.step("helm upgrade does not undo kubectl scale")
    story.scale("main", 5)
    bed.helm("upgrade", "main", os.path.join(ROOT, "charts/etcd-cluster"), "--reuse-values",
             "--set", "labels.upgraded=yes,test.image=localhost/etcd:dev")
    if story.cluster("main")["spec"]["replicas"] != 5:
        raise Failed("helm upgrade scaled the cluster")
    story.scale("main", 3)


def claim(name):
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}


def schedules(story, bed):
    """Every minute to S3 and to a volume, until three of each are there."""
    story.step("backups on schedule, to S3 and to a volume")
    bed.apply(claim("backups"))
    places = {"to-s3": objects.s3(), "to-pvc": {"pvc": {"claimName": "backups", "path": "main"}}}
    bed.apply(*[objects.made("EtcdBackupSchedule", name, {
        "clusterRef": {"name": "main"}, "schedule": "* * * * *",
        "template": {"destination": place}, "retention": {"keepLast": 5},
        "successfulHistoryLimit": 5}) for name, place in places.items()])

    def verified(schedule):
        return [b for b in bed.list("etcdbackups") if b["metadata"]["name"].startswith(schedule + "-")
                and condition_of(b, "Verified").get("status") == "True"
                and b["status"].get("phase") == "Completed"]
    for schedule in places:
        bed.wait(f"three backups of {schedule}", lambda s=schedule: len(verified(s)) >= 3, 600)
        print(f"   {schedule}: {[b['metadata']['name'] for b in verified(schedule)]}", flush=True)
        bed.kubectl("delete", "etcdbackupschedule", schedule)


def another_name(story, bed, s3, prometheus):
    """The cluster is deleted; its last backup becomes two others: with the default bump, and as it
    was."""
    story.step("the charts' own tests")
    bed.helm("test", "main")
    bed.helm("test", "etcd-operator", "--namespace", SYSTEM)
    story.step("the cluster is deleted and restored from S3 under other names")
    source = objects.Etcd(bed, "main")
    content = source.content()
    artifact = story.back_up("last", "main")
    revision = int(artifact["revision"])
    hashes = source.hashes(revision)
    volumes = bed.uids("persistentvolumeclaims", "etcdpp.dev/cluster=main")
    bed.helm("uninstall", "main")
    bed.wait("main is gone", lambda: not story.cluster("main") and not bed.list(
        "pods", "etcdpp.dev/cluster=main"), PATIENCE)
    if bed.uids("persistentvolumeclaims", "etcdpp.dev/cluster=main") != volumes:
        raise Failed("volumes of the deleted cluster are gone")
    story.drop_volumes("main")
    prometheus.expect_members("main", 0)
    bed.apply(objects.restore("reborn", "last", "reborn", {"replicas": 3}),
              objects.restore("twin", "last", "twin", {"replicas": 3}, bumpRevision=0,
                              markCompacted=False))
    for name in ("reborn", "twin"):
        story.wait_restored(name, name, 3)
        prometheus.expect_members(name, 3)
        if objects.Etcd(bed, name).content() != content:
            raise Failed(f"{name} has other keys or values")
    head = int(objects.Etcd(bed, "reborn").revision())
    if head < revision + 1_000_000_000:
        raise Failed(f"revision {head} after the restore of {revision}")
    twins = objects.Etcd(bed, "twin").hashes(revision)
    if twins != hashes or len(hashes) != 1:
        raise Failed(f"HashKV at revision {revision}: {hashes}, restored: {twins}")
    print(f"   {len(content)} keys; raised: revision {revision} -> {head}; not raised: HashKV "
          f"{hashes} as before; {len(s3.files())} files in the bucket", flush=True)
    story.remove("twin")
    faults.backup_troubles(story, bed, "reborn", s3)
    story.remove("reborn")


def refusals(story, bed):
    """One for each kind, with its sentence; all of them are in ../crds."""
    story.step("invalid specs are refused with a sentence")
    with open(os.path.join(CRDS, "refusals.yaml"), encoding="utf-8") as file:
        cases = yaml.safe_load(file)
    with open(os.path.join(CRDS, "bases.yaml"), encoding="utf-8") as file:
        bases = yaml.safe_load(file)
    seen = set()
    for case in cases:
        if case["kind"] in seen or "then" in case or "name" in case or "spec" not in case:
            continue
        seen.add(case["kind"])
        spec = {**bases[case["kind"]], **case["spec"]}
        try:
            bed.apply(objects.made(case["kind"], "refused", spec))
        except Failed as failure:
            if case["says"] not in str(failure):
                raise
            print(f"   {case['kind']}: {case['says']}", flush=True)
            continue
        raise Failed(f"{case} was taken")
    if seen != set(bases):
        raise Failed(f"no case for {set(bases) - seen}")


def upstream(story, bed, prometheus):
    """Go's etcd in an image of its own, run by the same operator."""
    story.step("the upstream image")
    story.judges = False
    story.create("upstream", 3, ["--set", f"cluster.image.repository={UPSTREAM}",
                                 "--set", f"cluster.image.tag={UPSTREAM_TAG}"])
    prometheus.expect_members("upstream", 3)
    story.start_load("upstream")
    story.delete_a_pod("upstream")
    story.scale("upstream", 1)
    story.scale("upstream", 3)
    prometheus.expect_members("upstream", 3)
    story.end_load()
    story.remove("upstream")
    story.judges = True
