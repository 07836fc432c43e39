#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Adapters with one mistake each, for the tests of the self-check.

    bad_adapter.py MODE BUILD

Everything else is adapter_python.py's."""
import collections
import json
import os
import pathlib
import sys
import time

MODE = sys.argv.pop(1)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "adapters"))
import adapter_python as adapter  # noqa: E402

plain = adapter.say


told = collections.Counter()


def said(event, line):
    """How many there have been, if this is one."""
    told[event] += line.get("event") == event
    return told[event] if line.get("event") == event else 0


def say(**line):
    if MODE == "no-flush":
        print(json.dumps(line))
        return
    if MODE == "silent":
        return
    if MODE == "quit-refused" and line.keys() == {"id", "answer"} \
            and line["answer"] == "ok":     # at first only quit has no more
        line["answer"] = "error"
    if MODE == "old-version" and "hello" in line:
        line["adapter"] = 0
    if MODE == "other-protocol" and "hello" in line:
        line["protocols"] = [7]
    if MODE == "no-clock" and "hello" in line:
        del line["clock"]
    if MODE == "real" and "hello" in line:
        line["clock"] = "real"
    if MODE == "real" and "now" in line:
        line = dict(id=line["id"], answer="unsupported")
    if MODE == "two-hellos" and line.get("answer"):
        plain(hello="again")
    if MODE == "all-ok" and line.get("answer") == "unsupported":
        line["answer"] = "ok"
    if MODE == "vague-error" and line.get("answer") == "error":
        del line["definite"]
    if MODE == "wrong-answer" and line.get("answer") == "unsupported":
        line["answer"] = "maybe"
    if MODE == "mixes-handles" and "handle" in line:
        line["handle"] = line["handle"].replace("x-", "y-")
    if MODE == "hides-lies" and line.get("event") == "closed":
        line["detail"] = ""
    if MODE == "clock-too-fast" and "now" in line:
        line["now"] = str(2 * int(line["now"]))
    if MODE == "unknown-event" and line.get("event") == "granted":
        line["event"] = "welcome"
    if MODE == "number-as-number" and line.get("event") == "message":
        line["version"] = int(line["version"])
    if MODE == "another-generation" and line.get("event") == "granted":
        line["generation"] = "77"
    if MODE == "knows-every-handle" and line.get("answer") == "error":
        line["answer"] = "ok"
    if MODE == "real-but-advances" and "hello" in line:
        line["clock"] = "real"
    if MODE == "no-now" and "now" in line:
        del line["now"]
    if MODE == "other-handle" and line.get("event") == "granted":
        line["handle"] = line["handle"].replace("a-", "b-")
    if MODE == "no-id":
        line.pop("client_msg_id", None)
    if MODE == "too-early" and "next_ms" in line:
        line["next_ms"] = str(int(line["next_ms"]) // 2)
    if MODE == "no-page" and line.get("event") == "page":
        return
    if MODE == "page-fails" and line.get("event") == "page":
        line = dict(event="failed", handle=line["handle"], ref=line["ref"],
                    code="32")
    if MODE == "endless-page" and said("page", line) > 1:   # the first: a list
        line["more"] = True
    if MODE == "hears-one-answer" and said("sent", line) > 1:
        return
    if MODE == "another-row" and line.get("event") == "page-row":
        line["body"] = "00"
    if MODE == "silent-outbox" and line.get("event") == "sent":
        return
    if MODE == "id-as-text" and "answer" in line:
        line["id"] = str(line["id"])
    if MODE == "answers-twice" and "answer" in line:
        plain(**line)
    if MODE == "no-cursor" and "cursor" in line:
        del line["cursor"]
    if MODE == "unsent-as-number" and "unsent" in line:
        line["unsent"] = int(line["unsent"])
    if MODE == "other-capability" and "hello" in line:
        line["capabilities"].append("akc")
    if MODE == "counts-too-much" and "sent" in line:
        line["sent"] = str(int(line["sent"]) + 1000)
    if MODE == "not-json" and line.get("answer"):
        os.write(1, b"debug: got a request\n")
    plain(**line)


def real_clock():
    """No mistake: time goes by, and nobody can make it."""
    start, wait = time.monotonic(), adapter.select.select

    def select(files, *others):
        adapter.now_ms = int((time.monotonic() - start) * 1000)
        for handle in list(adapter.handles.values()):
            handle.work()
        return wait([file for file in files if file == 0
                     or file.fileno() >= 0], *others, 0.01)
    adapter.select = type("", (), dict(select=staticmethod(select)))


def serve(request, kind, plain=adapter.serve):
    """Of those that must know what they are asked."""
    verb = request["verb"]
    if MODE == "no-history" and verb == "history":
        return say(id=request["id"], answer="unsupported")
    if MODE == "refuses-ack" and verb == "ack":
        return say(id=request["id"], answer="error", code="BUSY",
                   definite=True)
    if MODE == "says-otherwise" and verb == "send":
        request = dict(request, body=request["body"] + "00")
    if MODE == "dies-in-send" and verb == "send":
        sys.exit("Traceback: nothing to send")
    if MODE == "hangs" and verb == "send":
        return None
    if MODE == "bad-status-later" and verb == "send":
        adapter.status = 7
    return plain(request, kind)


adapter.say, adapter.serve = say, serve
if MODE == "real":
    real_clock()
if MODE == "dies":
    adapter.Handle.__init__ = lambda *_: sys.exit("Traceback: no such thing")
adapter.status = 7 if MODE == "bad-status" else 0
adapter.main()
sys.exit(adapter.status)
