# SPDX-License-Identifier: GPL-2.0-or-later
"""Look for octet strings in the whole memory of processes. It runs alone, inside of a node, too.

    memory_scan.py PID… <NEEDLES

Standard input has a JSON object: name to hexadecimal digits. Standard output gets another one: by
process, the names of those that are in its memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

_PIECE = 1 << 20


def search(pid: int, needles: Mapping[str, bytes]) -> set[str]:
    """The names of what is anywhere in the readable memory of a process."""
    overlap = max(map(len, needles.values())) - 1
    found: set[str] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _mappings(pid):
            for piece in _pieces(memory, start, end, overlap):
                found |= {name for name, octets in needles.items() if octets in piece}
    return found


def _mappings(pid: int) -> list[tuple[int, int]]:
    with Path(f"/proc/{pid}/maps").open() as maps:
        rows = [line.split() for line in maps]
    special = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
    ranges = [row[0].split("-") for row in rows if "r" in row[1] and row[-1] not in special]
    return [(int(start, 16), int(end, 16)) for start, end in ranges]


def _pieces(memory: BinaryIO, start: int, end: int, overlap: int) -> Iterator[bytes]:
    """The octets of a mapping; pieces share what could be one needle."""
    rest = b""
    for at in range(start, end, _PIECE):
        memory.seek(at)
        try:
            piece = memory.read(min(_PIECE, end - at))
        except OSError:  # a page behind the end of its file
            rest = b""
            continue
        yield rest + piece
        rest = piece[len(piece) - overlap :] if overlap else b""


def numbers(**values: int) -> dict[str, bytes]:
    """Numbers as octets in both orders, as libraries and files have them."""
    return {
        f"{name}, {order} endian": value.to_bytes((value.bit_length() + 7) // 8, order)
        for name, value in values.items()
        for order in ("big", "little")
    }


if __name__ == "__main__":
    given = {name: bytes.fromhex(digits) for name, digits in json.load(sys.stdin).items()}
    print(json.dumps({pid: sorted(search(int(pid), given)) for pid in sys.argv[1:]}))
