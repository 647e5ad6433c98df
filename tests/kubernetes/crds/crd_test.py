"""The custom resources on a real API server: accepted as structural schemas within CEL's cost budget,
every default, every refusal with its sentence, printer columns, the scale and status subresources.
`crd_test.py --update` writes defaults.yaml anew; look at the difference."""

import copy
import json
import pathlib
import subprocess
import sys
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))
from api_server import ApiServer, wait_until  # noqa: E402

UPDATE = "--update" in sys.argv
CRDS = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "deploy/crds").glob("etcd*.yaml"))]
BASES = yaml.safe_load((HERE / "bases.yaml").read_text())
GROUP, VERSION = CRDS[0]["spec"]["group"], CRDS[0]["spec"]["versions"][0]["name"]
PLURALS = {crd["spec"]["names"]["kind"]: crd["spec"]["names"]["plural"] for crd in CRDS}


def merged(base, change):
    """change over base; null removes."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return copy.deepcopy(change)
    result = copy.deepcopy(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def path_of(kind, name="", subresource=""):
    parts = ["/apis", GROUP, VERSION, "namespaces/default", PLURALS[kind], name, subresource]
    return "/".join(part for part in parts if part)


def object_of(kind, spec=None, name="case"):
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": {"name": name},
            "spec": merged(BASES[kind], spec or {})}


def messages(schema, found):
    """Sentences of all rules in a schema."""
    if isinstance(schema, dict):
        rules = schema.get("x-kubernetes-validations")
        found |= {rule["message"] for rule in rules} if isinstance(rules, list) else set()
        for value in schema.values():
            messages(value, found)
    return found


class Crds(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.api = ApiServer()
        cls.api.__enter__()
        cls.addClassCleanup(cls.api.__exit__, None, None, None)
        # Client-side apply keeps the whole object in an annotation of at most 256 KiB.
        result = cls.api.kubectl("apply", "--kustomize", str(ROOT / "deploy/crds"))
        assert result.returncode == 0, result.stderr
        assert wait_until(cls.served, 60), "the custom resources are not served"

    @classmethod
    def served(cls):
        return all(cls.api.request("GET", path_of(kind))[0] == 200 for kind in PLURALS)

    def create(self, kind, spec=None, name="case", dry=False):
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
        return self.api.request("POST", path_of(kind) + query, object_of(kind, spec, name))

    def patch(self, kind, change, subresource="", name="case"):
        return self.api.request("PATCH", path_of(kind, name, subresource) + "?fieldValidation=Strict",
                                change, "application/merge-patch+json")

    def remove(self, kind, name="case"):
        self.api.request("DELETE", path_of(kind, name))

    def test_the_schemas_are_structural(self):
        for crd in CRDS:
            _, live = self.api.request(
                "GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}")
            status = {one["type"]: one["status"] for one in live["status"]["conditions"]}
            self.assertEqual((status["Established"], status["NamesAccepted"]), ("True", "True"))
            self.assertNotIn("NonStructuralSchema", status)

    def test_defaults(self):
        path = HERE / "defaults.yaml"
        cases = yaml.safe_load(path.read_text())
        for case in cases:
            with self.subTest(kind=case["kind"], given=case.get("spec")):
                status, created = self.create(case["kind"], case.get("spec"), dry=True)
                self.assertEqual(status, 201, created.get("message"))
                if UPDATE:
                    case["becomes"] = created["spec"]
                self.assertEqual(created["spec"], case["becomes"])
        if UPDATE:
            head = "".join(line + "\n" for line in path.read_text().splitlines() if line.startswith("#"))
            path.write_text(head + yaml.safe_dump(cases, sort_keys=False, width=100))

    def test_refusals(self):
        seen = set()
        for case in yaml.safe_load((HERE / "refusals.yaml").read_text()):
            with self.subTest(**case):
                status, answer = self.refused(case)
                self.assertEqual(status, 422 if "unknown field" not in case["says"] else 400, answer)
                self.assertIn(case["says"], answer["message"])
                seen.add(answer["message"])
        known = set().union(*(messages(crd, set()) for crd in CRDS))
        unseen = [one for one in known if not any(one in message for message in seen)]
        self.assertEqual(unseen, [], "rules without a case in refusals.yaml")

    def refused(self, case):
        kind, name = case["kind"], case.get("name", "case")
        later = "then" in case or "thenStatus" in case
        status, answer = self.create(kind, case.get("spec"), name, dry=not later)
        if not later:
            return status, answer
        self.addCleanup(self.remove, kind)
        self.assertEqual(status, 201, answer)
        if "thenStatus" in case:
            self.assertEqual(self.patch(kind, {"status": case["status"]}, "status")[0], 200)
            answer = self.patch(kind, {"status": case["thenStatus"]}, "status")
        else:
            answer = self.patch(kind, {"spec": case["then"]})
        self.remove(kind)
        return answer

    def test_what_may_change_may_change(self):
        for kind, spec, then in (
                ("EtcdCluster", {}, {"replicas": 5, "paused": True, "progressDeadline": "1h",
                                     "scheduling": {"antiAffinity": "None"},
                                     "service": {"perMember": False},
                                     "storage": {"pvcRetention": {"whenDeleted": "Delete"}}}),
                ("EtcdBackupSchedule", {}, {"suspend": True, "schedule": "@daily",
                                            "template": {"retries": 1}})):
            with self.subTest(kind=kind):
                self.assertEqual(self.create(kind, spec)[0], 201)
                self.addCleanup(self.remove, kind)
                status, answer = self.patch(kind, {"spec": then})
                self.assertEqual(status, 200, answer.get("message"))

    def test_samples_are_accepted(self):
        for folder in ("deploy/samples",):
            result = self.api.kubectl("apply", "--dry-run=server", "--validate=strict", "--kustomize",
                                      str(ROOT / folder))
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_scale(self):
        self.assertEqual(self.create("EtcdCluster", name="scaled")[0], 201)
        self.addCleanup(self.remove, "EtcdCluster", "scaled")
        self.patch("EtcdCluster", {"status": {"replicas": 2, "selector": f"{GROUP}/cluster=scaled"}},
                   "status", "scaled")
        _, scale = self.api.request("GET", path_of("EtcdCluster", "scaled", "scale"))
        self.assertEqual(scale["spec"], {"replicas": 3})
        self.assertEqual(scale["status"], {"replicas": 2, "selector": f"{GROUP}/cluster=scaled"})
        resource = f"etcdclusters.{GROUP}/scaled"
        self.assertEqual(self.api.kubectl("scale", resource, "--replicas=5").returncode, 0)
        refused = self.api.kubectl("scale", resource, "--replicas=4")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("replicas must be 1, 3, 5 or 7", refused.stderr)
        _, live = self.api.request("GET", path_of("EtcdCluster", "scaled"))
        self.assertEqual(live["spec"]["replicas"], 5)

    def test_the_status_is_written_apart(self):
        self.assertEqual(self.create("EtcdCluster", name="apart")[0], 201)
        self.addCleanup(self.remove, "EtcdCluster", "apart")
        self.patch("EtcdCluster", {"status": {"phase": "Running"}}, name="apart")
        self.patch("EtcdCluster", {"spec": {"replicas": 5}}, "status", "apart")
        _, live = self.api.request("GET", path_of("EtcdCluster", "apart"))
        self.assertEqual((live["spec"]["replicas"], live.get("status")), (3, None))

    def test_printer_columns(self):
        expected = yaml.safe_load((HERE / "columns.yaml").read_text())
        for case in expected:
            with self.subTest(kind=case["kind"]):
                kind = case["kind"]
                self.assertEqual(self.create(kind, case.get("spec"), "shown")[0], 201)
                self.addCleanup(self.remove, kind, "shown")
                status, answer = self.patch(kind, {"status": case["status"]}, "status", "shown")
                self.assertEqual(status, 200, answer.get("message"))
                self.assertEqual(self.columns(kind), case["wide"])

    def columns(self, kind):
        """Names and values as `kubectl get -o wide` has them, without the age."""
        text = self.api.kubectl("get", f"{PLURALS[kind]}.{GROUP}", "shown", "--output=wide").stdout
        head, row = text.splitlines()
        starts = [0] + [i for i, c in enumerate(head) if c != " " and head[:i].endswith("  ")]
        ends = starts[1:] + [None]
        pairs = {head[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends)}
        pairs.pop("AGE")
        return pairs


if __name__ == "__main__":
    subprocess.run([HERE.parent / "tools.sh"], check=False, capture_output=True)
    unittest.main(argv=[word for word in sys.argv if word != "--update"])
