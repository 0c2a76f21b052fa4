# SPDX-License-Identifier: GPL-2.0-or-later
"""Simultaneous rekeying of an SA by both sides (RFC 7296, 2.8.1 and 2.8.2)."""

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Collision(NamedTuple, Generic[T]):
    """The peer has rekeyed an SA while our own request to rekey it was out.

    Attributes:
        successor: The SA that the peer's request created.
        lowest_nonce: The lower of the two nonces of that exchange.
    """

    successor: T
    lowest_nonce: bytes
