"""The commands of README.md's section on Kubernetes, run as they are written: only the values of its
variables (NAME=...) are replaced by those of the testbed."""

import os
import re

from bed import ROOT, TESTBED, Failed, run

PATIENCE = 1000


def blocks():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        section = re.search(r"^## Kubernetes\n(.*?)^## ", file.read(), re.MULTILINE | re.DOTALL)[1]
    return re.findall(r"^```bash\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def block_with(text):
    """The one block that has this in it."""
    found = [block for block in blocks() if text in block]
    if len(found) != 1:
        raise Failed(f"README's section on Kubernetes has {len(found)} blocks with {text!r}")
    return found[0]


def run_block(bed, text, **values):
    """Its commands in the repository, with kubectl and helm of the testbed."""
    script = block_with(text)
    for name, value in values.items():
        script, count = re.subn(rf"^{name}=.*$", f"{name}={value}", script, flags=re.MULTILINE)
        if count != 1:
            raise Failed(f"README sets {name} {count} times")
    tools = bed.path("tools")
    os.makedirs(tools, exist_ok=True)
    for tool in ("kubectl", "helm"):
        with open(os.path.join(tools, tool), "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nexec {TESTBED} {tool} \"$@\"\n")
        os.chmod(os.path.join(tools, tool), 0o755)
    environment = {**os.environ, "PATH": tools + ":" + os.environ["PATH"]}
    return run("bash", "-e", "-c", f"cd {ROOT}\n{script}", timeout=PATIENCE, env=environment).stdout
