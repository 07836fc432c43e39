# SPDX-License-Identifier: Apache-2.0
"""Where roam_client.py's bytes go: TCP, or TLS where somebody is to be trusted.
Nothing here waits but connecting, and the handshake with it."""
import select
import socket


class Link:
    PATIENCE_S = 10     # TIME-9: for TCP, and for the handshake in all

    def __init__(self, host, port, ca=None):
        """`ca` is the text of a PEM file; None goes without TLS."""
        self.address, self.sock, self.out = (host, port), None, b""
        self.connections = self.received = self.sent = 0
        self.context = self.ticket = None
        self.again = (BlockingIOError,)
        if ca:
            import ssl                  # here: it takes its time to load
            self.again += (ssl.SSLWantReadError,)
            self.context = ssl.create_default_context(cadata=ca)
            self.context.set_alpn_protocols(["roam/1"])             # TLS-1

    def connect(self):
        """OSError: it came to nothing, or the server is not trusted."""
        sock = socket.create_connection(self.address, self.PATIENCE_S)
        self.connections += 1
        self.received = self.sent = 0
        self.out = b""
        if self.context:                                            # TLS-3
            sock = self.context.wrap_socket(
                sock, server_hostname=self.address[0], session=self.ticket)
        sock.setblocking(False)
        self.sock = sock

    def close(self):
        """For the next connection the ticket is kept.              TLS-7"""
        self.ticket = getattr(self.sock, "session", None)
        self.sock.close()
        self.sock = None

    def write(self, data):
        self.out += data
        try:
            while self.out:
                count = self.sock.send(self.out)
                self.out, self.sent = self.out[count:], self.sent + count
        except OSError:
            pass                        # full; or reading tells how it ended

    def read(self):
        """b"" is the end; None: there is nothing now."""
        try:
            data = self.sock.recv(65536)
        except self.again:
            return None
        except OSError:
            return b""
        self.received += len(data)
        return data

    def wait(self):
        """Until there may be something to read."""
        select.select([self.sock], [], [])
