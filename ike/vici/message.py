# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of VICI: trees of sections, values and lists (strongSwan, VICI protocol).

A message is a dictionary: texts are values, lists of texts are lists, dictionaries are sections.
Values may be any octets on the wire, certificates for one. They are texts here all the same, where
octets that are not UTF-8 become lone surrogates (PEP 383): :func:`octets` and :func:`text` go
from one to the other, and lose nothing.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Union

from ike.vici.errors import BrokenMessage, TooLong

Element = Union[str, list[str], "Section"]
Section = dict[str, Element]

_DEEPEST = 32


class ElementType(IntEnum):
    SECTION_START = 1
    SECTION_END = 2
    KEY_VALUE = 3
    LIST_START = 4
    LIST_ITEM = 5
    LIST_END = 6


def octets(value: str) -> bytes:
    """Return the octets of a value."""
    return value.encode("utf-8", "surrogateescape")


def text(value: bytes) -> str:
    """Octets as a value."""
    return value.decode("utf-8", "surrogateescape")


def encode(message: Section) -> bytes:
    """A message's octets.

    Raises:
        TooLong: A name is longer than 255 octets, or a value longer than 65,535.
    """
    return b"".join(_elements(message))


def _elements(section: Section) -> Iterator[bytes]:
    for name, element in section.items():
        label = _sized(octets(name), 1)
        if isinstance(element, str):
            yield bytes((ElementType.KEY_VALUE,)) + label + _sized(octets(element), 2)
        elif isinstance(element, list):
            yield bytes((ElementType.LIST_START,)) + label
            for item in element:
                yield bytes((ElementType.LIST_ITEM,)) + _sized(octets(item), 2)
            yield bytes((ElementType.LIST_END,))
        else:
            yield bytes((ElementType.SECTION_START,)) + label
            yield from _elements(element)
            yield bytes((ElementType.SECTION_END,))


def _sized(value: bytes, width: int) -> bytes:
    """Return a value with its length, in ``width`` octets, in front of it."""
    try:
        return len(value).to_bytes(width, "big") + value
    except OverflowError:
        raise TooLong(f"{len(value)} octets are too many for a message") from None


def decode(body: bytes) -> Section:
    """The message that ``body`` is.

    Raises:
        BrokenMessage: It is none.
    """
    return _Decoder(body).decode()


class _Decoder:
    """Reads elements one by one; not recursive, for depth is the sender's choice."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0
        self._path: list[Section] = [{}]
        self._list: list[str] | None = None

    def decode(self) -> Section:
        while self._at < len(self._body):
            self._element(self._take(1)[0])
        if len(self._path) > 1 or self._list is not None:
            raise BrokenMessage("a section or a list is not closed")
        return self._path[0]

    def _element(self, kind: int) -> None:
        if self._list is not None:
            self._in_list(kind, self._list)
        elif kind == ElementType.KEY_VALUE:
            name = self._name()
            self._add(name, self._sized(2))
        elif kind == ElementType.LIST_START:
            self._list = []
            self._add(self._name(), self._list)
        elif kind == ElementType.SECTION_START:
            section: Section = {}
            self._add(self._name(), section)
            self._path.append(section)
            if len(self._path) > _DEEPEST:
                raise BrokenMessage(f"sections in more than {_DEEPEST} sections")
        elif kind == ElementType.SECTION_END and len(self._path) > 1:
            self._path.pop()
        else:
            raise BrokenMessage(f"an element of type {kind} cannot be in a section")

    def _in_list(self, kind: int, items: list[str]) -> None:
        if kind == ElementType.LIST_ITEM:
            items.append(self._sized(2))
        elif kind == ElementType.LIST_END:
            self._list = None
        else:
            raise BrokenMessage(f"an element of type {kind} cannot be in a list")

    def _add(self, name: str, element: Element) -> None:
        if name in self._path[-1]:
            raise BrokenMessage(f"{name!r} is there twice")
        self._path[-1][name] = element

    def _name(self) -> str:
        return self._sized(1)

    def _sized(self, width: int) -> str:
        return text(self._take(int.from_bytes(self._take(width), "big")))

    def _take(self, count: int) -> bytes:
        taken = self._body[self._at : self._at + count]
        if len(taken) < count:
            raise BrokenMessage("an element runs past the end")
        self._at += count
        return taken
