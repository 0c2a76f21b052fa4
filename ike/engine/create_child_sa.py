# SPDX-License-Identifier: GPL-2.0-or-later
"""CREATE_CHILD_SA: a new Child SA on an IKE SA that stands (RFC 7296, 1.3.1)."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ike.config import proposals
from ike.config.model import ChildConfig
from ike.engine import negotiation
from ike.engine.child_negotiation import ChildAnswer, ChildOffer, install
from ike.engine.child_sa import Agreement, ChildSa
from ike.engine.events import ChildSaFailed
from ike.engine.exchange import Exchange, Scope
from ike.engine.followup_ke import Followed, conclude
from ike.engine.informational import DeleteSpi
from ike.engine.key_exchange_state import KeyExchangeState
from ike.engine.states import State
from ike.errors import PeerError, TemporaryFailure
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payload import Payload
from ike.message.sa import SecurityAssociation
from ike.tkm_client import ChildKeys, KeyInputs

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")

_MOST_TRIES = 8


class CreateChildSa(Followed):
    """Set up a Child SA.

    :param method: of the key exchange (PFS); by default the preferred one of the configuration.
    :param tries: how often it was tried before.
    """

    kind = ExchangeType.CREATE_CHILD_SA
    scope = Scope.CHILD_SA

    def __init__(self, config: ChildConfig, method: int | None = None, tries: int = 0) -> None:
        self.config = config
        self.creates = config
        preferred = proposals.groups(config.proposals[0]) or [0]
        self._method = preferred[0] if method is None else method
        self._tries = tries
        self._offer: ChildOffer | None = None
        self._key_state: KeyExchangeState | None = None
        self._result: tuple[Agreement, KeyInputs] | None = None

    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        log.info("establishing CHILD_SA %s", self.config.name)
        self._offer = ChildOffer(sa, self.config, self.config.proposals)
        self._key_state = KeyExchangeState(sa.context.tkm, self._method)
        return (
            self._offer.security_association(),
            *self._key_state.payloads(),
            *self._offer.payloads(),
        )

    def response(self, sa: "IkeSa", message: Message) -> None:
        message.raise_error()
        if self._offer is None or self._key_state is None:
            raise LookupError("CREATE_CHILD_SA has not begun")
        try:
            agreement, chosen = self._offer.accept(message)
            key_inputs = self._key_state.complete(
                chosen, message, initiator=True, spis=agreement.spis
            )
        except PeerError:
            if message.find(SecurityAssociation):
                self.renounce(sa)
            raise
        self._result = agreement, key_inputs
        self.follow_up(sa, self._key_state, negotiation.additional_of(chosen), message)

    def finish(self, sa: "IkeSa", key_state: KeyExchangeState) -> None:
        if self._result is None:
            raise LookupError("CREATE_CHILD_SA is not answered")
        agreement, key_inputs = self._result
        try:
            keys = ChildKeys.create(sa.keys, self.config.reqid, key_inputs, agreement.esp_options)
        except PeerError:
            self.renounce(sa)
            raise
        finally:
            key_state.free()
        child = install(sa, agreement, keys, self.replaces())
        self.installed(sa, child, key_inputs)
        if child.spi_remote in sa.deleted_early:
            sa.peer.remove(sa, child, "the peer has deleted it already")

    def renounce(self, sa: "IkeSa") -> None:
        if self._offer:
            sa.queue.put(DeleteSpi(self._offer.spi))

    def replaces(self) -> ChildSa | None:
        """The Child SA whose place it takes."""
        return None

    def installed(self, sa: "IkeSa", child: ChildSa, key_inputs: KeyInputs) -> None:
        """It has succeeded."""
        child.select()

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        super().failed(sa, error)
        another = self._another_try(sa, error)
        if another:
            sa.queue.put(another)
        else:
            fail_child(sa, self.config, error)

    def _another_try(self, sa: "IkeSa", error: PeerError) -> Exchange | None:
        """The same again: with the group that the peer wants, or when it may have time for it."""
        if self._tries >= _MOST_TRIES or sa.state is not State.ESTABLISHED:
            return None
        if error.notify == NotifyType.INVALID_KE_PAYLOAD:
            method = int.from_bytes(error.data, "big")
            offered = {g for suite in self.config.proposals for g in proposals.groups(suite)}
            return self.copy(method) if method in offered - {self._method} else None
        if error.notify in (NotifyType.TEMPORARY_FAILURE, NotifyType.STATE_NOT_FOUND):
            another = self.copy(self._method)
            another.not_before = sa.context.later()
            return another
        return None

    def copy(self, method: int) -> Exchange:
        """The same once more."""
        return CreateChildSa(self.config, method, self._tries + 1)

    def abandon(self) -> None:
        if self._key_state:
            self._key_state.free()

    def again(self) -> Exchange | None:
        return self.copy(self._method)


def check_collision(sa: "IkeSa") -> None:
    """No new Child SA while the IKE SA is on its way out (2.25.2).

    :raises TemporaryFailure: it is.
    """
    current = sa.queue.current
    if sa.state is not State.ESTABLISHED or (current and current.scope is Scope.IKE_SA):
        raise TemporaryFailure("the IKE SA is being rekeyed or deleted")


def answer(
    sa: "IkeSa",
    message: Message,
    configs: Sequence[ChildConfig],
    *,
    check: Callable[[], None],
    installed: Callable[[ChildSa, KeyInputs], None],
    rekeyed: ChildSa | None = None,
) -> Sequence[Payload]:
    """Set up the Child SA that the peer asks for: the response.

    :param check: raises when it cannot be; key exchanges may follow, and much happen meanwhile.
    :param installed: called with it, and what it came of.
    :raises PeerError: it cannot be; nothing has changed.
    """
    check()
    reply = ChildAnswer(sa, message, configs)
    agreement, chosen = reply.agreement, reply.chosen
    with KeyExchangeState(sa.context.tkm, negotiation.group_of(chosen)) as key_state:
        payloads = (reply.security_association(), *key_state.payloads(), *reply.payloads())
        key_inputs = key_state.complete(chosen, message, initiator=False, spis=agreement.spis)

        def finish() -> None:
            check()
            keys = ChildKeys.create(
                sa.keys, agreement.config.reqid, key_inputs, agreement.esp_options
            )
            installed(install(sa, agreement, keys, rekeyed), key_inputs)

        further = conclude(sa, key_state, negotiation.additional_of(chosen), finish)
    return (*payloads, *further)


def respond(sa: "IkeSa", message: Message) -> Sequence[Payload]:
    """Answer a request for a new Child SA."""
    return answer(
        sa,
        message,
        sa.peer.possible_children(),
        check=lambda: check_collision(sa),
        installed=lambda child, _: child.select(),
    )


def fail_child(sa: "IkeSa", config: ChildConfig, error: PeerError) -> None:
    """Tell that a Child SA did not come up."""
    log.info("failed to establish CHILD_SA %s: %s", config.name, error)
    sa.context.tell(ChildSaFailed(sa.id, config, str(error)))
