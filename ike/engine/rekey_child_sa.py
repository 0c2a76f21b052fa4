# SPDX-License-Identifier: GPL-2.0-or-later
"""CREATE_CHILD_SA that rekeys a Child SA (RFC 7296, 1.3.3, 2.8 and 2.25.1).

Who has rekeyed a Child SA deletes the old one. If both sides do it at once there are two new ones:
the one that was made with the lowest of the four nonces is deleted by the side that asked for it,
the other one stays, and the side that asked for that deletes the old one (2.8.1). Each side knows
all four nonces when the response to its own request comes in; it settles the matter then.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ike.engine import create_child_sa
from ike.engine.child_sa import ChildSa
from ike.engine.create_child_sa import CreateChildSa
from ike.engine.exchange import Exchange
from ike.engine.informational import DeleteChildSa
from ike.engine.states import ChildState, ChildTrigger
from ike.errors import PeerError, TemporaryFailure
from ike.message.message import Message
from ike.message.notify import Notify
from ike.message.numbers import NotifyType, Protocol
from ike.message.payload import Payload
from ike.tkm_client import KeyInputs

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


class RekeyChildSa(CreateChildSa):
    """Put another Child SA in the place of one."""

    def __init__(self, child: ChildSa, method: int | None = None, tries: int = 0) -> None:
        super().__init__(child.config, method, tries)
        self._child = child

    def is_wanted(self, sa: "IkeSa") -> bool:
        alive = self._child.spi_local in sa.peer.children
        return alive and self._child.state is ChildState.INSTALLED

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        payloads = super().request(sa)
        self._child.advance(ChildTrigger.REKEY)
        rekey = Notify(NotifyType.REKEY_SA, protocol=Protocol.ESP, spi=self._child.spi_local)
        return (rekey, *payloads)

    def replaces(self) -> ChildSa | None:
        return self._child

    def installed(self, sa: "IkeSa", child: ChildSa, key_inputs: KeyInputs) -> None:
        old = self._child
        collision = self._living_collision(sa)
        if collision and key_inputs.lowest_nonce < collision[1]:
            log.info("CHILD_SA %s{%d} is redundant", child.config.name, child.id)
            self._replace(collision[0])
            sa.queue.put(DeleteChildSa(child, "the peer has rekeyed it, too"))
            return
        self._replace(child)
        child.select()
        if old.state is not ChildState.GONE:
            sa.queue.put(DeleteChildSa(old, "it was rekeyed"))

    def _living_collision(self, sa: "IkeSa") -> tuple[ChildSa, bytes] | None:
        """What the peer has put in the same place, or in turn in the place of that.

        ``None`` if it has deleted it again, or has put nothing there.
        """
        if self._child.collision is None:
            return None
        collision, lowest_nonce = self._child.collision
        while collision.successor:
            collision = collision.successor
        return (collision, lowest_nonce) if collision.spi_local in sa.peer.children else None

    def _replace(self, successor: ChildSa) -> None:
        self._child.successor = successor
        if self._child.state is ChildState.REKEYING:
            self._child.advance(ChildTrigger.REPLACED)

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        if collision := self._living_collision(sa):
            log.info("the peer has rekeyed CHILD_SA %s first", self.config.name)
            self.abandon()
            self._replace(collision[0])
        elif error.notify == NotifyType.CHILD_SA_NOT_FOUND:
            self.abandon()
            sa.peer.remove(sa, self._child, "the peer does not have it")
            if not any(c.config == self.config for c in sa.peer.children.values()):
                sa.queue.put(CreateChildSa(self.config))
        else:
            super().failed(sa, error)

    def copy(self, method: int) -> Exchange:
        return RekeyChildSa(self._child, method, self._tries + 1)

    def drop(self, sa: "IkeSa", reason: str) -> None:
        self.abandon()  # nobody waits for it: the old one goes on

    def abandon(self) -> None:
        super().abandon()
        if self._child.state is ChildState.REKEYING:
            self._child.advance(ChildTrigger.KEEP)


def respond(sa: "IkeSa", message: Message, rekey: Notify) -> Sequence[Payload]:
    """Answer a request to rekey the Child SA that ``rekey`` names."""
    create_child_sa.check_collision(sa)
    old = sa.peer.by_remote_spi(rekey.spi) if rekey.protocol == Protocol.ESP else None
    if old is None:
        if sa.queue.current and sa.queue.current.creates:
            raise TemporaryFailure("it may be the CHILD_SA that is just being set up")
        log.info("%s: no CHILD_SA with SPI %s to rekey", sa.name, rekey.spi.hex())
        return (Notify(NotifyType.CHILD_SA_NOT_FOUND, b"", rekey.protocol, rekey.spi),)
    return create_child_sa.answer(
        sa,
        message,
        (old.config,),
        check=lambda: _check(sa, old),
        installed=lambda child, key_inputs: _installed(old, child, key_inputs),
        rekeyed=old,
    )


def _check(sa: "IkeSa", old: ChildSa) -> None:
    create_child_sa.check_collision(sa)
    if old.state not in (ChildState.INSTALLED, ChildState.REKEYING):
        raise TemporaryFailure(f"CHILD_SA {old.config.name}{{{old.id}}} is {old.state.value}")


def _installed(old: ChildSa, child: ChildSa, key_inputs: KeyInputs) -> None:
    old.successor = child
    if old.state is ChildState.REKEYING:
        old.collision = child, key_inputs.lowest_nonce
    else:
        old.advance(ChildTrigger.REPLACED)
