# SPDX-License-Identifier: GPL-2.0-or-later
"""Several key exchanges (RFC 9370), in IKE_INTERMEDIATE (RFC 9242), between two real TKMs."""

import hashlib
import hmac
from typing import Any

import pytest

from ike.config import proposals
from ike.config.proposals import Suite
from ike.engine import ike_intermediate, negotiation
from ike.engine.channel import Channel
from ike.engine.context import Datagram
from ike.engine.events import ChildSaFailed, IkeSaClosed
from ike.message.errors import NoProposalChosen
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType, Protocol
from ike.message.payloads import KeyExchange, SecurityAssociation
from ike.message.substructures import Proposal, Transform
from tests.unit.ike.engine.test_setup import put
from tests.unit.ike.network import FINE, STORM, Network, Side

ONE = "aes256-sha512-modp3072"
TWO = "aes256-sha512-modp3072-ke1_modp4096"
FULL = {"ae": 1, "isa": 1, "esa": 1}


def exchanges(network: Network) -> list[int]:
    """Exchange types of what was sent, requests only."""
    headers = [Header.decode(datagram.octets)[0] for datagram in network.sent]
    return [header.exchange for header in headers if not header.response]


def up(**options: Any) -> Network:
    network = Network(**options)
    network.ping(network.alice)
    network.run(1)
    return network


def suites(text: str) -> tuple[Suite, ...]:
    return proposals.parse(text, Protocol.IKE)


def offer_of(text: str) -> SecurityAssociation:
    return negotiation.offer(suites(text), Protocol.IKE)


# Proposals


def test_additional_key_exchanges_in_proposals() -> None:
    (suite,) = suites("aes256-sha512-modp3072-ke1_modp4096-ke7_none")
    assert suite[-3:] == (Transform(4, 15), Transform(6, 16), Transform(12, 0))
    assert proposals.spell(suite).endswith("MODP_3072/KE1_MODP_4096/KE7_NONE")
    assert proposals.without_key_exchange(suite) == suite[:3]
    assert proposals.has_additional(suite)
    assert not proposals.has_additional(suites(ONE)[0])


@pytest.mark.parametrize("word", ["ke0_modp4096", "ke8_modp4096", "ke1_modp1024", "ke1"])
def test_no_key_exchange(word: str) -> None:
    with pytest.raises(ValueError, match=word):
        suites(f"{ONE}-{word}")


def test_esp_needs_a_first_key_exchange_before_others() -> None:
    with pytest.raises(ValueError, match="type KE"):
        proposals.parse("aes256-sha512-ke1_modp4096", Protocol.ESP)


@pytest.mark.parametrize(
    ("ours", "theirs", "methods"),
    [
        (TWO, TWO, (16,)),
        (TWO + "-ke1_none", ONE, ()),
        (ONE, TWO + "-ke1_none", ()),
        (TWO + "-ke1_none", TWO + "-ke1_none", (16,)),
        (ONE + "-ke2_modp4096", ONE + "-ke2_modp4096", (16,)),
        (ONE + "-ke1_modp3072-ke1_modp4096", ONE + "-ke1_modp3072-ke1_modp4096", (16,)),
    ],
)
def test_which_key_exchanges_are_chosen(ours: str, theirs: str, methods: tuple[int, ...]) -> None:
    try:
        chosen = negotiation.choose(suites(ours), offer_of(theirs), Protocol.IKE, 0)
    except NoProposalChosen:
        assert (ours, theirs) == (TWO + "-ke1_none", ONE), "that one alone is not for us to choose"
        return
    assert negotiation.group_of(chosen) == 15
    assert negotiation.additional_of(chosen) == methods
    answer = SecurityAssociation((chosen,))
    assert negotiation.check(offer_of(theirs), answer, 0) == chosen


def test_additional_key_exchanges_are_done_in_their_order() -> None:
    chosen = Proposal(1, 1, b"", (Transform(8, 3), Transform(7, 0), Transform(6, 2)))
    assert negotiation.additional_of(chosen) == (2, 3)


def test_no_key_exchange_is_done_twice() -> None:
    same = ONE + "-ke1_modp3072"
    with pytest.raises(NoProposalChosen):
        negotiation.choose(suites(same), offer_of(same), Protocol.IKE, 0)
    answer = SecurityAssociation((Proposal(1, 1, b"", suites(same)[0]),))
    with pytest.raises(NoProposalChosen):
        negotiation.check(offer_of(same), answer, 0)


# IKE_INTERMEDIATE


@pytest.mark.parametrize("fragmentation", [False, True], ids=["whole", "in fragments"])
@pytest.mark.parametrize("initiator", ["alice", "bob"])
def test_two_key_exchanges(initiator: str, fragmentation: bool) -> None:
    network = Network(ike=TWO, fragmentation=fragmentation)
    network.ping(getattr(network, initiator))
    network.run(1)
    assert network.is_up()
    assert list(dict.fromkeys(exchanges(network))) == [34, 43, 35]
    for side in network.sides:
        assert side.contexts() == side.in_tkm() == FULL
        assert side.ike_sas() == ["ESTABLISHED"]


def secrets(side: Side) -> tuple[bytes, ...]:
    (isa,) = [each for each in side.manager.contexts if each.table.name == "isa"]
    return tuple(bytes(key.octets) for key in isa.secret_keys)  # type: ignore[attr-defined]


def test_the_second_key_exchange_changes_all_keys() -> None:
    network = Network(ike=TWO)
    network.ping(network.alice)
    network.run(0.015)
    before = secrets(network.bob)
    network.run_until(network.is_up)
    assert secrets(network.alice) == secrets(network.bob)
    assert not set(before) & set(secrets(network.bob))


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_one_key_exchange_where_one_side_wants_no_more(name: str) -> None:
    network = Network(ike=f"{TWO},{ONE}")
    put(getattr(network, name), proposals=suites(ONE))
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()
    assert exchanges(network) == [34, 35]
    request, response = (Message.decode(datagram.octets) for datagram in network.sent[:2])
    able = NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED
    assert bool(request.notify(able)) == (name == "bob")
    assert not response.notify(able)


def test_the_responder_does_without_if_the_initiator_has_no_exchange_for_it() -> None:
    """Proposed, but IKE_INTERMEDIATE is not announced: what is chosen has one key exchange."""
    network = Network(ike=f"{TWO},{ONE}")
    network.meddler = without_announcement
    network.ping(network.alice)
    network.run(0.015)
    (sa,) = network.bob.engine.sas()
    assert sa.additional == ()


def without_announcement(datagram: Datagram) -> list[bytes]:
    message = Message.decode(datagram.octets)
    able = message.notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)
    payloads = tuple(payload for payload in message.payloads if payload != able)
    return [Message(message.header, payloads).encode()]


def test_the_initiator_does_not_go_on_without_the_exchange() -> None:
    network = Network(ike=TWO)
    network.meddler = lambda datagram: (
        without_announcement(datagram)
        if datagram.local == network.bob.endpoint
        else [datagram.octets]
    )
    network.ping(network.alice)
    network.run(20)
    assert exchanges(network) == [34]
    assert "no exchange for" in network.alice.events[-1].reason
    assert network.alice.contexts() == {}


@pytest.mark.parametrize("seed", range(6))
def test_key_exchanges_in_a_storm(seed: int) -> None:
    network = Network(seed, STORM, ike=TWO, fragmentation=seed % 2 > 0)
    network.ping(network.alice)
    network.run(300)
    assert set(network.alice.ike_sas()) <= {"ESTABLISHED"}
    network.weather = FINE
    if not network.is_up():
        network.ping(network.alice)
    network.run(300)
    assert network.is_up()
    assert [side.in_tkm() for side in network.sides] == [FULL, FULL]


# What AUTH covers


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Each datagram of IKE_INTERMEDIATE that AUTH covers, and the octets of its chain."""
    seen: list[tuple[bytes, bytes]] = []
    cover = Channel._cover

    def note(self: Any, keys: Any, datagram: Any, chain: Any, *, received: Any) -> None:
        seen.append((datagram, chain))
        cover(self, keys, datagram, chain, received=received)

    monkeypatch.setattr(Channel, "_cover", note)
    return seen


@pytest.mark.parametrize("fragmentation", [False, True], ids=["whole", "in fragments"])
def test_int_auth_is_what_the_rfc_says(
    monkeypatch: pytest.MonkeyPatch, fragmentation: bool
) -> None:
    """IntAuth_i1 and IntAuth_r1, computed here from the keys of IKE_SA_INIT (RFC 9242, 3.3.2)."""
    seen = recorded(monkeypatch)
    network = Network(ike=TWO, fragmentation=fragmentation)
    network.ping(network.alice)
    network.run(0.015)
    *_, sk_pi, sk_pr = secrets(network.bob)
    network.run(0.02)
    (sa,) = network.alice.engine.sas()
    spis = b"".join(sa.channel.spis)
    (ae,) = [each for each in network.bob.manager.contexts if each.table.name == "ae"]
    done = ae.int_auth  # type: ignore[attr-defined]
    for key, flags, (_, chain), found in (
        (sk_pi, 0x08, seen[0], done.rem),
        (sk_pr, 0x20, seen[2], done.loc),
    ):
        header = spis + bytes((46, 0x20, 43, flags)) + (1).to_bytes(4, "big")
        header += (28 + 4 + len(chain)).to_bytes(4, "big")
        payload = bytes((34, 0)) + (4 + len(chain)).to_bytes(2, "big")
        assert found == hmac.digest(key, header + payload + chain, hashlib.sha512)
    assert seen[0][1] == seen[1][1]
    assert len(seen[0][1]) > 512


def test_auth_fails_if_an_intermediate_message_was_not_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cover = Channel._cover

    def change(self: Any, keys: Any, datagram: Any, chain: Any, *, received: Any) -> None:
        changed = chain[:-1] + bytes((chain[-1] ^ self.initiator,))
        cover(self, keys, datagram, changed, received=received)

    monkeypatch.setattr(Channel, "_cover", change)
    network = up(ike=TWO)
    assert [side.states() for side in network.sides] == [set(), set()]
    network.run(5)
    assert "AUTHENTICATION_FAILED" in network.alice.events[-1].reason


# What is out of order


def test_ike_auth_before_all_key_exchanges_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ike_intermediate, "initiate", lambda sa: iter(()))
    network = up(ike=TWO)
    assert exchanges(network) == [34, 35]
    assert [side.contexts() for side in network.sides] == [{}, {}]
    assert isinstance(network.alice.events[-1], IkeSaClosed)


def test_a_key_exchange_that_was_not_agreed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    initiate = ike_intermediate.initiate

    def one_more(sa: Any) -> Any:
        sa.additional = (16,)
        return initiate(sa)

    monkeypatch.setattr(ike_intermediate, "initiate", one_more)
    network = up(ike=ONE)
    assert exchanges(network) == [34, 43]
    assert [type(event) for event in network.alice.events] == [ChildSaFailed, IkeSaClosed]
    assert "INVALID_SYNTAX" in network.alice.events[-1].reason
    assert [side.contexts() for side in network.sides] == [{}, {}]


@pytest.mark.parametrize("at", ["alice", "bob"])
def test_a_public_value_that_is_no_good(monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    network = Network(ike=TWO)
    endpoint = getattr(network, at).endpoint
    encode = Channel._encode

    def spoil(self: Any, message: Any) -> Any:
        if message.header.exchange == ExchangeType.IKE_INTERMEDIATE and self.local == endpoint:
            message = Message(message.header, (KeyExchange(16, bytes(512)),))
        return encode(self, message)

    monkeypatch.setattr(Channel, "_encode", spoil)
    network.ping(network.alice)
    network.run(40)
    assert [side.contexts() for side in network.sides] == [{}, {}]
    assert [side.in_tkm() for side in network.sides] == [{}, {}]
    assert ChildSaFailed in [type(event) for event in network.alice.events]
