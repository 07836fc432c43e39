#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the files that are to show how little a client or an adapter takes to
their number of lines, all lines counted; and the client to what it may import.

    check_sizes.py

Prints a line for each that fails, then `N passed, N failed`."""
import ast
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent

# File, most lines, and why no more.
SIZES = (
    ("roam_client.py", 400, "a client can be read in one sitting, and written"
                            " from the spec in a few days"),
    ("adapter_python.py", 249, "whoever has an SDK puts it behind the suite in"
                               " an afternoon"),
    ("adapter_libroam.c", 249, "so does whoever has one in C"),
    ("kit.c", 330, "what all adapters in C share is read before it is used"),
    ("kit.h", 110, "and this is all of it that has to be"),
    ("adapter_core.py", 50, "what is judged is the client of 400 lines, not"
                            " what stands around it"),
)
# File, and what it may import besides Python's own library (zlib is in it).
IMPORTS = (
    ("roam_client.py", {"google.protobuf", "roam_pb2"}),
    ("roam_sdk.py", {"roam_client", "roam_pb2"}),
)


def imported(path):
    """The modules that a file names, each as it is named."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Name) and node.id in (
                "__import__", "exec", "eval"):
            yield node.id


def allowed(name, besides):
    top = name.split(".")[0]
    return (top in sys.stdlib_module_names and top != "importlib"
            or any(name == one or name.startswith(one + ".")
                   for one in besides))


def faults():
    """For each that is checked what is wrong with it, or None."""
    for name, most, why in SIZES:
        count = len((HERE / name).read_text().splitlines())
        yield None if count <= most else "%s: %d lines, not %d: %s" % (
            name, count, most, why)
    for name, besides in IMPORTS:
        others = [one for one in imported(HERE / name)
                  if not allowed(one, besides)]
        yield others and "%s: imports %s" % (name, ", ".join(others)) or None


def main():
    found = list(faults())
    failed = [fault for fault in found if fault]
    for fault in failed:
        print(fault)
    print("%d passed, %d failed" % (len(found) - len(failed), len(failed)))
    return failed != []


if __name__ == "__main__":
    sys.exit(main())
