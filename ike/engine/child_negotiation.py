# SPDX-License-Identifier: GPL-2.0-or-later
"""Negotiation of a Child SA, in IKE_AUTH and CREATE_CHILD_SA alike: SA, TSi, TSr, mode."""

from collections.abc import Callable, Sequence

from ike.config.model import ChildConfig, Mode
from ike.config.proposals import Suite, has_esn, number
from ike.engine import negotiation, selectors
from ike.engine.child_sa import Agreement
from ike.engine.exchange import ExchangeContext
from ike.engine.selectors import Selectors
from ike.message.errors import NoProposalChosen, TsUnacceptable
from ike.message.message import Message
from ike.message.numbers import NotifyType, Protocol
from ike.message.payloads import Notify, Payload, SecurityAssociation, TsInitiator, TsResponder
from ike.message.substructures import Proposal
from ike.tkm_client import EspOptions

_SPI_SIZE = 4


class ChildOffer:
    """Our offer of a Child SA, as initiator of the exchange.

    Args:
        suites: What to offer; for IKE_AUTH without key exchanges.
    """

    def __init__(self, sa: ExchangeContext, config: ChildConfig, suites: Sequence[Suite]) -> None:
        self._sa = sa
        self.config = config
        self.spi = sa.context.new_child_spi()
        self._sa_payload = negotiation.offer(suites, Protocol.ESP, self.spi)
        self._local_ts, self._remote_ts = _selectors(sa, config)

    def security_association(self) -> Payload:
        """The SA payload."""
        return self._sa_payload

    def payloads(self) -> Sequence[Payload]:
        """The payloads that follow it: traffic selectors and the mode."""
        return (TsInitiator(self._local_ts), TsResponder(self._remote_ts), *_mode(self.config))

    def accept(self, message: Message) -> tuple[Agreement, Proposal]:
        """Return what the peer has chosen.

        Raises:
            PeerError: It is not what we have offered.
        """
        chosen = negotiation.check(self._sa_payload, message.need(SecurityAssociation), _SPI_SIZE)
        local_ts, remote_ts = _as_seen(
            self._sa,
            self.config,
            message.need(TsInitiator).selectors,
            message.need(TsResponder).selectors,
        )
        within = selectors.is_within(local_ts, self._local_ts)
        if not within or not selectors.is_within(remote_ts, self._remote_ts):
            raise TsUnacceptable("the peer widens the traffic selectors")
        _check_mode(self.config, message)
        if self.config.mode is Mode.TUNNEL and message.notify(NotifyType.USE_TRANSPORT_MODE):
            raise NoProposalChosen(f"the peer wants {self.config.name} in transport mode")
        agreement = Agreement(
            self.config,
            chosen.transforms,
            self.spi,
            chosen.spi,
            local_ts,
            remote_ts,
            _esp_options(self._sa, chosen.transforms),
        )
        return agreement, chosen


class ChildAnswer:
    """Our answer to the peer's offer, as responder.

    Args:
        configs: The Child SAs that are possible; of those that fit equally well, the first is it.
        adapt: What a suite becomes in this exchange, ours and the peer's alike.

    Raises:
        PeerError: None fits.
    """

    def __init__(
        self,
        sa: ExchangeContext,
        message: Message,
        configs: Sequence[ChildConfig],
        adapt: Callable[[Suite], Suite] = lambda suite: suite,
    ) -> None:
        config, local_ts, remote_ts = find(sa, message, configs)
        _check_mode(config, message)
        suites = [adapt(suite) for suite in config.proposals]
        offered = SecurityAssociation(
            tuple(
                Proposal(each.number, each.protocol, each.spi, adapt(each.transforms))
                for each in message.need(SecurityAssociation).proposals
            )
        )
        self.chosen = negotiation.choose(suites, offered, Protocol.ESP, _SPI_SIZE)
        self.agreement = Agreement(
            config,
            self.chosen.transforms,
            sa.context.new_child_spi(),
            self.chosen.spi,
            local_ts,
            remote_ts,
            _esp_options(sa, self.chosen.transforms),
        )

    def security_association(self) -> Payload:
        """The SA payload, with our SPI."""
        chosen = self.chosen
        spi = self.agreement.spi_local
        return SecurityAssociation(
            (Proposal(chosen.number, chosen.protocol, spi, chosen.transforms),)
        )

    def payloads(self) -> Sequence[Payload]:
        """The payloads that follow it: traffic selectors and the mode."""
        agreement = self.agreement
        return (
            TsInitiator(agreement.remote_ts),
            TsResponder(agreement.local_ts),
            *_mode(agreement.config),
        )


def find(
    sa: ExchangeContext, message: Message, configs: Sequence[ChildConfig]
) -> tuple[ChildConfig, Selectors, Selectors]:
    """The Child SA whose traffic selectors fit the peer's best, and what they have in common.

    Where configured Child SAs overlap, the most specific one that has all the traffic that the
    peer asks for is it, as for the kernel's policies; if none has all, the widest one.

    Raises:
        TsUnacceptable: There is none.
    """
    asked = message.need(TsResponder).selectors, message.need(TsInitiator).selectors
    found: list[tuple[tuple[bool, int], ChildConfig, Selectors, Selectors]] = []
    for config in configs:
        ours = _selectors(sa, config)
        theirs = _as_seen(sa, config, *asked)
        try:
            agreed = selectors.narrow(ours[0], theirs[0]), selectors.narrow(ours[1], theirs[1])
        except TsUnacceptable:
            continue
        narrowed = agreed != theirs
        breadth = sum(map(selectors.breadth, ours))
        found.append(((narrowed, -breadth if narrowed else breadth), config, *agreed))
    if not found:
        raise TsUnacceptable("no child SA is configured for these traffic selectors")
    _, config, local_ts, remote_ts = min(found, key=lambda each: each[0])
    return config, local_ts, remote_ts


def _selectors(sa: ExchangeContext, config: ChildConfig) -> tuple[Selectors, Selectors]:
    return (
        selectors.configured(config.local_ts, sa.route.path.local.host),
        selectors.configured(config.remote_ts, sa.route.path.remote.host),
    )


def _as_seen(
    sa: ExchangeContext, config: ChildConfig, local_ts: Selectors, remote_ts: Selectors
) -> tuple[Selectors, Selectors]:
    """What the peer's selectors are to us (2.23.1).

    A NAT replaces the address of the host behind it, so in transport mode packets have different
    addresses on the two sides: each side translates the selectors that it receives.
    """
    route = sa.route
    if config.mode is Mode.TRANSPORT and route.nats.local:
        local_ts = selectors.readdressed(local_ts, route.path.local.host)
    if config.mode is Mode.TRANSPORT and route.nats.remote:
        remote_ts = selectors.readdressed(remote_ts, route.path.remote.host)
    return local_ts, remote_ts


def _esp_options(sa: ExchangeContext, chosen: Suite) -> EspOptions:
    return EspOptions(has_esn(chosen), sa.route.encap, number(chosen))


def _mode(config: ChildConfig) -> Sequence[Payload]:
    return (Notify(NotifyType.USE_TRANSPORT_MODE),) if config.mode is Mode.TRANSPORT else ()


def _check_mode(config: ChildConfig, message: Message) -> None:
    """The policy in the TKM knows one mode only. A wish for transport mode may go unheard."""
    if config.mode is Mode.TRANSPORT and not message.notify(NotifyType.USE_TRANSPORT_MODE):
        raise NoProposalChosen(f"the peer does not want {config.name} in transport mode")
