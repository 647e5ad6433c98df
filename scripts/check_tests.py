#!/usr/bin/env python3
"""Fails when a source file or test script under tests/ is in no CMake target, so that no test is
forgotten by being left out of the build."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"


def is_listed(source):
    """Named, relative to it, by the CMakeLists.txt of its folder or of one above."""
    folder = source.parent
    while True:
        lists = folder / "CMakeLists.txt"
        name = source.relative_to(folder).as_posix()
        if lists.exists() and name in lists.read_text():
            return True
        if folder == TESTS:
            return False
        folder = folder.parent


def main():
    wanted = sorted([*TESTS.rglob("*.cc"), *TESTS.rglob("*_test.py"), *TESTS.rglob("*_test.sh")])
    lost = [source for source in wanted if not is_listed(source)]
    for source in lost:
        print(f"{source.relative_to(ROOT)}: in no CMakeLists.txt")
    if not lost:
        print(f"tests: {len(wanted)} files, all in targets")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
