# SPDX-License-Identifier: GPL-2.0-or-later
"""Several key exchanges when SAs are rekeyed (RFC 9370, 2.2.4): IKE_FOLLOWUP_KE."""

from collections.abc import Callable
from typing import Any

import pytest

from ike.engine.channel import Channel
from ike.engine.context import Datagram
from ike.engine.followup_ke import conclude
from ike.engine.key_exchange_state import KeyExchangeState
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payloads import KeyExchange
from tests.unit.ike.engine.test_key_exchanges import FULL, ONE, TWO, exchanges, secrets, up
from tests.unit.ike.network import Network, Side, Weather, rekey_ike_sa, soft_expire

ESP_TWO = "aes256-sha512-modp3072-ke2_modp4096"


REKEYINGS = {"IKE SA": rekey_ike_sa, "Child SA": soft_expire}
rekeyings = pytest.mark.parametrize("rekey", REKEYINGS.values(), ids=REKEYINGS)


def connected(**options: Any) -> Network:
    network = up(ike=TWO, esp=ESP_TWO, **options)
    assert network.is_up()
    return network


def check(network: Network) -> None:
    """One IKE SA, one Child SA, the same on both sides, nothing else taken."""
    assert network.is_up()
    assert len(network.alice.states()) == 2
    for side in network.sides:
        assert side.in_tkm() == side.contexts() == FULL
        assert side.ike_sas() == ["ESTABLISHED"]
    assert len({frozenset(secrets(side)) for side in network.sides}) == 1


@rekeyings
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_rekeying_with_two_key_exchanges(
    who: str, rekey: Callable[[Network, Side], None], caplog: pytest.LogCaptureFixture
) -> None:
    network = connected()
    since = len(exchanges(network))
    states, keys = network.alice.states(), secrets(network.alice)
    rekey(network, getattr(network, who))
    with caplog.at_level("INFO", "tkm"):
        network.run(1)
    assert exchanges(network)[since:] == [36, 44, 37]
    check(network)
    assert (network.alice.states() == states) != (secrets(network.alice) == keys)
    assert sum("Generating shared secret" in line for line in caplog.messages) == 4


def test_a_new_child_sa_with_three_key_exchanges() -> None:
    three = "aes256-sha512-modp3072-ke1_modp4096-ke2_none,aes256-sha512-modp3072"
    network = up(ike=ONE, esp=three)
    network.run(20)
    network.ping(network.bob)
    network.run(1)
    assert exchanges(network)[-2:] == [36, 44]
    assert network.is_up()
    assert len(network.alice.states()) == 4
    assert [side.in_tkm() for side in network.sides] == [FULL | {"esa": 2}] * 2


@rekeyings
@pytest.mark.parametrize("seed", range(8))
def test_both_rekey_at_once(seed: int, rekey: Callable[[Network, Side], None]) -> None:
    network = connected(seed=seed)
    network.weather = Weather(delays=(0.01, 0.2))
    for side in network.sides:
        rekey(network, side)
    network.run(300)
    check(network)


@rekeyings
@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("response", [True, False])
def test_collision_when_the_last_key_exchange_is_late(
    rekey: Callable[[Network, Side], None], who: str, response: bool
) -> None:
    network = connected()
    late = getattr(network, who).endpoint
    end = network.now + 0.5

    def meddle(datagram: Datagram) -> list[bytes]:
        header = Header.decode(datagram.octets)[0]
        held = header.exchange == ExchangeType.IKE_FOLLOWUP_KE and header.response is response
        held = held and datagram.local == late and network.now < end
        return [] if held else [datagram.octets]

    network.meddler = meddle
    for side in network.sides:
        rekey(network, side)
    network.run(300)
    check(network)


@rekeyings
def test_what_the_peer_does_not_go_on_with_is_given_back(
    rekey: Callable[[Network, Side], None],
) -> None:
    network = connected()
    rekey(network, network.alice)
    network.meddler = lambda datagram: (
        [] if Header.decode(datagram.octets)[0].exchange == 44 else [datagram.octets]
    )
    network.run(1)
    assert network.bob.contexts() == FULL | {"nc": 1, "ke": 1}
    network.run(network.bob.engine.context.settings.half_open)
    assert network.bob.contexts() == network.bob.in_tkm() == FULL
    network.meddler = lambda datagram: [datagram.octets]
    network.run(300)
    check(network)


def test_what_the_peer_begins_anew_takes_the_place_of_what_it_has_begun() -> None:
    network = connected()
    (sa,) = network.bob.engine.sas()
    for _ in range(3):
        key_state = KeyExchangeState(network.bob.tkm, 15)
        conclude(sa, key_state, (16,), lambda: None)
    assert network.bob.contexts() == FULL | {"nc": 1, "ke": 1}
    network.bob.engine.close("test", network.now)
    assert network.bob.contexts() == network.bob.in_tkm() == {}


@rekeyings
@pytest.mark.parametrize("forgotten", [True, False], ids=["forgotten", "another"])
def test_a_link_that_leads_nowhere(
    forgotten: bool, rekey: Callable[[Network, Side], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ike")
    network = connected()
    states, keys = network.alice.states(), secrets(network.alice)
    (sa,) = network.bob.engine.sas()
    rekey(network, network.alice)
    network.run(0.015)
    assert sa.pending
    if forgotten:
        sa.expect(None)
    else:
        sa.pending.link = b"another"
    network.run(0.1)
    assert network.alice.states() == states
    assert any("sending STATE_NOT_FOUND" in line for line in caplog.messages)
    network.run(20)
    assert (network.alice.states() == states) != (secrets(network.alice) == keys), "done anew"
    check(network)


@rekeyings
@pytest.mark.parametrize("at", ["alice", "bob"])
def test_the_second_public_value_is_no_good(
    monkeypatch: pytest.MonkeyPatch, at: str, rekey: Callable[[Network, Side], None]
) -> None:
    network = connected()
    before = network.alice.states()
    endpoint = getattr(network, at).endpoint
    encode = Channel._encode

    def spoil(self: Any, message: Any) -> Any:
        if message.header.exchange == ExchangeType.IKE_FOLLOWUP_KE and self.local == endpoint:
            message = Message(message.header, (KeyExchange(16, bytes(512)), *message.payloads[1:]))
        return encode(self, message)

    monkeypatch.setattr(Channel, "_encode", spoil)
    rekey(network, network.alice)
    network.run(5)
    if at == "alice":
        assert network.is_up(), "what the peer refuses comes with a new IKE SA"
        assert network.alice.states().isdisjoint(before)
        before = network.alice.states()
    assert network.alice.states() >= before, "the old one stays"
    assert network.alice.in_tkm() == network.alice.contexts() == FULL
    assert network.bob.in_tkm() == network.bob.contexts()
    assert {"nc", "ke"}.isdisjoint(network.bob.contexts())
    if rekey is soft_expire:
        assert network.bob.states() == before, "what only one side has is deleted"


def test_the_ike_sa_ends_between_the_key_exchanges() -> None:
    network = connected()
    soft_expire(network, network.alice)
    network.run(0.025)
    network.alice.engine.terminate("test", network.now)
    network.bob.engine.terminate("test", network.now)
    network.run(60)
    assert [side.in_tkm() for side in network.sides] == [{}, {}]
    assert [side.contexts() for side in network.sides] == [{}, {}]
