# SPDX-License-Identifier: GPL-2.0-or-later
"""The elements of DER (X.690), for the few things that the library does not read."""

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Final, NamedTuple

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


class Element(NamedTuple):
    """Tag, length and contents.

    :ivar octets: all three.
    """

    octets: bytes
    contents: bytes


def elements(octets: bytes) -> Iterator[Element]:
    """The elements that fill ``octets``.

    :raises ValueError: they do not.
    :raises IndexError: the last one is cut off.
    """
    at = 0
    while at < len(octets):
        start, length = at + 2, octets[at + 1]
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(octets[at + 2 : start], "big")
        end = start + length
        if end > len(octets):
            raise ValueError("an element runs past the end")
        yield Element(octets[at:end], octets[start:end])
        at = end


def contents(octets: bytes) -> list[Element]:
    """The elements in the first element of ``octets``; what is behind it is not looked at."""
    return list(elements(next(elements(octets)).contents))


def of_file(octets: bytes) -> bytes:
    """The DER of a file: its only PEM block, or all of it but what an editor leaves behind it.

    :raises ValueError: it is empty, or has several blocks.
    :raises IndexError: it is cut off.
    """
    if b"-----BEGIN" in octets:
        ((_, text),) = _PEM.findall(octets)
        return b64decode(text)
    first = next(elements(octets), Element(b"", b"")).octets
    return first if octets[len(first) :].isspace() else octets
