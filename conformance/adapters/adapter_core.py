#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""roam_client.py alone, without roam_sdk.py, behind conformance/ADAPTER.md.

    adapter_core.py BUILD       # protoc made BUILD/gen-python/roam_pb2.py

It takes no time, so its program says when it comes back, and asks it whether
it may: a second later, as if section 9 were not there. All else that an
adapter does is adapter_python.py's."""
import adapter_python as adapter
import roam_client
import roam_pb2 as pb

WAIT_MS = 1000


class Handle(adapter.Handle):
    HELLO = dict(hello="roam_client.py", clock="none", capabilities=[
        "sync", "drop", "limits", "operations", "restart"])
    SDK = roam_client
    verb_ack = verb_history = None

    def options(self, r):
        return {}

    def refused(self, m):
        self.plan()
        if m.retry == pb.NOW:
            self.due = adapter.now_ms

    def failed(self):
        pass

    def tick(self):
        pass

    def plan(self):
        """Whether somebody has to ask for it first is what the client says."""
        self.due = None if self.client.person else adapter.now_ms + WAIT_MS


if __name__ == "__main__":
    adapter.main(Handle)
