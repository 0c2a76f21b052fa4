# SPDX-License-Identifier: GPL-2.0-or-later
"""The elements of DER (X.690), for the few things that the library does not read."""

from collections.abc import Iterator
from typing import NamedTuple


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
