# SPDX-License-Identifier: Apache-2.0
"""Reads the files of vectors; README.md has the format."""


def parse(path):
    """Yields (name, {section: lines}) of each vector of a file."""
    name, sections, section = None, {}, None
    for line in path.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("vector "):
            if name:
                yield name, sections
            name, sections, section = line.split()[1], {}, None
        elif not line.startswith(" "):
            section, *rest = line.split(maxsplit=1)
            assert section not in sections, f"{name}: {section} twice"
            sections[section] = rest
        else:
            sections[section].append(line.strip())
    yield name, sections


def hex_of(lines):
    return bytes.fromhex(" ".join(line.split("#")[0] for line in lines))
