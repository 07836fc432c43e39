#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds roam_client.py, by itself and with what roam_sdk.py adds, against a
real server, and against one that lies.

    check_client.py build/roamd build

starts `roamd` on loopback in a directory of its own, on a free port, once for
all cases and again where a case kills it. Prints a line for each case, then
`N passed, N failed`; exits with 1 if one failed."""
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def generate(build):
    """build/gen-python/roam_pb2.py; others may do the same meanwhile. And the
    path to it, to the client, and to the vectors."""
    out = pathlib.Path(build).resolve() / "gen-python"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as new:
        proto = ROOT / "proto"
        subprocess.run(["protoc", "-I", proto, "--python_out", new,
                        proto / "roam.proto"], check=True)
        os.replace(new + "/roam_pb2.py", out / "roam_pb2.py")
    sys.path[:0] = [str(out), str(HERE), str(ROOT / "spec" / "vectors")]
    sys.dont_write_bytecode = True


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_client.py ROAMD BUILD")
    generate(sys.argv[2])
    import client_rig
    import client_alone  # noqa: F401, its cases
    import client_live  # noqa: F401
    import client_sdk  # noqa: F401
    import client_vectors  # noqa: F401
    failed = 0
    with client_rig.server_of_its_own(os.path.abspath(sys.argv[1])) as server:
        for client, function in client_rig.CASES:
            name = function.__name__.replace("_", " ")
            if client:
                client_rig.Server.client = client
                name = client.__name__ + ": " + name
            try:
                function(server)
                print("ok   " + name, flush=True)
            except Exception:
                failed += 1
                print("FAIL " + name, flush=True)
                traceback.print_exc(file=sys.stdout)
    print("%d passed, %d failed" % (len(client_rig.CASES) - failed, failed))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
