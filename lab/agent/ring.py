# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept in memory up to a bound: the newest; the oldest are forgotten.

The bound is octets of memory, not of content: a short frame takes as much again for Python's own
records of it, and a short log line several times its length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

SLOT = 9
"""Octets that a deque takes for each of its items: a pointer, and a share of its block."""


class Ring(Generic[T]):
    """A queue of which only its end is here."""

    def __init__(self, bound: int, size: Callable[[T], int]) -> None:
        """Begin with nothing.

        Args:
            bound: how many octets all items may take.
            size: the octets of memory that an item takes; always the same for one item.
        """
        self._bound = bound
        self._size_of = size
        self._items: deque[T] = deque()
        self._size = 0

    def keep(self, item: T) -> int:
        """Add an item; return how many of the oldest are forgotten for it."""
        self._items.append(item)
        self._size += self._size_of(item)
        forgotten = 0
        while self._size > self._bound:
            self._size -= self._size_of(self._items.popleft())
            forgotten += 1
        return forgotten

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __reversed__(self) -> Iterator[T]:
        return reversed(self._items)
