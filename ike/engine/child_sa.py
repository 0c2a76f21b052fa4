# SPDX-License-Identifier: GPL-2.0-or-later
"""A Child SA: a pair of ESP SAs that the TKM has installed in the kernel."""

import contextlib
from collections.abc import Container

from ike.config.model import ChildConfig
from ike.config.proposals import Suite
from ike.engine import selectors
from ike.engine.collision import Collision
from ike.engine.selectors import Selectors
from ike.engine.states import CHILD_SA, ChildState, ChildTrigger, advance
from ike.message.errors import TrustedRefusal
from ike.tkm_client import ChildKeys, EspOptions
from ike.value import Value


class Agreement(Value):
    """What both sides have agreed on.

    Attributes:
        transforms: One of each type.
        spi_local: Our inbound SPI, ``spi_remote`` the peer's.
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

    Attributes:
        id: Its number in this process.
        installed_at: When.
        successor: The one that takes its place, as soon as there is one.
    """

    def __init__(self, number: int, agreement: Agreement, keys: ChildKeys, now: float) -> None:
        self.id = number
        self.agreement = agreement
        self.keys = keys
        self.installed_at = now
        self.state = ChildState.INSTALLED
        self.successor: ChildSa | None = None
        self._collision: Collision[ChildSa] | None = None
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

    @property
    def newest(self) -> "ChildSa":
        """The last one of its successors, or itself."""
        newest = self
        while newest.successor:
            newest = newest.successor
        return newest

    @property
    def is_selected(self) -> bool:
        """It is sent through."""
        return self._selected

    def give_way_to(self, successor: "ChildSa") -> None:
        """Note which Child SA carries the traffic once this one is gone."""
        if self.successor is None and self is not successor:
            self.successor = successor

    def hand_over(self) -> None:
        """Let its successor carry the traffic, since its states go."""
        if self.successor and self.successor.state is not ChildState.GONE:
            with contextlib.suppress(TrustedRefusal):  # without a TKM the successor is void, too
                self.successor.select()

    def rekeyed_by_peer(self, successor: "ChildSa", lowest_nonce: bytes) -> None:
        """Note that the peer has rekeyed it, maybe while our own request to do so is out."""
        self.successor = successor
        if self.state is ChildState.REKEYING:
            self._collision = Collision(successor, lowest_nonce)
        else:
            self.advance(ChildTrigger.REPLACED)

    def rekeyed_by_us(self, successor: "ChildSa") -> None:
        """Note that our own rekeying is over, and which Child SA takes its place."""
        self.successor = successor
        if self.state is ChildState.REKEYING:
            self.advance(ChildTrigger.REPLACED)

    def not_rekeyed(self) -> None:
        """Note that our own request to rekey it has come to nothing."""
        if self.state is ChildState.REKEYING:
            self.advance(ChildTrigger.KEEP)

    def collision(self, alive: Container[bytes]) -> Collision["ChildSa"] | None:
        """Return what the peer's rekeying has created while our own request was out.

        Args:
            alive: Our inbound SPIs of the peer's Child SAs.

        Returns:
            The newest successor, since the peer may have rekeyed the first one in turn; ``None`` if
            there is no collision, or the peer has deleted its Child SA again.
        """
        if self._collision is None:
            return None
        newest = self._collision.successor.newest
        if newest.spi_local not in alive:
            return None
        return Collision(newest, self._collision.lowest_nonce)

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
