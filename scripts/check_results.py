#!/usr/bin/env python3
"""check_results.py BUILD_DIR JUNIT [--label-prefix P]: after ctest, checks what it does not:

- the seconds of each label against tests/BUDGET (lines "label seconds");
- tests that were skipped, also single GoogleTest cases, against tests/ALLOWED_SKIPS. Others fail
  the run when CI=true and are reported otherwise.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKIPPED_CASE = re.compile(r"^\[  SKIPPED \] (\S+)(?: \(|$)", re.MULTILINE)


def read_words(path):
    lines = (ROOT / "tests" / path).read_text().splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def labels_of(build_dir):
    """test name -> labels"""
    listing = subprocess.run(["ctest", "--test-dir", build_dir, "--show-only=json-v1"],
                             check=True, capture_output=True, text=True).stdout
    labels = {}
    for test in json.loads(listing)["tests"]:
        for prop in test.get("properties", []):
            if prop["name"] == "LABELS":
                labels[test["name"]] = prop["value"]
    return labels


def check_budget(cases, labels, prefix):
    budget = {words[0]: float(words[1]) for words in read_words("BUDGET")}
    spent = {}
    for case in cases:
        for label in labels.get(case.get("name"), ["none"]):
            spent[label] = spent.get(label, 0.0) + float(case.get("time") or 0)
    problems = []
    for label, seconds in sorted(spent.items()):
        limit = budget.get(prefix + label)
        print(f"{prefix + label}: {seconds:.1f} s of {limit} s")
        if limit is None:
            problems.append(f"label {prefix + label} has no line in tests/BUDGET")
        elif seconds > limit:
            problems.append(f"label {prefix + label} took {seconds:.1f} s, its budget is {limit} s")
    return problems


def check_skips(cases):
    allowed = {words[0] for words in read_words("ALLOWED_SKIPS")}
    problems = []
    for case in cases:
        name = case.get("name")
        skipped = {name} if case.find("skipped") is not None else set()
        output = case.findtext("system-out") or ""
        skipped |= {f"{name}:{single}" for single in SKIPPED_CASE.findall(output)}
        problems += [f"{one} was skipped and is not in tests/ALLOWED_SKIPS"
                     for one in sorted(skipped - allowed)]
    if problems and os.environ.get("CI") != "true":
        print("\n".join(f"note: {problem}" for problem in problems))
        return []
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build_dir")
    parser.add_argument("junit")
    parser.add_argument("--label-prefix", default="")
    options = parser.parse_args()
    report = pathlib.Path(options.build_dir) / options.junit
    cases = list(xml.etree.ElementTree.parse(report).getroot().iter("testcase"))
    problems = check_budget(cases, labels_of(options.build_dir), options.label_prefix)
    problems += check_skips(cases)
    for problem in problems:
        print(f"error: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
