#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the test vectors against a second reading of the spec, reading.py.

usage: check.py [FOLDER_OF_ROAM_PB2]

Prints a line for each vector that fails, and `N passed, N failed`.
"""
import sys

sys.dont_write_bytecode = True
import generated  # noqa: E402

generated.load()
from reading import U32, Refuse, decode, inflate, unpack  # noqa: E402
from vector_file import hex_of, parse  # noqa: E402

FILES = ("client.txt", "server.txt", "reject.txt", "batch.txt",
         "batch-example.txt", "batch-reject.txt", "page.txt",
         "page-reject.txt")


def value_text(field, value):
    if field.type == field.TYPE_STRING:
        return f'"{value}"'
    if field.type == field.TYPE_BYTES:
        return value.hex()
    return "true" if value is True else str(value)


def field_lines(message, prefix=""):
    for field, value in message.ListFields():
        if field.message_type is not None:
            yield field.name
            yield from field_lines(value, f"{field.name}.")
        else:
            yield f"{prefix}{field.name} {value_text(field, value)}"


def row_line(row):
    words = []
    for name, value in row.items():
        if name == "kind":
            value &= U32
        if not value and name not in ("version", "prev_version", "kind"):
            continue
        if isinstance(value, str):
            value = f'"{value}"'
        elif value is True:
            value = "true"
        elif isinstance(value, bytes):
            value = value.hex()
        words.append(f"{name} {value}")
    return " ".join(words)


def same(what, got, want):
    assert got == want, f"{what}: {got} instead of {want}"


def check(sections):
    known = {"limit", "offer", "bytes", "columns", "fields", "rows", "error",
             "skip", "refused"}
    assert set(sections) <= known, f"unknown: {set(sections) - known}"
    want = sections.get("error", [""])[0]
    limit = int(sections.get("limit", [65536])[0])
    try:
        message = decode(hex_of(sections["bytes"]), limit)
    except Refuse as refused:
        same("error", refused.args[0], want)
        return
    same("error", "", want)
    same("skip", message is None, "skip" in sections)
    if message is None:
        return
    same("fields", list(field_lines(message)), sections["fields"])
    if "offer" not in sections:
        return
    codecs, max_inflated, *max_rows = map(int, sections["offer"][0].split())
    want = sections.get("refused", [""])[0]
    try:
        if max_rows and message.count > max_rows[0]:
            raise Refuse("COUNT")
        data = inflate(message, codecs, max_inflated)
        rows = [row_line(row) for row in unpack(message, data)]
    except Refuse as refused:
        same("refused", refused.args[0], want)
        return
    same("refused", "", want)
    same("columns", data, hex_of(sections["columns"]))
    same("rows", rows, sections["rows"])


def main():
    passed = failed = 0
    for name in FILES:
        for vector, sections in parse(generated.HERE / name):
            try:
                check(sections)
                passed += 1
            except (AssertionError, KeyError) as error:
                failed += 1
                print(f"{name}: {vector}: {error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
