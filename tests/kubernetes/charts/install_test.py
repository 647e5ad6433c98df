"""The charts and deploy/ installed on a real API server: everything they render is accepted, CRDs stay
when the operator goes, an upgrade does not undo a scale, the admission policies deny and let through."""

import json
import pathlib
import sys
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))
from api_server import ApiServer, wait_until  # noqa: E402

GROUP = yaml.safe_load((ROOT / "operator/api/group.yaml").read_text())["group"]
CLUSTERS = f"etcdclusters.{GROUP}"


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = ApiServer()
        cls.api.__enter__()
        cls.addClassCleanup(cls.api.__exit__, None, None, None)
        # The CRDs of all tests are what the operator's chart leaves behind.
        for verb in (("install",), ("upgrade",)):
            cls.must("helm", *verb, "operator", str(ROOT / "charts/etcd-operator"))
        cls.must("kubectl", "wait", "--for=condition=Established", "--timeout=60s", f"crd/{CLUSTERS}")
        cls.must("helm", "uninstall", "operator")

    @classmethod
    def must(cls, tool, *words, given=None):
        run = cls.api.kubectl(*words, given=given) if tool == "kubectl" else cls.api.helm(*words)
        assert run.returncode == 0, f"{tool} {' '.join(words)}: {run.stderr}"
        return run.stdout

    def live(self, resource, path):
        return self.must("kubectl", "get", resource, f"--output=jsonpath={{{path}}}")

    def test_the_base_has_an_operator(self):
        # The CRDs' labels are the chart's.
        self.must("kubectl", "apply", "--server-side", "--force-conflicts", "--kustomize",
                  str(ROOT / "deploy/base"))
        image = self.must("kubectl", "get", "deployment", "etcd-operator", "--namespace=etcd-system",
                          "--output=jsonpath={.spec.template.spec.containers[0].image}")
        self.assertTrue(image.startswith("etcd-operator:"), image)

    def test_all_of_every_chart_is_accepted(self):
        for chart, values in (
                ("etcd", ["replicaCount=5", "networkPolicy.enabled=true", "service.perMember=true",
                          "antiAffinity=Required"]),
                ("etcd-operator", ["crds.install=false", "watchNamespaces={default}", "workers=2",
                                   "networkPolicy.enabled=true", "admissionPolicy.enabled=true"])):
            with self.subTest(chart=chart):
                options = [word for value in values for word in ("--set", value)]
                self.must("helm", "install", f"all-{chart}", str(ROOT / "charts" / chart), *options)
                self.must("helm", "uninstall", f"all-{chart}")

    def test_crds_stay_when_the_operator_goes(self):
        self.assertEqual(self.must("helm", "list", "--short", "--filter=^operator$").strip(), "")
        self.assertEqual(self.live(f"crd/{CLUSTERS}", ".metadata.deletionTimestamp"), "")

    def test_an_upgrade_does_not_undo_a_scale(self):
        chart = str(ROOT / "charts/etcd-cluster")
        for name, values in (("scaled", []), ("valued", ["--set", "cluster.replicas=3"])):
            with self.subTest(name=name):
                resource = f"{CLUSTERS}/{name}"
                self.must("helm", "install", name, chart, *values)
                self.must("kubectl", "scale", resource, "--replicas=5")
                self.must("helm", "upgrade", name, chart, *values, "--set", "cluster.paused=true")
                self.assertEqual(self.live(resource, ".spec.replicas"), "5")
                self.assertEqual(self.live(resource, ".spec.paused"), "true")
                # Once the value itself is changed, it counts.
                self.must("helm", "upgrade", name, chart, "--set", "cluster.replicas=1",
                          "--force-conflicts")
                self.assertEqual(self.live(resource, ".spec.replicas"), "1")
                self.must("helm", "uninstall", name)

    def test_schedules_are_accepted(self):
        values = {"backups": [{"name": "nightly", "schedule": "@daily", "template": {
            "destination": {"pvc": {"claimName": "backups"}}}}]}
        path = self.api.path / "values.json"
        path.write_text(json.dumps(values))
        self.must("helm", "install", "kept", str(ROOT / "charts/etcd-cluster"), "--values", str(path))
        resource = f"etcdbackupschedules.{GROUP}/kept-nightly"
        self.assertEqual(self.live(resource, ".spec.clusterRef.name"), "kept")
        self.must("helm", "uninstall", "kept")

    def test_policies_keep_others_from_members_volumes(self):
        self.must("helm", "install", "guard", str(ROOT / "charts/etcd-operator"), "--set",
                  "crds.install=false", "--set", "admissionPolicy.enabled=true")
        self.addCleanup(self.api.helm, "uninstall", "guard")
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                 "metadata": {"name": "data-x", "labels": {f"{GROUP}/cluster": "x"}},
                 "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
        self.must("kubectl", "apply", "--filename=-", given=claim)

        def denied():
            run = self.api.kubectl("delete", "pvc", "data-x", "--dry-run=server")
            return run.returncode != 0 and "holds data of an etcd member" in run.stderr
        self.assertTrue(wait_until(denied, 60), "the policy does not deny")
        self.must("kubectl", "label", "pvc", "data-x", f"{GROUP}/detached=true")
        self.must("kubectl", "delete", "pvc", "data-x", "--wait=false")


if __name__ == "__main__":
    unittest.main()
