#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client SDK that breaks one rule on purpose, to practise on and to measure
the suite by: adapter_python.py, bent in one named place.

    ROAM_FAULT=NAME broken_sdk.py BUILD

Without ROAM_FAULT it is an honest client. conformance/broken/client-faults
says which rule each fault breaks and which cases show it."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "adapters"))
import adapter_python as adapter  # noqa: E402
import roam_client as roam  # noqa: E402
import roam_pb2 as pb  # noqa: E402

Client, Handle = roam.Client, adapter.Handle
FAULTS = {}


def fault(function):
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def behind(owner, name, more):
    """Runs `more` after the method."""
    plain = getattr(owner, name)

    def both(self, *values, **named):
        result = plain(self, *values, **named)
        more(self, *values)
        return result
    setattr(owner, name, both)


def before(owner, name, more):
    plain = getattr(owner, name)

    def both(self, *values, **named):
        more(self, *values)
        return plain(self, *values, **named)
    setattr(owner, name, both)


# ---------------------------------------------------------------- the chain

@fault
def gap_silent():
    """Drops what is behind a gap and waits for better times."""
    plain = Client.sync

    def sync(self):
        if not self.gaps:
            plain(self)
    Client.sync = sync


if __name__ == "__main__":
    name = os.environ.get("ROAM_FAULT")
    if name:
        FAULTS[name]()
    adapter.main()
