# SPDX-License-Identifier: GPL-2.0-or-later
"""The IKE SAs of an engine by SPI, and which of them have changed."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from ike.message.header import NO_SPI

T = TypeVar("T")


class Registry(Generic[T]):
    """IKE SAs by our SPI.

    It also collects the IKE SAs that have changed, for two readers: the deadline index computes
    their deadlines again, and the engine starts the exchanges that wait on them.
    """

    def __init__(self) -> None:
        self._by_spi: dict[bytes, T] = {}
        self._changed: dict[T, None] = {}
        self._ready: dict[T, None] = {}

    def new_spi(self, random: Callable[[int], bytes]) -> bytes:
        """Return an SPI of 8 octets that no IKE SA here has."""
        while (spi := random(len(NO_SPI))) in self._by_spi or spi == NO_SPI:
            pass
        return spi

    def add(self, spi: bytes, sa: T) -> None:
        """Add an IKE SA under its SPI."""
        self._by_spi[spi] = sa

    def remove(self, spi: bytes) -> None:
        """Remove an IKE SA; removing it again is not an error."""
        self._by_spi.pop(spi, None)

    def get(self, spi: bytes) -> T | None:
        """Return the IKE SA with an SPI."""
        return self._by_spi.get(spi)

    def values(self) -> Iterable[T]:
        """Return the IKE SAs in the order in which they were added."""
        return self._by_spi.values()

    def __len__(self) -> int:
        return len(self._by_spi)

    def __contains__(self, spi: object) -> bool:
        return spi in self._by_spi

    def touch(self, sa: T) -> None:
        """Note that an IKE SA is changing."""
        self._changed[sa] = None
        self._ready[sa] = None

    def take_changed(self) -> Iterable[T]:
        """Return the IKE SAs that have changed since the last call."""
        changed, self._changed = self._changed, {}
        return changed

    def take_ready(self) -> Iterable[T]:
        """Return the IKE SAs that may have an exchange to start, in the order of their changes."""
        ready, self._ready = self._ready, {}
        return ready
