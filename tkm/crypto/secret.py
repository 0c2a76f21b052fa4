# SPDX-License-Identifier: GPL-2.0-or-later
"""Octets that nobody else may see.

A secret has one owner, who wipes it. Python cannot promise that no copy is ever made, but it makes
none behind our back while octets stay in one buffer: so secrets live in a ``bytearray``, and octets
that a library hands out as ``bytes`` are moved in and wiped at their source.
"""

import ctypes
import hmac
from typing import Final, NoReturn, Self

from tkm.rpc.wipe import wipe

_BYTES_HEADER: Final = bytes.__basicsize__ - 1


def wipe_bytes(octets: bytes) -> None:
    """Zero the memory of a ``bytes`` object that nobody else holds.

    Python calls these immutable, and shares those of up to one octet: those are left alone.
    """
    if len(octets) > 1:
        ctypes.memset(id(octets) + _BYTES_HEADER, 0, len(octets))


class Secret:
    """A secret octet string; as a context manager it is wiped at the end of the block."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytearray | memoryview) -> None:
        self._octets = octets

    @classmethod
    def take(cls, octets: bytes) -> Self:
        """Move octets out of a ``bytes`` object, which is zeroed."""
        secret = cls(bytearray(octets))
        wipe_bytes(octets)
        return secret

    @property
    def octets(self) -> bytearray | memoryview:
        """The buffer itself: to be read at once, never kept."""
        return self._octets

    def part(self, start: int, length: int) -> "Secret":
        """Some of these octets, in the same memory: wiped with this one, whose owner stays it."""
        return Secret(memoryview(self._octets)[start : start + length])

    def cut(self, length: int) -> "Secret":
        """The first ``length`` octets, in the same memory; the others are zeroed."""
        rest = self.part(length, len(self) - length)
        rest.wipe()
        return self.part(0, length)

    def wipe(self) -> None:
        """Zero the octets and forget them."""
        wipe(self._octets)
        self._octets = bytearray()

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._octets, other._octets)

    __hash__ = None  # type: ignore[assignment]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"<secret of {len(self)} octets>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not travel")
