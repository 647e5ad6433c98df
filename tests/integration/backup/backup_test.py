#!/usr/bin/env python3
"""The backup and restore workers against a real member and a real S3 server: what is stored comes
back with the same HashKV; what was altered is refused; retention; a broken try; bad credentials.

    backup_test.py [-v]
"""

import datetime
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
from certificates import Authority  # noqa: E402
from etcd_process import EtcdProcess, free_ports  # noqa: E402
from faulty_io import OTHER, FaultyIo  # noqa: E402
from s3_server import S3Server  # noqa: E402

GROUP = "etcdpp.dev/v1alpha1"


def worker(*args, env=None):
    return subprocess.run([os.environ["BACKUP_WORKER"], *args], capture_output=True, text=True,
                          timeout=300, check=False, env={**os.environ, **(env or {})})


def ctl(etcd, *args, **more):
    """With time enough for a machine that is busy."""
    return etcd.etcdctl(*args, timeout=120, **more)


def hash_kv(etcd, revision):
    answer = json.loads(ctl(etcd, "endpoint", "hashkv", "--rev", str(revision), "-w", "json"))
    return answer[0]["HashKV"]["hash"]


class Backup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="etcd-backup-")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.s3 = S3Server(os.path.join(cls.root, "s3"))
        cls.s3.__enter__()
        cls.addClassCleanup(cls.s3.__exit__)
        cls.etcd = EtcdProcess()
        cls.addClassCleanup(cls.etcd.close)
        cls.etcd.start()
        lease = ctl(cls.etcd, "lease", "grant", "10000").split()[1]
        ctl(cls.etcd, "put", "leased", "v", "--lease=" + lease)
        for i in range(200):
            ctl(cls.etcd, "put", f"key-{i % 50}", f"value {i} " + "x" * 300)
        ctl(cls.etcd, "del", "key-7")
        # Does not get smaller: the upload is then as large as the snapshot.
        for i in range(70):
            ctl(cls.etcd, "put", f"random-{i}", input_text=os.urandom(500_000).hex())
        answer = json.loads(ctl(cls.etcd, "get", "leased", "-w", "json"))
        cls.revision = answer["header"]["revision"]
        cls.hash = hash_kv(cls.etcd, cls.revision)

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix=self.id().rsplit(".", 1)[-1] + "-", dir=self.root)
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.bucket = "b" + hashlib.sha256(self.id().encode()).hexdigest()[:12]
        self.s3.make_bucket(self.bucket)
        self.keys = os.path.join(self.dir, "keys")
        os.makedirs(self.keys)
        self.set_keys(S3Server.ACCESS_KEY, S3Server.SECRET_KEY)
        self.scratch = os.path.join(self.dir, "scratch")
        self.volume = os.path.join(self.dir, "volume")
        os.makedirs(self.volume)
        self.backups = 0

    def set_keys(self, access, secret):
        for name, value in (("AWS_ACCESS_KEY_ID", access), ("AWS_SECRET_ACCESS_KEY", secret)):
            with open(os.path.join(self.keys, name), "w", encoding="utf-8") as file:
                file.write(value)

    # ---- The worker.

    def s3_location(self, **more):
        return {"endpoint": self.s3.endpoint, "bucket": self.bucket,
                "region": "us-east-1", "credentialsSecretRef": {"name": "s3"}, **more}

    def run_worker(self, command, order, *flags, env=None):
        report = os.path.join(self.dir, "report")
        result = worker(command, json.dumps(order), "--scratch", self.scratch,
                        "--volume", self.volume, "--keys", self.keys, "--ca", self.dir,
                        "--report", report, *flags, env=env)
        with open(report, encoding="utf-8") as file:
            text = file.read()
        self.assertLessEqual(len(text), 4096)
        answer = json.loads(text)
        self.assertEqual(answer["ok"], result.returncode == 0, result.stderr)
        return answer

    def order(self, destination, kind="Backup", uid=None, endpoints=None, **spec):
        self.backups += 1
        return {"kind": kind, "endpoints": endpoints or [self.etcd.endpoint_url()],
                "backup": {"apiVersion": GROUP, "kind": "EtcdBackup",
                           "metadata": {"name": f"backup-{self.backups}", "namespace": "ns",
                                        "uid": uid or f"{self.backups:08d}-0000"},
                           "spec": {"clusterRef": {"name": "main"}, "destination": destination,
                                    **spec}}}

    def take(self, destination, **more):
        report = self.run_worker("backup-worker", self.order(destination, **more))
        self.assertTrue(report["ok"], report)
        return report

    def try_restore(self, source, sha256="", **more):
        """The trial of verifyFirst."""
        order = {"trial": True, "sha256": sha256,
                 "member": {"apiVersion": GROUP, "kind": "EtcdMember",
                            "metadata": {"name": "again", "namespace": "ns"},
                            "spec": {"clusterName": "", "slot": 0, "seq": 1, "storage": {"size": "1Gi"},
                                     "restoreFrom": {"from": source}}}}
        return self.run_worker("restore-worker", order, **more)

    def restore(self, source, bump=0, sha256="", expect_ok=True):
        """Restores into a new data directory and gives it."""
        data = os.path.join(self.dir, f"data-{self.backups}-{bump}")
        client, peer = free_ports(2)
        order = {"peerURL": f"http://127.0.0.1:{peer}", "token": "ns/copy/uid", "dataDir": data,
                 "sha256": sha256,
                 "member": {"apiVersion": GROUP, "kind": "EtcdMember",
                            "metadata": {"name": "copy-0-abcde", "namespace": "ns"},
                            "spec": {"clusterName": "copy", "slot": 0, "seq": 1, "bootstrap": True,
                                     "storage": {"size": "1Gi"},
                                     "restoreFrom": {"from": source, "bumpRevision": bump,
                                                     "markCompacted": True}}}}
        report = self.run_worker("restore-worker", order)
        self.assertEqual(report["ok"], expect_ok, report)
        if not expect_ok:
            self.assertFalse(os.path.exists(os.path.join(data, "member")))
        self.assertFalse(os.path.exists(data + ".restore"))
        return report, data, (client, peer), order

    def start_restored(self, data, ports):
        member = EtcdProcess(data_dir=data, name="copy-0-abcde")
        self.addCleanup(member.close)
        member.client_port, member.peer_port = ports
        member.start()
        return member

    # ---- Tests.

    def test_s3_there_and_back_in_parts(self):
        report = self.take({"s3": self.s3_location(prefix="a b/c+d")})
        artifact = report["artifact"]
        self.assertEqual(report["verification"]["result"], "Passed")
        self.assertEqual(artifact["revision"], self.revision)
        self.assertEqual(artifact["format"], "bbolt+zstd")
        self.assertEqual(int(artifact["hashKV"], 16), self.hash)
        data_key = artifact["uri"].removeprefix(f"s3://{self.bucket}/")
        self.assertRegex(data_key, r"^a b/c\+d/ns/main/\d{8}T\d{6}Z-\d+-00000001\.snap\.zst$")
        self.assertEqual(self.s3.files(self.bucket), [data_key, data_key + ".json"])
        with open(os.path.join(self.s3.folder, self.bucket, data_key), "rb") as file:
            stored = file.read()
        self.assertEqual(len(stored), artifact["storedSize"])
        self.assertEqual(hashlib.sha256(stored).hexdigest(), artifact["sha256"])
        key = data_key.removeprefix("a b/c+d/")
        _, data, ports, order = self.restore({"s3": self.s3_location(prefix="a b/c+d", key=key)},
                                             sha256=artifact["sha256"])
        member = self.start_restored(data, ports)
        self.assertEqual(hash_kv(member, self.revision), self.hash)
        self.assertEqual(ctl(member, "get", "key-7"), "")
        member.stop()
        again = self.run_worker("restore-worker", order)
        self.assertTrue(again["ok"], "a directory with a member is left alone")

    def test_large_uploads_go_in_parts(self):
        report = self.take({"s3": self.s3_location()}, compression="None", verify="Hash")
        self.assertGreater(report["artifact"]["storedSize"], 64 << 20)
        self.assertEqual(self.s3.open_uploads(self.bucket), [])
        self.assertEqual(report["artifact"]["storedSize"], report["artifact"]["size"])

    def test_volume_there_and_back_with_a_bump(self):
        report = self.take({"pvc": {"claimName": "backups", "path": "x/y"}})
        uri = report["artifact"]["uri"]
        self.assertTrue(uri.startswith("pvc://backups/x/y/ns/main/"), uri)
        path = uri.removeprefix("pvc://backups/")
        restored, data, ports, _ = self.restore({"pvc": {"claimName": "backups", "path": path}},
                                                bump=1_000_000)
        self.assertEqual(restored["restoredRevision"], self.revision + 1_000_000)
        member = self.start_restored(data, ports)
        self.assertEqual(ctl(member, "get", "key-8", "--print-value-only").split()[0], "value")
        head = json.loads(ctl(member, "get", "key-8", "-w", "json"))["header"]["revision"]
        self.assertEqual(head, self.revision + 1_000_000)
        # The record that raised the revision is no key: backups of the new cluster are verified.
        again = self.take({"pvc": {"claimName": "backups"}}, endpoints=[member.endpoint_url()])
        self.assertEqual(again["verification"]["result"], "Passed", again)
        self.assertEqual(again["artifact"]["totalKeys"], report["artifact"]["totalKeys"])

    def test_altered_and_truncated_backups_are_refused(self):
        destination = {"pvc": {"claimName": "backups"}}
        report = self.take(destination, verify="Hash")
        path = report["artifact"]["uri"].removeprefix("pvc://backups/")
        file = os.path.join(self.volume, path)
        source = {"pvc": {"claimName": "backups", "path": path}}
        with open(file, "rb") as stored:
            good = stored.read()
        tried = self.try_restore(source, report["artifact"]["sha256"])
        self.assertTrue(tried["ok"], tried)
        self.assertEqual(tried["restoredRevision"], self.revision)
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 1
        for name, bad in (("flipped", bytes(flipped)), ("short", good[:-1]), ("half", good[:999]),
                          ("longer", good + b"x"), ("empty", b"")):
            with self.subTest(name):
                with open(file, "wb") as stored:
                    stored.write(bad)
                refused, *_ = self.restore(source, expect_ok=False)
                self.assertEqual(refused["reason"], "BackupAltered", refused)
                self.assertTrue(refused["final"])
                tried = self.try_restore(source, report["artifact"]["sha256"])
                self.assertFalse(tried["ok"])
                self.assertEqual(tried["reason"], "BackupAltered", tried)
                self.assertTrue(tried["final"])
                # Also without a manifest: by the checksum of Zstd and the snapshot's own digest.
                os.rename(file + ".json", file + ".away")
                self.restore(source, expect_ok=False)
                os.rename(file + ".away", file + ".json")
        with open(file, "wb") as stored:
            stored.write(good)
        self.restore(source)

    def test_a_plain_snapshot_without_a_manifest_is_restored_by_its_own_digest(self):
        path = os.path.join(self.volume, "by-hand.db")
        ctl(self.etcd, "snapshot", "save", path)
        _, data, ports, _ = self.restore({"pvc": {"claimName": "backups", "path": "by-hand.db"}})
        self.assertEqual(hash_kv(self.start_restored(data, ports), self.revision), self.hash)
        with open(path, "r+b") as file:
            file.seek(100_000)
            file.write(b"altered")
        self.restore({"pvc": {"claimName": "backups", "path": "by-hand.db"}}, bump=1,
                     expect_ok=False)

    def test_retention_deletes_only_the_schedules_own(self):
        destination = {"s3": self.s3_location()}
        self.take(destination, verify="Hash")  # by hand: no schedule
        uris = []
        for number in range(4):
            order = self.order(destination, verify="Hash")
            order["schedule"] = {"name": "often", "uid": "schedule-uid"}
            order["retention"] = {"keepLast": 2, "minKeep": 1}
            report = self.run_worker("backup-worker", order)
            self.assertTrue(report["ok"], report)
            self.assertEqual(report["pruned"], 1 if number >= 2 else 0)
            uris.append(report["artifact"]["uri"].removeprefix(f"s3://{self.bucket}/"))
        kept = self.s3.files(self.bucket)
        self.assertEqual(len(kept), 6)
        for uri in uris[2:]:
            self.assertIn(uri, kept)
            self.assertIn(uri + ".json", kept)

    def test_a_try_that_broke_before_its_manifest_leaves_nothing(self):
        destination = {"pvc": {"claimName": "backups"}}
        order = self.order(destination, verify="None", uid="abcdefgh-1")
        first = self.run_worker("backup-worker", order)
        file = os.path.join(self.volume, first["artifact"]["uri"].removeprefix("pvc://backups/"))
        again = self.run_worker("backup-worker", order)
        self.assertEqual(again["artifact"], first["artifact"], "it is found, not taken again")
        os.remove(file + ".json")
        os.rename(file, file.replace("-abcdefgh", "1-abcdefgh"))  # another revision: another name
        third = self.run_worker("backup-worker", order)
        self.assertTrue(third["ok"], third)
        left = glob.glob(os.path.join(self.volume, "ns", "main", "*"))
        self.assertEqual(len(left), 2, left)

    def test_delete_removes_its_own_data_only(self):
        destination = {"s3": self.s3_location()}
        order = self.order(destination, verify="None")
        report = self.run_worker("backup-worker", order)
        order["kind"] = "Delete"
        order["backup"]["status"] = {"artifact": report["artifact"]}
        stranger = json.loads(json.dumps(order))
        stranger["backup"]["metadata"]["uid"] = "other"
        self.assertEqual(self.run_worker("backup-worker", stranger)["reason"], "BackupForeign")
        self.assertEqual(len(self.s3.files(self.bucket)), 2)
        self.assertTrue(self.run_worker("backup-worker", order)["ok"])
        self.assertEqual(self.s3.files(self.bucket), [])
        self.assertTrue(self.run_worker("backup-worker", order)["ok"], "once more does no harm")

    def refused(self, destination, **more):
        report = self.run_worker("backup-worker", self.order(destination, **more))
        self.assertFalse(report["ok"])
        return report

    def test_faults_of_the_destination_are_told(self):
        missing = self.refused({"s3": self.s3_location(bucket="there-is-none")})
        self.assertEqual(missing["reason"], "BucketMissing", missing)
        self.assertIn("create it", missing["message"])
        self.set_keys(S3Server.ACCESS_KEY, "wrong")
        wrong = self.refused({"s3": self.s3_location()})
        self.assertEqual(wrong["reason"], "CredentialsRefused", wrong)
        self.assertIn("Secret s3", wrong["message"])
        self.assertNotIn(S3Server.ACCESS_KEY + "wrong", wrong["message"])
        self.set_keys("nobody", "wrong")
        unknown = self.refused({"s3": self.s3_location()})
        self.assertEqual(unknown["reason"], "CredentialsRefused", unknown)
        os.remove(os.path.join(self.keys, "AWS_SECRET_ACCESS_KEY"))
        absent = self.refused({"s3": self.s3_location()})
        self.assertEqual(absent["reason"], "CredentialsMissing", absent)
        self.assertEqual(self.s3.files(self.bucket), [])

    def test_no_member_is_told(self):
        port = free_ports(1)[0]
        report = self.refused({"pvc": {"claimName": "backups"}},
                              endpoints=[f"http://127.0.0.1:{port}"])
        self.assertEqual(report["reason"], "NoMember", report)

    def test_each_step_is_a_process_and_says_how_it_went(self):
        order = self.order({"s3": self.s3_location()})
        early = self.run_worker("backup-worker", order, "--stage", "store")
        self.assertFalse(early["ok"], "without a snapshot there is nothing to store")
        taken = self.run_worker("backup-worker", order, "--stage", "snapshot")
        self.assertTrue(taken["ok"], taken)
        self.assertNotIn("uri", taken["artifact"])
        untried = self.run_worker("backup-worker", order, "--stage", "store")
        self.assertFalse(untried["ok"], "a trial that did not end is no trial")
        self.assertEqual(self.s3.files(self.bucket), [])
        tried = self.run_worker("backup-worker", order, "--stage", "verify")
        self.assertEqual(tried["verification"]["result"], "Passed", tried)
        stored = self.run_worker("backup-worker", order, "--stage", "store")
        self.assertTrue(stored["ok"], stored)
        self.assertEqual(int(stored["artifact"]["hashKV"], 16), self.hash)
        self.assertEqual(len(self.s3.files(self.bucket)), 2)
        # A new pod finds what the one before had stored when it died.
        shutil.rmtree(self.scratch)
        for stage in ("snapshot", "verify", "store"):
            again = self.run_worker("backup-worker", order, "--stage", stage)
            self.assertEqual(again["artifact"], stored["artifact"], again)

    def test_a_snapshot_that_cannot_be_restored_is_stored_as_unverified(self):
        order = self.order({"pvc": {"claimName": "backups"}})
        self.assertTrue(self.run_worker("backup-worker", order, "--stage", "snapshot")["ok"])
        with open(os.path.join(self.scratch, "snapshot.db"), "r+b") as file:
            file.seek(100_000)
            file.write(b"altered")
        tried = self.run_worker("backup-worker", order, "--stage", "verify")
        self.assertEqual(tried["verification"]["result"], "Failed", tried)
        stored = self.run_worker("backup-worker", order, "--stage", "store")
        self.assertTrue(stored["ok"])
        self.assertIn("cannot be restored", stored["message"])
        self.assertEqual(stored["verification"]["result"], "Failed")

    def test_scratch_space_is_looked_at_before_anything_is_asked_for(self):
        faults = FaultyIo(self.dir, [self.scratch])
        faults.full = OTHER
        os.makedirs(self.scratch)
        order = self.order({"s3": self.s3_location()})
        full = self.run_worker("backup-worker", order, env=faults.environment())
        self.assertEqual(full["reason"], "ScratchFull", full)
        self.assertIn("resources.requests.ephemeral-storage", full["message"])
        self.assertFalse(full["final"])
        self.assertEqual(faults.refused_writes, 0, "nothing was begun")
        # statvfs knows nothing of quotas: the write that fails says the same.
        faults.hides_full = 1
        quota = self.run_worker("backup-worker", order, env=faults.environment())
        self.assertEqual(quota["reason"], "ScratchFull", quota)
        self.assertGreater(faults.refused_writes, 0)
        self.assertEqual(self.s3.files(self.bucket), [])
        faults.full = faults.hides_full = 0
        report = self.take({"pvc": {"claimName": "backups"}}, verify="Hash")
        source = {"pvc": {"claimName": "backups",
                          "path": report["artifact"]["uri"].removeprefix("pvc://backups/")}}
        faults.full = OTHER
        tried = self.try_restore(source, env=faults.environment())
        self.assertEqual(tried["reason"], "ScratchFull", tried)
        self.assertIn("verifyFirst", tried["message"])

    def test_large_ones_are_read_back_when_that_is_asked_for(self):
        for read_back, flags, reads in (("Auto", (), 1), ("Auto", ("--read-back-max", "1"), 0),
                                        ("Always", ("--read-back-max", "1"), 1)):
            with self.subTest(read_back=read_back, flags=flags):
                order = self.order({"s3": self.s3_location()}, verify="None", readBack=read_back)
                report = self.run_worker("backup-worker", order, *flags)
                self.assertTrue(report["ok"], report)
                key = report["artifact"]["uri"].removeprefix(f"s3://{self.bucket}/")
                self.assertEqual(self.s3.reads(key), reads)

    def test_nothing_is_deleted_while_backups_fail(self):
        destination = {"s3": self.s3_location()}
        schedule = {"name": "often", "uid": "schedule-uid"}
        for _ in range(3):
            order = self.order(destination, verify="Hash")
            order["schedule"] = schedule
            self.assertTrue(self.run_worker("backup-worker", order)["ok"])
        nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
        order = self.order(destination, endpoints=[nobody])
        order["schedule"] = schedule
        order["retention"] = {"keepLast": 1, "minKeep": 1, "maxAge": "0s"}
        failed = self.run_worker("backup-worker", order)
        self.assertEqual((failed["reason"], failed["pruned"]), ("NoMember", 0), failed)
        self.assertEqual(len(self.s3.files(self.bucket)), 6)

    # ---- TLS.

    def secure_store(self, **names):
        authority = Authority(self.dir, "authority")
        store = S3Server(os.path.join(self.dir, "secure"), *authority.issue("server", **names))
        store.__enter__()
        self.addCleanup(store.__exit__)
        store.make_bucket(self.bucket)
        return store, authority

    def secure_location(self, store, bundle):
        return {"s3": self.s3_location(endpoint=store.endpoint,
                                       caBundle={"configMap": {"name": "ca", "key": bundle}})}

    def test_a_store_behind_tls(self):
        store, _ = self.secure_store()
        report = self.take(self.secure_location(store, "authority.crt"), compression="None",
                           verify="Hash")
        key = report["artifact"]["uri"].removeprefix(f"s3://{self.bucket}/")
        self.assertEqual(store.files(self.bucket), [key, key + ".json"])
        source = {"s3": {**self.secure_location(store, "authority.crt")["s3"], "key": key}}
        self.assertTrue(self.try_restore(source)["ok"])

    def test_who_signed_the_certificate_must_be_trusted(self):
        store, _ = self.secure_store()
        Authority(self.dir, "stranger")
        with open(os.path.join(self.dir, "garbage.crt"), "w", encoding="utf-8") as file:
            file.write("no certificate")
        wrong = self.refused(self.secure_location(store, "stranger.crt"))
        self.assertEqual(wrong["reason"], "CertificateRefused", wrong)
        self.assertIn("put the authority that signed it into caBundle", wrong["message"])
        none = self.refused({"s3": self.s3_location(endpoint=store.endpoint)})
        self.assertEqual(none["reason"], "CertificateRefused", none)
        self.assertIn("give caBundle", none["message"])
        garbage = self.refused(self.secure_location(store, "garbage.crt"))
        self.assertEqual(garbage["reason"], "CertificateRefused", garbage)
        self.assertIn("PEM", garbage["message"])
        absent = self.refused(self.secure_location(store, "absent.crt"))
        self.assertEqual(absent["reason"], "CaBundleMissing", absent)
        self.assertEqual(store.files(self.bucket), [])

    def test_the_certificate_must_be_made_out_to_the_host(self):
        store, _ = self.secure_store(host="DNS:elsewhere.example")
        wrong = self.refused(self.secure_location(store, "authority.crt"))
        self.assertEqual(wrong["reason"], "CertificateRefused", wrong)
        self.assertIn("host name", wrong["message"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
