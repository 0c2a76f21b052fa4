# SPDX-License-Identifier: GPL-2.0-or-later
"""CREATE_CHILD_SA that rekeys a Child SA (RFC 7296, 1.3.3, 2.8 and 2.25.1).

The side that has rekeyed a Child SA deletes the old one. If both sides do it at once there are two
new ones: the one that was made with the lowest of the four nonces is deleted by the side that asked
for it, the other one stays, and the side that asked for that deletes the old one (2.8.1). Each side
knows all four nonces when the response to its own request comes in; it settles the matter then.
"""

import logging
from collections.abc import Sequence

from ike.engine import create_child_sa
from ike.engine.child_sa import ChildSa
from ike.engine.create_child_sa import CreateChildSa
from ike.engine.exchange import Exchange, ExchangeContext, Steps
from ike.engine.informational import DeleteChildSa
from ike.engine.states import ChildState, ChildTrigger
from ike.message.errors import PeerError, TemporaryFailure
from ike.message.message import Message
from ike.message.numbers import NotifyType, Protocol
from ike.message.payloads import Notify, Payload
from ike.tkm_client import KeyInputs

log = logging.getLogger("ike")


class RekeyChildSa(CreateChildSa):
    """Create a Child SA in the place of another one.

    Args:
        child: The Child SA to rekey.
        method: Method of the key exchange; by default the first one of the configuration.
        tries: How often it was tried before.
    """

    def __init__(self, child: ChildSa, method: int | None = None, tries: int = 0) -> None:
        super().__init__(child.config, method, tries)
        self._child = child

    def is_wanted(self, sa: ExchangeContext) -> bool:
        alive = self._child.spi_local in sa.peer.children
        return alive and self._child.state is ChildState.INSTALLED

    def run(self, sa: ExchangeContext) -> Steps:
        self._child.advance(ChildTrigger.REKEY)
        try:
            yield from super().run(sa)
        finally:
            self._child.not_rekeyed()  # or it is replaced already

    def rekeyed(self) -> Sequence[Payload]:
        spi = self._child.spi_local
        return (Notify(NotifyType.REKEY_SA, protocol=Protocol.ESP, spi=spi),)

    def replaces(self) -> ChildSa | None:
        return self._child

    def installed(self, sa: ExchangeContext, child: ChildSa, inputs: KeyInputs) -> None:
        old = self._child
        collision = old.collision(sa.peer.children)
        if collision and inputs.lowest_nonce < collision.lowest_nonce:
            log.info("CHILD_SA %s{%d} is redundant", child.config.name, child.id)
            old.rekeyed_by_us(collision.successor)
            sa.enqueue(DeleteChildSa(child, "the peer has rekeyed it, too"))
            return
        if not create_child_sa.send_through(sa, child):
            return
        old.rekeyed_by_us(child)
        if old.state is not ChildState.GONE:
            sa.enqueue(DeleteChildSa(old, "it was rekeyed"))

    def failed(self, sa: ExchangeContext, error: PeerError) -> None:
        if collision := self._child.collision(sa.peer.children):
            log.info("the peer has rekeyed CHILD_SA %s first", self.config.name)
            self._child.rekeyed_by_us(collision.successor)
        elif error.notify == NotifyType.CHILD_SA_NOT_FOUND:
            sa.remove_child(self._child, "the peer does not have it")
            if not any(c.config == self.config for c in sa.peer.children.values()):
                sa.enqueue(CreateChildSa(self.config))
        else:
            super().failed(sa, error)

    def copy(self, method: int, not_before: float = 0.0) -> Exchange[ExchangeContext]:
        return RekeyChildSa(self._child, method, self._tries + 1).after(not_before)

    def drop(self, sa: ExchangeContext, reason: str) -> None:
        """Report nothing: no one waits for it, and the old Child SA stays."""


def respond(sa: ExchangeContext, message: Message, rekey: Notify) -> Sequence[Payload]:
    """Answer a request to rekey the Child SA that ``rekey`` names."""
    create_child_sa.check_collision(sa)
    old = sa.peer.by_remote_spi(rekey.spi) if rekey.protocol == Protocol.ESP else None
    if old is None:
        if sa.outstanding and sa.outstanding.creates:
            raise TemporaryFailure("it may be the CHILD_SA that is just being set up")
        log.info("%s: no CHILD_SA with SPI %s to rekey", sa.name, rekey.spi.hex())
        return (Notify(NotifyType.CHILD_SA_NOT_FOUND, b"", rekey.protocol, rekey.spi),)
    return create_child_sa.answer(
        sa,
        message,
        (old.config,),
        check=lambda: _check(sa, old),
        installed=lambda child, inputs: _installed(sa, old, child, inputs),
        rekeyed=old,
    )


def _installed(sa: ExchangeContext, old: ChildSa, child: ChildSa, inputs: KeyInputs) -> None:
    old.rekeyed_by_peer(child, inputs.lowest_nonce)
    sa.context.handovers.begin((old,), child)


def _check(sa: ExchangeContext, old: ChildSa) -> None:
    create_child_sa.check_collision(sa)
    if old.state not in (ChildState.INSTALLED, ChildState.REKEYING):
        raise TemporaryFailure(f"CHILD_SA {old.config.name}{{{old.id}}} is {old.state.value}")
