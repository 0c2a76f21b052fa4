# SPDX-License-Identifier: GPL-2.0-or-later
"""A Child SA: a pair of ESP SAs that the TKM has installed in the kernel."""

from typing import Optional

from ike.config.model import ChildConfig
from ike.config.proposals import Suite
from ike.engine import selectors
from ike.engine.selectors import Selectors
from ike.engine.states import CHILD_SA, ChildState, ChildTrigger, advance
from ike.tkm_client import ChildKeys, EspOptions
from ike.value import Value


class Agreement(Value):
    """What both sides have agreed on.

    :ivar transforms: one of each type.
    :ivar spi_local: our inbound SPI, ``spi_remote`` the peer's.
    """

    config: ChildConfig
    transforms: Suite
    spi_local: bytes
    spi_remote: bytes
    local_ts: Selectors
    remote_ts: Selectors
    esp_options: EspOptions

    @property
    def spis(self) -> tuple[bytes, bytes]:
        """Ours and the peer's."""
        return self.spi_local, self.spi_remote


class ChildSa:
    """A Child SA.

    :ivar id: its number in this process.
    :ivar installed_at: when.
    :ivar successor: the one that takes its place, as soon as there is one.
    :ivar rival: the peer has rekeyed it, too, while our own request to do so was out: what came of
        that, and the lower of the two nonces.
    """

    def __init__(self, number: int, agreement: Agreement, keys: ChildKeys, now: float) -> None:
        self.id = number
        self.agreement = agreement
        self.keys = keys
        self.installed_at = now
        self.state = ChildState.INSTALLED
        self.successor: Optional[ChildSa] = None  # noqa: UP045
        self.collision: Optional[tuple[ChildSa, bytes]] = None  # noqa: UP045
        self._selected = False

    @property
    def config(self) -> ChildConfig:
        return self.agreement.config

    @property
    def spi_local(self) -> bytes:
        return self.agreement.spi_local

    @property
    def spi_remote(self) -> bytes:
        return self.agreement.spi_remote

    def advance(self, trigger: ChildTrigger) -> None:
        """Move on in the table of states."""
        self.state = advance(CHILD_SA, self.state, trigger)

    def select(self) -> None:
        """Send through it from now on."""
        if not self._selected:
            self._selected = True
            self.keys.select()

    def __str__(self) -> str:
        agreement = self.agreement
        return (
            f"{self.config.name}{{{self.id}}} established with SPIs {self.spi_local.hex()}_i "
            f"{self.spi_remote.hex()}_o and TS {selectors.spell(agreement.local_ts)} === "
            f"{selectors.spell(agreement.remote_ts)}"
        )
