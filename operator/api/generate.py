#!/usr/bin/env python3
"""generate.py [--check]: writes what follows from the schema files of this folder, or with --check
fails when a written file differs. Generated are: deploy/crds, the same files and the group's name in
the charts, the chart etcd-cluster's values schema, the C++ model in operator/model, docs/api.md."""

import argparse
import pathlib
import sys

import cpp
import crd
import page
import schema
import values

ROOT = pathlib.Path(__file__).resolve().parents[2]
YAML_NOTE = "# Generated from operator/api by operator/api/generate.py; do not edit.\n"
CHARTS = ("etcd-operator", "etcd-cluster")


def outputs(api):
    """path -> content"""
    result = {}
    for kind in api.kinds:
        text = YAML_NOTE + crd.dump(crd.definition(api, kind))
        result[f"deploy/crds/{kind.plural}.yaml"] = text
        result[f"charts/etcd-operator/files/crds/{kind.plural}.yaml"] = text
    resources = "".join(f"- {kind.plural}.yaml\n" for kind in api.kinds)
    result["deploy/crds/kustomization.yaml"] = (
        YAML_NOTE + "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n" +
        resources)
    for chart in CHARTS:
        result[f"charts/{chart}/templates/_api.tpl"] = (
            "{{/* Generated from operator/api by operator/api/generate.py; do not edit. */}}\n"
            f'{{{{- define "api.group" -}}}}{api.group}{{{{- end }}}}\n'
            f'{{{{- define "api.version" -}}}}{api.group}/{api.version}{{{{- end }}}}\n')
    result["charts/etcd-cluster/values.schema.json"] = values.cluster_values(api)
    result["docs/api.md"] = page.Page(api).render()
    model = cpp.formatted(cpp.files(api), ROOT / "operator/model")
    if model is None:
        print("note: no clang-format; the C++ model is left out", file=sys.stderr)
    for name, content in (model or {}).items():
        result[f"operator/model/{name}"] = content
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, content in outputs(schema.Api()).items():
        path = ROOT / name
        if path.exists() and path.read_text() == content:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    for name in stale:
        print(f"{name}: {'differs from operator/api; run operator/api/generate.py' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
