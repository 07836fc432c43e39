# SPDX-License-Identifier: Apache-2.0
"""Finds roam_pb2, the module that protoc generates from proto/roam.proto."""
import importlib
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def load():
    """Imports roam_pb2 from the folder that the program was given as its
    argument; without one, generates it first."""
    if len(sys.argv) > 1:
        folder = pathlib.Path(sys.argv[1])
    else:
        folder = ROOT / "build" / "gen" / "python"
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["protoc", "-I", str(ROOT / "proto"), f"--python_out={folder}",
             "roam.proto"], check=True)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    return importlib.import_module("roam_pb2")
