#!/usr/bin/env python3
"""Checks the #include lines of server/ against server/LAYERS: a folder includes itself and
strictly lower layers; "only X" limits it to X and itself."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"(server/[^"]+)"')


def read_layers(path):
    """folder -> (layer, allowed folders or None)"""
    layers = {}
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        only = words[3:] if words[2:3] == ["only"] else None
        layers[words[0]] = (int(words[1]), only)
    return layers


def folder_of(path, layers):
    """The longest listed folder that holds server/<path>."""
    parts = pathlib.PurePosixPath(path).parts[1:-1]
    for length in range(len(parts), 0, -1):
        folder = "/".join(parts[:length])
        if folder in layers:
            return folder
    return None


def problems_of(source, layers):
    own = folder_of(source.relative_to(ROOT).as_posix(), layers)
    if own is None:
        return [f"{source}: its folder is not in server/LAYERS"]
    layer, only = layers[own]
    found = []
    for number, line in enumerate(source.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        other = folder_of(match[1], layers)
        where = f"{source.relative_to(ROOT)}:{number}: {own} (layer {layer})"
        if other is None:
            found.append(f"{where} includes {match[1]}, whose folder is not in server/LAYERS")
        elif other == own:
            continue
        elif only is not None and other not in only:
            found.append(f"{where} may only include {', '.join(only)}, not {other}")
        elif layers[other][0] >= layer:
            found.append(f"{where} includes {other} (layer {layers[other][0]})")
    return found


def main():
    layers = read_layers(ROOT / "server" / "LAYERS")
    problems = []
    for suffix in ("*.h", "*.cc"):
        for source in sorted((ROOT / "server").rglob(suffix)):
            problems += problems_of(source, layers)
    print("\n".join(problems) if problems else f"layers: {len(layers)} folders in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
