# SPDX-License-Identifier: GPL-2.0-or-later
"""What the TKM asks of a kernel."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tkm.algorithms import ORIGINAL
from tkm.config.policy import Policy
from tkm.crypto.secret import Secret
from tkm.crypto.suite import ESP, Protection


@dataclass(frozen=True)
class StatePair:
    """The two states of a Child SA.

    :ivar spi_in: SPI of what we receive, four octets as in the packet.
    :ivar spi_out: SPI of what we send.
    :ivar esn: with extended sequence numbers.
    :ivar encap: in UDP, between these ports, ours and the peer's (RFC 3948).
    :ivar protection: the algorithms.
    """

    policy: Policy
    spi_in: bytes
    spi_out: bytes
    esn: bool = False
    encap: tuple[int, int] | None = None
    protection: Protection = ESP[ORIGINAL]

    @property
    def spis(self) -> str:
        """Both SPIs, for logs."""
        return f"SPI_in {hexadecimal(self.spi_in)}, SPI_out {hexadecimal(self.spi_out)}"


def hexadecimal(spi: bytes) -> str:
    """An SPI for logs, as the original writes it: upper case, no leading zeros."""
    return f"{int.from_bytes(spi, 'big'):X}"


class StateKeys(NamedTuple):
    """Keys of one direction; that of the encryption with its salt, if it has one."""

    encryption: Secret
    integrity: Secret

    def wipe(self) -> None:
        """Zero both."""
        self.encryption.wipe()
        self.integrity.wipe()


class Kernel(Protocol):
    """The SPD and SAD of this network namespace. Each call raises ``KernelError``."""

    def protect(self, policies: Iterable[Policy]) -> None:
        """Traffic of these policies must be protected from now on; other policies stay."""

    def take_over(self, policies: Iterable[Policy]) -> None:
        """Remove all policies but these, then all states."""

    def replace(self, policies: Iterable[Policy]) -> None:
        """These policies instead of those that there are; states stay."""

    def flush_states(self) -> None:
        """Remove all states; policies stay."""

    def flush(self) -> None:
        """Remove all policies and states: traffic is plain from now on."""

    def add_inbound(self, pair: StatePair, keys: StateKeys) -> None:
        """Install the state that receives."""

    def add_outbound(self, pair: StatePair, keys: StateKeys) -> None:
        """Install the state that sends: it does so in the place of older ones of its policy."""

    def delete_states(self, pair: StatePair, *, sends: bool) -> None:
        """Remove the state that receives, and if it has one, the one that sends.

        One that has expired is not missed.
        """
