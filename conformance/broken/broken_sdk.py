#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client SDK that breaks one rule on purpose, to practise on and to measure
the suite by: adapter_python.py, bent in one named place.

    ROAM_FAULT=NAME broken_sdk.py BUILD

Without ROAM_FAULT it is an honest client. conformance/broken/client-faults
says which rule each fault breaks and which cases show it; the sdk_*.py have
them by what they are about. Faults that bend what an adapter says, whatever
client is behind it, are broken_relay.py's, with libroam behind it."""
import os
import pathlib
import sys

import sdk_bend
import sdk_bytes  # noqa: F401, its faults
import sdk_delivery  # noqa: F401
import sdk_sending  # noqa: F401
import sdk_session  # noqa: F401
import sdk_time  # noqa: F401
import sdk_tls  # noqa: F401

if __name__ == "__main__":
    name = os.environ.get("ROAM_FAULT")
    if name and name not in sdk_bend.FAULTS:    # of what libroam alone has
        os.execv(pathlib.Path(__file__).with_name("broken_relay.py"), [
            "broken_relay.py", os.environ.get(
                "ROAM_ADAPTER", sys.argv[1] + "/adapter-libroam")])
    if name:
        sdk_bend.FAULTS[name]()
    sdk_bend.adapter.main()

