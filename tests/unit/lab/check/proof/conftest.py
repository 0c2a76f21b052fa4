# SPDX-License-Identifier: GPL-2.0-or-later
"""Alice and bob, the SAs between them, a ping and its reply."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.check.proof import Echo, Frame, Mode, Sa

from . import builder


@dataclass(frozen=True)
class Pair:
    """Two hosts, an SA each way, and what they said to each other."""

    there: Sa
    back: Sa
    request: Echo

    @property
    def sas(self) -> list[Sa]:
        return [self.there, self.back]

    @property
    def messages(self) -> list[Echo]:
        return [self.request, self.request.reply()]

    @property
    def packets(self) -> list[bytes]:
        """The request and the reply, each in its ESP packet with sequence number 1."""
        return [
            builder.carry(self.there, 1, self.request),
            builder.carry(self.back, 1, self.request.reply()),
        ]

    @property
    def frames(self) -> list[Frame]:
        return builder.capture(self.packets, ["alice", "bob"])


def pair(outer: tuple[str, str], inner: tuple[str, str], mode: Mode) -> Pair:
    return Pair(
        builder.sa(*outer, 0xC0000001, mode),
        builder.sa(outer[1], outer[0], 0xC0000002, mode),
        Echo(*inner, identifier=926, sequence=1, payload=builder.octets(56, 5)),
    )


@pytest.fixture
def v4() -> Pair:
    """Transport mode, IPv4."""
    addresses = ("192.168.0.1", "192.168.0.2")
    return pair(addresses, addresses, Mode.TRANSPORT)


@pytest.fixture
def v6() -> Pair:
    """Transport mode, IPv6."""
    addresses = ("fd00::1", "fd00::2")
    return pair(addresses, addresses, Mode.TRANSPORT)


@pytest.fixture
def tunnel() -> Pair:
    """Tunnel mode, IPv4 in IPv4."""
    return pair(("192.168.0.1", "192.168.0.2"), ("10.1.0.5", "10.2.0.7"), Mode.TUNNEL)


@pytest.fixture
def tunnel6() -> Pair:
    """Tunnel mode, IPv6 in IPv4."""
    return pair(("192.168.0.1", "192.168.0.2"), ("fd01::5", "fd02::7"), Mode.TUNNEL)
