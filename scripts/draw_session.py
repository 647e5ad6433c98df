#!/usr/bin/env python3
"""Runs a short session of Debian's etcdctl against our server and draws what the terminal shows as
docs/session.svg, the picture of the README."""

import os
import subprocess
import sys
from xml.sax.saxutils import escape

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from etcd_process import EtcdProcess, etcdctl_environment  # noqa: E402

COMMANDS = [
    ["put", "greeting", "hello"],
    ["put", "greeting", "hello again"],
    ["get", "greeting"],
    ["get", "greeting", "--rev=2"],
    ["lease", "grant", "3600"],
    ["endpoint", "health"],
]
LINE_PX, CHAR_PX, MARGIN_PX = 20, 8.6, 16


def session():
    lines = []
    with EtcdProcess() as etcd:
        for words in COMMANDS:
            lines.append("$ etcdctl " + " ".join(f"'{w}'" if " " in w else w for w in words))
            done = subprocess.run(etcd.etcdctl_command(*words), env=etcdctl_environment(), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
            # The picture shows etcd's own port, not the one that the kernel chose.
            shown = done.stdout.replace(etcd.endpoint(), "127.0.0.1:2379")
            lines += shown.rstrip("\n").split("\n")
        watch = subprocess.Popen(etcd.etcdctl_command("watch", "--rev=1", "--prefix", ""),
                                 env=etcdctl_environment(), stdout=subprocess.PIPE, text=True)
        lines.append("$ etcdctl watch --rev=1 --prefix ''")
        lines += [watch.stdout.readline().rstrip("\n") for _ in range(6)]
        watch.kill()
        watch.communicate()
    return lines


def draw(lines):
    width = int(2 * MARGIN_PX + CHAR_PX * max(len(line) for line in lines))
    height = 2 * MARGIN_PX + LINE_PX * len(lines)
    rows = []
    for number, line in enumerate(lines):
        color = "#8fd18f" if line.startswith("$ ") else "#d8d8d8"
        y = MARGIN_PX + LINE_PX * (number + 0.75)
        rows.append(f'<text x="{MARGIN_PX}" y="{y:.0f}" fill="{color}" xml:space="preserve">'
                    f'{escape(line)}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">\n'
            f'<rect width="100%" height="100%" rx="8" fill="#1e1e1e"/>\n'
            f'<g font-family="monospace" font-size="14">\n' + "\n".join(rows) + "\n</g>\n</svg>\n")


if __name__ == "__main__":
    with open(os.path.join(ROOT, "docs", "session.svg"), "w", encoding="utf-8") as out:
        out.write(draw(session()))
