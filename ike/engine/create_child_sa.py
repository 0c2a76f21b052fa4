# SPDX-License-Identifier: GPL-2.0-or-later
"""CREATE_CHILD_SA: a new Child SA on an established IKE SA (RFC 7296, 1.3.1)."""

import logging
from collections.abc import Callable, Sequence
from typing import Self

from ike.config import proposals
from ike.config.model import ChildConfig
from ike.engine import followup_ke, negotiation, share
from ike.engine.child_negotiation import ChildAnswer, ChildOffer
from ike.engine.child_sa import ChildSa
from ike.engine.events import ChildSaFailed
from ike.engine.exchange import Exchange, ExchangeContext, Request, Scope, Steps
from ike.engine.followup_ke import conclude
from ike.engine.informational import DeleteChildSa, DeleteSpi
from ike.engine.key_exchange_state import KeyExchangeState
from ike.engine.states import State
from ike.message.errors import Declined, PeerError, TemporaryFailure, TrustedRefusal
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payloads import Payload, SecurityAssociation
from ike.tkm_client import ChildKeys, KeyInputs

log = logging.getLogger("ike")

_MOST_TRIES = 8


class CreateChildSa(Exchange[ExchangeContext]):
    """Set up a Child SA.

    Args:
        config: The Child SA.
        method: Method of the key exchange (PFS); by default the first one of the configuration.
        tries: How often it was tried before.
    """

    scope = Scope.CHILD_SA

    def __init__(self, config: ChildConfig, method: int | None = None, tries: int = 0) -> None:
        self.config = config
        self.creates = config
        preferred = proposals.groups(config.proposals[0]) or [0]
        self._method = preferred[0] if method is None else method
        self._tries = tries

    def run(self, sa: ExchangeContext) -> Steps:
        log.info("establishing CHILD_SA %s", self.config.name)
        offer = ChildOffer(sa, self.config, self.config.proposals)
        with KeyExchangeState(sa.context.tkm, self._method) as key_state:
            message = yield Request(
                ExchangeType.CREATE_CHILD_SA,
                (
                    *self.rekeyed(),
                    offer.security_association(),
                    *key_state.payloads(),
                    *offer.payloads(),
                ),
            )
            message.raise_error()

            def rejected() -> None:
                # The peer may have created what we cannot use.
                sa.enqueue(DeleteSpi(offer.spi))

            try:
                agreement, chosen = offer.accept(message)
                inputs = key_state.complete(chosen, message, initiator=True, spis=agreement.spis)
            except PeerError:
                if message.find(SecurityAssociation):
                    rejected()
                raise
            methods = negotiation.additional_of(chosen)
            yield from followup_ke.initiate(key_state, methods, message, rejected)
            try:
                keys = ChildKeys.create(sa.keys, self.config.reqid, inputs, agreement.esp_options)
            except PeerError:
                rejected()
                raise
        child = sa.install_child(agreement, keys, self.replaces())
        self.installed(sa, child, inputs)
        if sa.was_deleted_early(child.spi_remote):
            sa.remove_child(child, "the peer has deleted it already")

    def rekeyed(self) -> Sequence[Payload]:
        """Return the payload that names the Child SA to rekey, if there is one."""
        return ()

    def replaces(self) -> ChildSa | None:
        """Return the Child SA whose place it takes."""
        return None

    def installed(self, sa: ExchangeContext, child: ChildSa, inputs: KeyInputs) -> None:
        """Handle that the Child SA is installed."""
        send_through(sa, child)

    def failed(self, sa: ExchangeContext, error: PeerError) -> None:
        super().failed(sa, error)
        another = self._another_try(sa, error)
        if another:
            sa.enqueue(another)
        else:
            report_failure(sa, self.config, error)
            begin_anew(sa, error)

    def _another_try(
        self, sa: ExchangeContext, error: PeerError
    ) -> Exchange[ExchangeContext] | None:
        """Return another try: with the group that the peer wants, or when it may be less busy."""
        if self._tries >= _MOST_TRIES or sa.state is not State.ESTABLISHED:
            return None
        if error.notify == NotifyType.INVALID_KE_PAYLOAD:
            method = int.from_bytes(error.data, "big")
            offered = {g for suite in self.config.proposals for g in proposals.groups(suite)}
            return self.copy(method) if method in offered - {self._method} else None
        if error.notify in (NotifyType.TEMPORARY_FAILURE, NotifyType.STATE_NOT_FOUND):
            return self.copy(self._method, sa.context.later())
        return None

    def copy(self, method: int, not_before: float = 0.0) -> Exchange[ExchangeContext]:
        """Return the same exchange for another try."""
        return CreateChildSa(self.config, method, self._tries + 1).after(not_before)

    def after(self, not_before: float) -> Self:
        """Do not start it before this time."""
        self.not_before = not_before
        return self

    def again(self) -> Exchange[ExchangeContext] | None:
        return self.copy(self._method)


def check_collision(sa: ExchangeContext) -> None:
    """Check that the IKE SA is neither being rekeyed nor deleted (RFC 7296, 2.25.2).

    Raises:
        TemporaryFailure: It is.
    """
    outstanding = sa.outstanding
    is_going = outstanding is not None and outstanding.scope is Scope.IKE_SA
    if sa.state is not State.ESTABLISHED or is_going:
        raise TemporaryFailure("the IKE SA is being rekeyed or deleted")


def answer(
    sa: ExchangeContext,
    message: Message,
    configs: Sequence[ChildConfig],
    *,
    check: Callable[[], None],
    installed: Callable[[ChildSa, KeyInputs], object],
    rekeyed: ChildSa | None = None,
) -> Sequence[Payload]:
    """Set up the Child SA that the peer asks for: the response.

    Args:
        check: Raises when it cannot be; key exchanges may follow, and much happen meanwhile.
        installed: Called with it, and what it came of.

    Raises:
        PeerError: It cannot be; nothing has changed.
    """
    check()
    share.check_children(sa, is_rekeying=rekeyed is not None)
    reply = ChildAnswer(sa, message, configs)
    agreement, chosen = reply.agreement, reply.chosen
    with KeyExchangeState(sa.context.tkm, negotiation.group_of(chosen)) as key_state:
        payloads = (reply.security_association(), *key_state.payloads(), *reply.payloads())
        key_inputs = key_state.complete(chosen, message, initiator=False, spis=agreement.spis)

        def finish() -> None:
            check()
            share.check_children(sa, is_rekeying=rekeyed is not None)
            keys = ChildKeys.create(
                sa.keys, agreement.config.reqid, key_inputs, agreement.esp_options
            )
            installed(sa.install_child(agreement, keys, rekeyed), key_inputs)

        further = conclude(sa, key_state, negotiation.additional_of(chosen), finish)
    return (*payloads, *further)


def respond(sa: ExchangeContext, message: Message) -> Sequence[Payload]:
    """Answer a request for a new Child SA."""
    return answer(
        sa,
        message,
        sa.peer.possible_children(),
        check=lambda: check_collision(sa),
        installed=lambda child, _: send_through(sa, child),
    )


def send_through(sa: ExchangeContext, child: ChildSa) -> bool:
    """Send through a Child SA from now on; one that the TKM refuses to use is deleted.

    Returns:
        Whether it is used.
    """
    try:
        child.select()
    except TrustedRefusal as error:
        log.info("nothing is sent through CHILD_SA %s: %s", child.config.name, error)
        sa.enqueue(DeleteChildSa(child, "nothing can be sent through it"))
        return False
    return True


def report_failure(sa: ExchangeContext, config: ChildConfig, error: PeerError) -> None:
    """Report that a Child SA was not set up."""
    log.info("failed to establish CHILD_SA %s: %s", config.name, error)
    sa.context.emit(ChildSaFailed(sa.id, config, str(error)))


def begin_anew(sa: ExchangeContext, error: PeerError) -> None:
    """Begin a new IKE SA if it may bring what the peer refuses here, for good (RFC 7296, 4)."""
    if isinstance(error, Declined) and sa.state is State.ESTABLISHED:
        log.info("%s: a new IKE_SA may bring what the peer refuses", sa.name)
        sa.lifetime.begin_anew(sa.context.now)
