#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests roam.lua with tshark: against captures of scenarios that just ran,
and against one frame of each kind and each fault, made here.

    check_dissector.py BUILD        last line "N passed, N failed"

Where tshark is not installed, the line says "N skipped" too, and in CI
(CI=... in the environment) that is a failure. Newer ones load no script for
root, who runs them as nobody here.
"""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LUA = HERE / "roam.lua"
SERVER_PORT = 7626
# Whom tshark runs as.
AS_USER = {"user": "nobody", "group": "nogroup", "extra_groups": []} \
    if os.geteuid() == 0 else {}

passed = 0
failures = []


def check(ok, text):
    """Counts one check; `text` says what is wrong if it is not ok."""
    global passed
    if ok:
        passed += 1
    else:
        failures.append(text)
        print("not ok:", text)


def tshark(path, *options):
    """Lines of tshark's output; the script lies beside the capture."""
    path.chmod(0o644)
    done = subprocess.run(
        ["tshark", "-X", f"lua_script:{path.parent / LUA.name}",
         "-r", str(path), *options],
        capture_output=True, encoding="utf-8", timeout=120, **AS_USER,
        env=dict(os.environ, LC_ALL="C.UTF-8", HOME=str(path.parent)))
    errors = done.stderr.splitlines()
    check(done.returncode == 0 and not errors, f"{path}: tshark: {errors[:3]}")
    return done.stdout.splitlines()


def fields(path, display, *names):
    """Rows of these fields, of packets that match."""
    options = [o for name in names for o in ("-e", name)]
    return [line.split("\t") for line in
            tshark(path, "-Y", display, "-T", "fields", *options)]


# --------------------------------------------------------- captures of cases


def check_captures(build, directory):
    for prefix in ("02-kick/takeover", "07-batch/long", "08-frame/byte"):
        subprocess.run(
            [build / "roam-conform", "server", "--roamd", build / "roamd",
             "--case", prefix, "--trace-dir", directory], check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    check_takeover(directory / "02-kick-takeover.pcapng")
    check_split(directory / "08-frame-byte-by-byte.pcapng")
    check_batches(directory / "07-batch-long-backlog.pcapng")
    for path in sorted(directory.glob("*.pcapng")):
        wrong = tshark(path, "-o", "tcp.check_checksum:TRUE",
                       "-o", "ip.check_checksum:TRUE", "-Y",
                       "tcp.checksum.status == 0 || ip.checksum.status == 0 "
                       "|| tcp.analysis.flags")
        check(not wrong, f"{path.name}: {wrong[:2]}")


def check_takeover(path):
    """The same frames as in the text beside it, in the same order."""
    text = path.with_suffix(".txt").read_text()
    frames = re.findall(r"(?m)/\d+ (?:->|<-) (\w+) \(0x(\w\w)\)", text)
    types = [t for row in fields(path, "roam", "roam.type")
             for t in row[0].split(",")]
    check([f"0x{n}" for _, n in frames] == types and len(types) > 5,
          f"takeover: {frames} and {types}")
    kick = fields(path, "roam.kick.reason == 1", "roam.kick.reason",
                  "roam.holder.device_type", "roam.expert.kick")
    check(len(kick) == 1 and kick[0][:2] == ["1", "1"] and kick[0][2],
          f"takeover: KICK {kick}")
    user = fields(path, "roam.type == 1", "roam.login.user")
    check(user and "user=\"" + user[0][0].split(",")[0] + "\"" in text,
          f"takeover: {user}")
    comment = tshark(path, "-T", "fields", "-e", "frame.comment")[0]
    check(comment.startswith("device "), f"takeover: comment {comment}")
    kick = tshark(path, "-N", "n", "-Y", "roam.kick.reason == 1", "-T",
                  "fields", "-e", "ip.src_host", "-e", "ip.dst_host")
    check(kick == ["server\told"], f"takeover: names {kick}")


def check_split(path):
    """Frames of many segments are put together."""
    check(fields(path, "roam.type == 1", "roam.login.user"), "split: no LOGIN")
    check(not fields(path, "roam.expert.malformed", "frame.number"),
          "split: malformed")


def check_batches(path):
    rows = fields(path, "roam.type == 0x46", "roam.batch.count", "roam.batch.codec",
                  "roam.columns.body_length", "roam.expert.deflate")
    check(len(rows) > 1, f"batches: {len(rows)}")
    for count, codec, lengths, failed in rows:
        check(codec and not failed, f"batch: codec {codec}, {failed}")
        n = int(count.split(",")[0])
        check("," in count or len(lengths.split(",")) == min(n, 200),
              f"batch: {n} rows, {lengths[:40]}")


# -------------------------------------------------------------- made frames


def packet(payload, to_server, sequence):
    ports = (40000, SERVER_PORT) if to_server else (SERVER_PORT, 40000)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, 1, 0x50, 0x18, 65535, 0,
                      0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0x4000,
                     64, 6, 0, bytes([192, 0, 2, 10 if to_server else 1]),
                     bytes([192, 0, 2, 1 if to_server else 10]))
    return ip + tcp + payload


def frame(number, payload=b""):
    return bytes([number]) + len(payload).to_bytes(3, "big") + payload


def capture(path, frames, most=1 << 18):
    """A pcap with one packet a frame; frames: [(bytes, to server?)]. Of each
    packet it has `most` bytes, as `tcpdump -s` does."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, most, 228)
    sequences = {True: 1, False: 1}
    for data, to_server in frames:
        p = packet(data, to_server, sequences[to_server])
        sequences[to_server] += len(data)
        kept = p[:most]
        out += struct.pack("<IIII", 0, 0, len(kept), len(p)) + kept
    path.write_bytes(out)


FAULTS = [
    ("unknown_frame", frame(0x7F), False),
    ("ignorable", frame(0x81, b"abc"), True),
    ("direction", frame(0x06, b"\x08\x01"), False),
    ("malformed", frame(0x06, b"\x08"), True),
    ("malformed", frame(0x01, b"\x12\x7fx"), True),
    ("wire_type", frame(0x06, b"\x0a\x01x"), True),
    ("unknown_field", frame(0x06, b"\xf8\x01\x01"), True),
    ("unknown_value", frame(0x43, b"\x08\x7f"), False),
    ("utf8", frame(0x01, b"\x12\x02\xc0\xaf"), True),
    ("kick", frame(0x43, b"\x08\x01"), False),
    ("refused", frame(0x42, b"\x08\x01"), False),
    ("error", frame(0x49, b"\x08\x21"), False),
]
# What must be told exactly: (filter of a field, frame, to server?, value).
VALUES = [
    ("roam.ping.id", frame(0x06, b"\x08" + b"\xff" * 9 + b"\x01"), True,
     str(2 ** 64 - 1)),
    ("roam.ping.id", frame(0x06, b"\x08" + b"\xff" * 8 + b"\x7f"), True,
     str(2 ** 63 - 1)),
    ("roam.send.client_msg_id",
     frame(0x05, b"\x09" + bytes(range(8))), True, "0x0706050403020100"),
    ("roam.login.user", frame(0x01, b"\x12\x02\xc3\xa9"), True, "\u00e9"),
]


def check_made(directory):
    path = directory / "made.pcap"
    capture(path, [(data, to_server) for _, data, to_server in FAULTS])
    names = sorted({name for name, _, _ in FAULTS})
    rows = fields(path, "roam", *(f"roam.expert.{n}" for n in names))
    check(len(rows) == len(FAULTS), f"faults: {len(rows)} frames")
    for (name, data, _), row in zip(FAULTS, rows):
        told = {n for n, value in zip(names, row) if value}
        check(name in told and told <= {name, "kick"},
              f"{name}: {data.hex()}: {told}")
    for name, data, to_server, value in VALUES:
        capture(path, [(data, to_server)])
        rows = fields(path, "roam", name)
        check(rows == [[value]], f"{name}: {rows} is not {value}")
    numbers = [int(n, 16) for n in re.findall(
        r"(?m)^    \[(0x\w\w)\] = \{\"", LUA.read_text())]
    capture(path, [(frame(n), not n & 0x40) for n in numbers])
    rows = fields(path, "roam", "roam.type")
    check(len(numbers) > 15 and
          [int(r[0], 16) for r in rows] == numbers, f"types: {rows}")
    check(not fields(path, "roam.expert.unknown_frame", "frame.number"),
          "types: one is unknown")


def check_cut(directory):
    """Packets that the capture has not all of, cut at every byte."""
    path = directory / "cut.pcap"
    login = frame(1, b"\x08\x01\x12\x05alice\x28\x01")
    frames = [(login, True), (frame(6, b"\x08\x05"), True),
              (frame(0x41, b"\x08\x07"), False)]
    for kept in range(1, len(login)):
        capture(path, frames, 40 + kept)
        text = tshark(path, "-V")
        check(not any("Lua Error" in line or "[Malformed" in line
                      for line in text), f"cut at {kept}: {text[-3:]}")
        rows = fields(path, "roam", "roam.expert.cut", "roam.expert.malformed",
                      "roam.login.user", "roam.login_ok.generation")
        check(len(rows) == 3 and rows[0][0] and not any(r[1] for r in rows),
              f"cut at {kept}: {rows}")
        check((rows[0][2] == "alice") == (kept >= 13) and
              (rows[2][3] == "7") == (kept >= 6), f"cut at {kept}: {rows}")


def main():
    if not shutil.which("tshark"):
        print("tshark is not installed: nothing was decoded")
        print("0 passed, 1 failed" if os.environ.get("CI")
              else "1 passed, 0 failed, 1 skipped")
        return 1 if os.environ.get("CI") else 0
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        (directory / LUA.name).write_text(LUA.read_text())
        (directory / LUA.name).chmod(0o644)
        check_made(directory)
        check_cut(directory)
        check_captures(build, directory)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
