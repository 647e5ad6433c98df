"""The charts as they render: `helm lint --strict`, golden renderings of the values in cases/, refused
values with their messages, and what every rendering has to have. `charts_test.py --update` writes the
golden files anew; look at the difference."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
UPDATE = "--update" in sys.argv


def tools():
    result = subprocess.run([HERE.parent / "tools.sh"], capture_output=True, text=True, check=False)
    if result.returncode == 77:
        print(result.stderr)
        sys.exit(77)
    result.check_returncode()
    return pathlib.Path(result.stdout.strip())


TOOLS = tools()


def helm(*words):
    return subprocess.run([TOOLS / "helm", *words], capture_output=True, text=True, cwd=ROOT, check=False,
                          timeout=60)


def chart_of(case):
    """The longest name of a chart that a case begins with."""
    charts = sorted((path.parent.name for path in ROOT.glob("charts/*/Chart.yaml")), key=len)
    return [chart for chart in charts if case.startswith(chart + "-")][-1]


def render(chart, values, *options):
    return helm("template", "release", f"charts/{chart}", "--namespace", "team-a", "--kube-version",
                "1.34.0", "--values", str(values), *options)


def objects(text):
    return [one for one in yaml.safe_load_all(text) if one]


def pod_specs(text):
    for one in objects(text):
        if one["kind"] == "Pod":
            yield one["spec"]
        elif one["kind"] in ("StatefulSet", "Deployment"):
            yield one["spec"]["template"]["spec"]


CASES = sorted((HERE / "cases").glob("*.yaml"))


class Charts(unittest.TestCase):
    maxDiff = None

    def test_lint_finds_nothing(self):
        for case in CASES:
            with self.subTest(case=case.stem):
                result = helm("lint", "--strict", f"charts/{chart_of(case.stem)}", "--values", str(case))
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_renders_as_before(self):
        for case in CASES:
            with self.subTest(case=case.stem):
                result = render(chart_of(case.stem), case)
                self.assertEqual(result.returncode, 0, result.stderr)
                golden = HERE / "golden" / case.name
                if UPDATE:
                    golden.write_text(result.stdout)
                self.assertEqual(result.stdout, golden.read_text())

    def test_refuses_wrong_values_with_a_sentence(self):
        for entry in yaml.safe_load((HERE / "refusals.yaml").read_text()):
            with self.subTest(**entry), tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
                yaml.safe_dump(entry["values"], values)
                values.flush()
                result = render(entry["chart"], values.name)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(entry["says"], result.stderr)

    def test_pods_satisfy_the_restricted_standard(self):
        for case in CASES:
            for spec in pod_specs(render(chart_of(case.stem), case).stdout):
                with self.subTest(case=case.stem):
                    self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                    self.assertEqual(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
                    for container in spec["containers"]:
                        context = container["securityContext"]
                        self.assertFalse(context["allowPrivilegeEscalation"])
                        self.assertTrue(context["readOnlyRootFilesystem"])
                        self.assertEqual(context["capabilities"], {"drop": ["ALL"]})

    def test_an_upgrade_starts_members_in_the_existing_cluster(self):
        case = HERE / "cases/etcd-default.yaml"
        self.assertIn("--initial-cluster-state=new\n", render("etcd", case).stdout)
        upgraded = render("etcd", case, "--is-upgrade").stdout
        self.assertIn("--initial-cluster-state=existing\n", upgraded)

    def test_an_older_kubernetes_gets_no_sleep_action(self):
        case = HERE / "cases/etcd-default.yaml"
        old = helm("template", "release", "charts/etcd", "--kube-version", "1.29.0", "--values", str(case))
        self.assertNotIn("preStop", old.stdout)
        self.assertIn("preStop", render("etcd", case).stdout)

    def test_the_crds_come_as_they_were_generated(self):
        for keep in ("true", "false"):
            text = helm("template", "release", "charts/etcd-operator", "--set", f"crds.keep={keep}",
                        "--show-only", "templates/crds.yaml").stdout
            crds = {one["metadata"]["name"]: one for one in objects(text)}
            generated = [yaml.safe_load(path.read_text()) for path in ROOT.glob("deploy/crds/etcd*.yaml")]
            self.assertEqual(len(crds), len(generated))
            for crd in generated:
                rendered = crds[crd["metadata"]["name"]]
                self.assertEqual(rendered["spec"], crd["spec"])
                annotations = rendered["metadata"].get("annotations", {})
                self.assertEqual(annotations.get("helm.sh/resource-policy") == "keep", keep == "true")

    def test_one_operator_watching_some_namespaces_has_no_cluster_roles(self):
        text = render("etcd-operator", HERE / "cases/etcd-operator-everything.yaml").stdout
        bindings = [one for one in objects(text) if one["kind"] == "ClusterRoleBinding"]
        self.assertEqual(bindings, [])
        self.assertEqual({one["metadata"]["namespace"] for one in objects(text) if one["kind"] == "Role"
                          and "namespace" in one["metadata"]}, {"a", "b"})


    def test_members_listen_in_the_family_of_the_cluster(self):
        for family, host in (("IPv4", "0.0.0.0"), ("IPv6", "[::]")):
            text = render("etcd", HERE / "cases/etcd-default.yaml", "--set", f"ipFamily={family}").stdout
            for url in (f"peer-urls=http://{host}:2380", f"client-urls=http://{host}:2379",
                        f"metrics-urls=http://{host}:2381"):
                self.assertIn(f"--listen-{url}\n", text)

    def test_helm_test_takes_the_image_of_the_cluster(self):
        for values, image in (((), "etcd:v3.6.16"), (("cluster.version=3.5.24",), "etcd:v3.5.24"),
                              (("cluster.image.repository=r/etcd", "cluster.image.tag=v1"), "r/etcd:v1"),
                              (("cluster.image.repository=r/etcd", "test.image=r/tools:1"), "r/tools:1")):
            options = [word for value in values for word in ("--set", value)]
            text = render("etcd-cluster", HERE / "cases/etcd-cluster-default.yaml", *options).stdout
            (pod,) = pod_specs(text)
            self.assertEqual(pod["containers"][0]["image"], image)

    def test_the_operator_is_let_to_the_ports_of_the_api_server(self):
        text = render("etcd-operator", HERE / "cases/etcd-operator-default.yaml", "--set",
                      "networkPolicy.enabled=true,networkPolicy.apiServerPorts={16443}", "--set",
                      "networkPolicy.apiServerTo[0].ipBlock.cidr=10.0.0.0/8").stdout
        (policy,) = (one for one in objects(text) if one["kind"] == "NetworkPolicy")
        self.assertIn({"ports": [{"port": 16443}], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
                      policy["spec"]["egress"])

    def test_the_operator_may_touch_only_kinds_that_it_uses(self):
        code = "".join(path.read_text() for path in ROOT.glob("operator/*/*.cc"))
        constants = re.findall(r"(k\w+)\{\"([\w.]*)\", \"v1\", \"(\w+)\"",
                               (ROOT / "operator/kube/resource.h").read_text())
        used = {(group, plural) for name, group, plural in constants if f"kube::{name}" in code or
                re.search(rf"\b{name}\b", code)}
        text = render("etcd-operator", HERE / "cases/etcd-operator-default.yaml").stdout
        # Roles for users and the lease's stand apart.
        (role,) = (one for one in objects(text) if one["kind"] == "ClusterRole"
                   and "aggregate" not in str(one["metadata"]["labels"]))
        group = yaml.safe_load((ROOT / "operator/api/group.yaml").read_text())["group"]
        allowed = {(api, plural.split("/")[0]) for rule in role["rules"] for api in rule["apiGroups"]
                   for plural in rule["resources"] if api != group}
        self.assertEqual(allowed - used, set())
        self.assertEqual(used - allowed, {("coordination.k8s.io", "leases")})
        verbs = {plural: rule["verbs"] for rule in role["rules"] for plural in rule["resources"]}
        self.assertEqual(verbs["secrets"], ["get"])
        # Whatever is listed is watched by a controller.
        for plural in (name for name, listed in verbs.items() if "watch" in listed):
            constant = next((name for name, _, other in constants if other == plural), None)
            if constant is not None:
                self.assertRegex(code, rf"\{{\s*(\.resource = )?kube::{constant}\b")


class Deploy(unittest.TestCase):
    def test_the_base_is_the_chart(self):
        result = subprocess.run([ROOT / "scripts/render_deploy.sh", "--check"], capture_output=True,
                                text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_kustomize_takes_all(self):
        for folder, count in (("base", 17), ("samples", 6), ("crds", 5)):
            result = subprocess.run([TOOLS / "kubectl", "kustomize", ROOT / "deploy" / folder],
                                    capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(len(objects(result.stdout)), count)

    def test_images_of_an_overlay_reach_the_operator(self):
        with tempfile.TemporaryDirectory() as folder:
            # Kustomize takes relative paths only.
            shutil.copytree(ROOT / "deploy", pathlib.Path(folder) / "deploy")
            overlay = pathlib.Path(folder) / "overlay"
            overlay.mkdir()
            (overlay / "kustomization.yaml").write_text(yaml.safe_dump({
                "resources": ["../deploy/base"],
                "images": [{"name": "etcd-operator", "newName": "mirror/op", "newTag": "v9"},
                           {"name": "etcd", "newName": "mirror/etcd", "digest": "sha256:00"}]}))
            result = subprocess.run([TOOLS / "kubectl", "kustomize", overlay], capture_output=True,
                                    text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        (deployment,) = (one for one in objects(result.stdout) if one["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        self.assertEqual(container["image"], "mirror/op:v9")
        # As the kubelet expands them.
        given = {one["name"]: one["value"] for one in container["env"] if "value" in one}
        words = [re.sub(r"\$\((\w+)\)", lambda name: given[name[1]], word) for word in container["args"]]
        self.assertIn("--operator-image=mirror/op:v9", words)
        self.assertIn("--server-image=mirror/etcd@sha256:00", words)


if __name__ == "__main__":
    unittest.main(argv=[word for word in sys.argv if word != "--update"])
