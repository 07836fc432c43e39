# SPDX-License-Identifier: Apache-2.0
"""What bends the Python client: a fault is a function that puts something else
in the place of a method, and stands in FAULTS under its name."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "adapters"))
import adapter_python as adapter  # noqa: E402
import roam_client as roam  # noqa: E402
import roam_pb2 as pb  # noqa: E402, F401
import roam_sdk  # noqa: E402

Client, Store, Handle = roam_sdk.Client, roam_sdk.Store, adapter.Handle
Refuse, FRAMES = roam.Refuse, roam.FRAMES
Link = adapter.roam_link.Link
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


def returns(when):
    """Comes back at once where `when(client)` says so."""
    plain = Client.retry

    def retry(self):
        action, ms = plain(self)
        return ("connect", 0) if when(self) else (action, ms)
    Client.retry = retry


def keeps(self):
    """Forgets that a person is to be asked."""
    self.person, self.told_to = None, 0
