#!/usr/bin/env python3
"""Checks the #include lines of server/, client/ and operator/ against their LAYERS: a folder includes
itself and strictly lower layers of its tree; "only X" limits it to X and itself. Of other trees it
sees the folders that "uses" names. The public headers of client/ include nothing of its inside."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREES = ("server", "client", "operator")
INCLUDE = re.compile(r'^\s*#\s*include\s+"((?:server|operator|client)/[^"]+)"')
# What the users of client/client.h must not have to see.
INSIDE = re.compile(r'^\s*#\s*include\s+(["<](?:grpc|google/protobuf|client/internal/|[^">]*\.pb\.h))')


def read_layers(path):
    """folder -> (layer, allowed folders or None, folders of other trees)"""
    layers = {}
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        only = words[3:] if words[2:3] == ["only"] else None
        uses = words[3:] if words[2:3] == ["uses"] else []
        layers[words[0]] = (int(words[1]), only, uses)
    return layers


def folder_of(path, layers):
    """The longest listed folder that holds <tree>/<path>; "." is the rest of the tree."""
    parts = pathlib.PurePosixPath(path).parts[1:-1]
    for length in range(len(parts), 0, -1):
        folder = "/".join(parts[:length])
        if folder in layers:
            return folder
    return "." if "." in layers else None


def problem_of(included, own, tree, layers):
    """What is wrong with this include, or None."""
    layer, only, uses = layers[own]
    if not included.startswith(tree + "/"):
        if any(included.startswith(folder + "/") for folder in uses):
            return None
        return f"includes {included}, which {tree}/LAYERS does not let it use"
    other = folder_of(included, layers)
    if other is None:
        return f"includes {included}, whose folder is not in {tree}/LAYERS"
    if other == own:
        return None
    if only is not None and other not in only:
        return f"may only include {', '.join(only)}, not {other}"
    if layers[other][0] >= layer:
        return f"includes {other} (layer {layers[other][0]})"
    return None


def problems_of(source, tree, layers):
    own = folder_of(source.relative_to(ROOT).as_posix(), layers)
    if own is None:
        return [f"{source}: its folder is not in {tree}/LAYERS"]
    found = []
    for number, line in enumerate(source.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        problem = problem_of(match[1], own, tree, layers) if match else None
        if problem:
            where = f"{source.relative_to(ROOT)}:{number}"
            found.append(f"{where}: {own} (layer {layers[own][0]}) {problem}")
    return found


def problems_of_public(header):
    found = []
    for number, line in enumerate(header.read_text().splitlines(), 1):
        match = INSIDE.match(line)
        if match:
            found.append(f"{header.relative_to(ROOT)}:{number}: public, but includes {match[1]}")
    return found


def main():
    problems = []
    folders = 0
    for tree in TREES:
        layers = read_layers(ROOT / tree / "LAYERS")
        folders += len(layers)
        for suffix in ("*.h", "*.cc"):
            for source in sorted((ROOT / tree).rglob(suffix)):
                problems += problems_of(source, tree, layers)
    for header in sorted((ROOT / "client").glob("*.h")):
        problems += problems_of_public(header)
    print("\n".join(problems) if problems else f"layers: {folders} folders in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
