# SPDX-License-Identifier: GPL-2.0-or-later
"""What peers may send although we have no use for it, and what they may not (RFC 7296)."""

from collections.abc import Sequence
from typing import cast

import pytest

from ike.config.model import ChildConfig
from ike.config.proposals import Suite
from ike.engine import ike_auth, negotiation
from ike.engine.child_negotiation import ChildOffer
from ike.engine.context import Settings
from ike.engine.cookies import Cookies
from ike.engine.exchange import Exchange, ExchangeContext, Request, Steps
from ike.message.errors import PeerError
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType, Protocol
from ike.message.payloads import Notify, Payload, SecurityAssociation
from tests.unit.ike.network import Network, rekey_ike_sa


@pytest.mark.parametrize(
    ("length", "is_returned"), [(0, False), (1, True), (64, True), (65, False), (1000, False)]
)
def test_a_cookie_has_1_to_64_octets(
    monkeypatch: pytest.MonkeyPatch, length: int, is_returned: bool
) -> None:
    cookie = bytes(length)
    monkeypatch.setattr(Cookies, "make", lambda *_: cookie)
    monkeypatch.setattr(Cookies, "are_good", lambda _, claim: claim.cookie == cookie != b"")
    network = Network(settings=Settings(cookie_threshold=0))
    network.ping(network.alice)
    network.run(2)
    requests = [d for d in network.sent if d.local == network.alice.endpoint]
    returned = [d for d in requests if Message.decode(d.octets).notify(NotifyType.COOKIE)]
    assert bool(returned) == network.is_up() == is_returned


class Strange(Exchange[ExchangeContext]):
    """An exchange of some type, with its error response."""

    def __init__(self, kind: int, payloads: Sequence[Payload] = ()) -> None:
        self._request = Request(cast(ExchangeType, kind), payloads)
        self.error: PeerError | None = None

    def run(self, sa: ExchangeContext) -> Steps:
        message = yield self._request
        message.raise_error()

    def failed(self, sa: ExchangeContext, error: PeerError) -> None:
        self.error = error


@pytest.mark.parametrize("kind", [0, 33, 38, 41, 240, 255])
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_an_unknown_exchange_is_refused_and_the_ike_sa_lives(
    connected: Network, kind: int, who: str
) -> None:
    side = getattr(connected, who)
    (sa,) = side.engine.sas()
    asked = Strange(kind, (Notify(NotifyType.INITIAL_CONTACT),))
    sa.enqueue(asked)
    side.engine.handle_timer(connected.now)
    side.engine.terminate("", connected.now, connection="no such one")  # starts what waits
    connected.run(1)
    assert asked.error
    assert asked.error.notify == NotifyType.INVALID_SYNTAX
    rekey_ike_sa(connected, side)
    connected.run(2)
    assert connected.is_up()
    assert [each.ike_sas() for each in connected.sides] == [["ESTABLISHED"]] * 2


def test_ike_sa_init_on_an_ike_sa_that_stands_is_dropped(connected: Network) -> None:
    (sa,) = connected.bob.engine.sas()
    octets = bytearray(connected.sent[-2].octets)
    octets[18], octets[20:24] = 34, sa.channel.responses.expected.to_bytes(4, "big")
    connected.bob.engine.receive_datagram(
        bytes(octets), connected.bob.endpoint, connected.alice.endpoint, connected.now
    )
    assert not connected.bob.engine.datagrams_to_send()
    assert not sa.is_unauthenticated


class WithGroups(ChildOffer):
    """It offers key exchanges in IKE_AUTH, too, where none can be done."""

    def __init__(self, sa: ExchangeContext, config: ChildConfig, suites: Sequence[Suite]) -> None:
        super().__init__(sa, config, suites)
        self._with_groups = negotiation.offer(config.proposals, Protocol.ESP, self.spi)

    def security_association(self) -> SecurityAssociation:
        return self._with_groups


@pytest.mark.parametrize("esp", ["modp3072", "modp3072-modp4096", "modp3072-ke1_modp4096"])
def test_key_exchanges_in_the_proposal_of_ike_auth_are_passed_over(
    monkeypatch: pytest.MonkeyPatch, esp: str
) -> None:
    monkeypatch.setattr(ike_auth, "ChildOffer", WithGroups)
    network = Network(esp=f"aes256-sha512-{esp}")
    network.ping(network.alice)
    network.run(2)
    assert network.is_up()
