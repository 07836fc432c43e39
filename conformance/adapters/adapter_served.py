#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""adapter_python.py over TCP, loaded once: each connection is a run of its
own, in a process of its own.

    adapter_served.py BUILD     # prints its port, and serves until killed

For suites of many cases: loading Python and protobuf takes more of the
machine than most cases do. The suite is told of it by --adapter and -j."""
import gc
import os
import signal
import socket
import sys

import adapter_python


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for fd in (sys.stdin.fileno(), sys.stdout.fileno()):
        os.dup2(connection.fileno(), fd)
    connection.close()
    adapter_python.main()


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)   # nobody waits for them
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        gc.freeze()         # what is loaded stays shared
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return serve(connection)
            connection.close()


if __name__ == "__main__":
    main()
