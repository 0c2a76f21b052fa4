# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE_SA_INIT and IKE_AUTH: between two engines, and with what can go wrong."""

from functools import partial
from typing import Any

import pytest

from ike.config.model import Configuration
from ike.engine import ike_auth, ike_sa_init
from ike.engine.child_negotiation import ChildOffer
from ike.engine.context import Datagram, Settings
from ike.engine.events import ChildSaFailed, ChildSaInstalled, IkeSaClosed, IkeSaEstablished
from ike.engine.ike_sa import IkeSa
from ike.errors import UnknownName
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType, NotifyType
from ike.message.payloads import Authentication, KeyExchange, Nonce, Notify, Payload
from ike.x509 import Certificate
from lab.pki import CA
from tests.unit import trusted
from tests.unit.ike.network import Network, Side
from tests.unit.trusted import pki


def kinds(side: Side) -> list[type]:
    return [type(event) for event in side.events]


def exchanges(network: Network) -> list[tuple[int, bool]]:
    """Type and direction of what was sent."""
    headers = [Header.decode_any(datagram.octets)[0] for datagram in network.sent]
    return [(header.exchange, header.response) for header in headers]


def last_notify(network: Network) -> int:
    """The Notify type in the last message, which is not encrypted."""
    message = Message.decode(network.sent[-1].octets)
    return next(message.all(Notify)).kind


def put(side: Side, **changes: Any) -> None:
    """Change the connection of one side."""
    configuration = side.engine.context.configuration
    connection = configuration.connections[0]
    values = {name: getattr(connection, name) for name in connection._fields} | changes
    side.engine.context.configuration = Configuration(
        (type(connection)(**values),), configuration.authorities
    )


def test_acquire_brings_up_a_child_sa(network: Network) -> None:
    network.ping(network.alice)
    network.run(1)
    assert exchanges(network) == [(34, False), (34, True), (35, False), (35, True)]
    assert network.is_up()
    for side in network.sides:
        assert kinds(side) == [IkeSaEstablished, ChildSaInstalled]
        assert side.contexts() == {"ae": 1, "isa": 1, "esa": 1}
        assert side.ike_sas() == ["ESTABLISHED"]
    assert [side.events[0].initiator for side in network.sides] == [True, False]


def test_acquire_for_an_unknown_policy(network: Network) -> None:
    with pytest.raises(UnknownName, match="reqid 2"):
        network.alice.engine.acquire(2, network.now)


@pytest.mark.parametrize("when", [0.0, 0.015, 0.025, 0.035, 0.2])
def test_further_acquires_change_nothing(network: Network, when: float) -> None:
    network.ping(network.alice)
    network.run(when)
    for side in network.sides * 2:
        if when or side is network.alice:
            network.ping(side)
    network.run(5)
    assert network.is_up()
    assert len(network.alice.states()) == 2
    assert [len(side.ike_sas()) for side in network.sides] == [1, 1]


def test_simultaneous_initiation_ends_in_working_sas(network: Network) -> None:
    for side in network.sides:
        network.ping(side)
    network.run(5)
    assert network.is_up()
    for side in network.sides:
        assert side.ike_sas() == ["ESTABLISHED"] * len(side.ike_sas())


def test_acquire_waits_for_the_peers_negotiation_but_not_for_ever(network: Network) -> None:
    network.ping(network.alice)
    network.run(0.015)
    assert network.bob.ike_sas() == ["HALF_OPEN"]
    network.meddler = lambda d: [] if d.local == network.alice.endpoint else [d.octets]
    network.ping(network.bob)
    assert network.bob.ike_sas() == ["HALF_OPEN"]
    network.run(1.1)
    assert sorted(network.bob.ike_sas()) == ["CONNECTING", "HALF_OPEN"]


def test_acquire_for_a_child_sa_that_the_kernel_has_lost(connected: Network) -> None:
    connected.run(20)
    connected.ping(connected.bob)
    connected.run(5)
    assert connected.is_up()
    assert len(connected.alice.states()) == 4
    assert len(connected.alice.ike_sas()) == 1


def test_initiate_after_the_peer_was_terminated(connected: Network) -> None:
    connected.bob.engine.terminate("test", connected.now)
    connected.run(1)
    assert not connected.alice.states()
    connected.alice.engine.initiate(1, connected.now)
    connected.run(1)
    assert connected.is_up()


def test_modp4096() -> None:
    network = Network(ike="aes256-sha512-modp4096")
    network.ping(network.alice)
    network.run_until(network.is_up, 5)


def test_the_peer_wants_another_group() -> None:
    network = Network(ike="aes256-sha512-modp4096,aes256-sha512-modp3072")
    configuration = network.bob.engine.context.configuration
    put(network.bob, proposals=configuration.connections[0].proposals[1:])
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()
    first = [exchange for exchange, _ in exchanges(network)].count(ExchangeType.IKE_SA_INIT)
    assert first == 4
    for side in network.sides:
        assert side.contexts() == {"ae": 1, "isa": 1, "esa": 1}


def test_no_proposal_chosen() -> None:
    network = Network(ike="aes256-sha512-modp4096")
    other = Network(ike="aes256-sha512-modp3072").bob.engine.context.configuration
    put(network.bob, proposals=other.connections[0].proposals)
    network.ping(network.alice)
    network.run(0.5)
    assert last_notify(network) == NotifyType.NO_PROPOSAL_CHOSEN
    assert network.alice.ike_sas() == ["CONNECTING"], "anybody could have sent that"
    network.run(5)
    assert kinds(network.alice) == [ChildSaFailed, IkeSaClosed]
    assert "NO_PROPOSAL_CHOSEN" in network.alice.events[-1].reason
    assert [side.contexts() for side in network.sides] == [{}, {}]


def test_a_forged_refusal_does_not_stop_the_real_answer(network: Network) -> None:
    def refuse_first(datagram: Datagram) -> list[bytes]:
        header = Header.decode(datagram.octets)[0]
        if header.exchange != ExchangeType.IKE_SA_INIT or not header.response:
            return [datagram.octets]
        forged = Message(header, (Notify(NotifyType.NO_PROPOSAL_CHOSEN),))
        return [forged.encode(), datagram.octets]

    network.meddler = refuse_first
    network.ping(network.alice)
    network.run(3)
    assert network.is_up()


@pytest.mark.parametrize("missing", [Nonce, KeyExchange])
def test_a_forged_answer_with_something_missing_does_not_stop_the_real_one(
    network: Network, missing: type[Payload]
) -> None:
    def cut(datagram: Datagram) -> list[bytes]:
        header = Header.decode(datagram.octets)[0]
        if header.exchange != ExchangeType.IKE_SA_INIT or not header.response:
            return [datagram.octets]
        message = Message.decode(datagram.octets)
        rest = tuple(p for p in message.payloads if not isinstance(p, missing))
        return [Message(header, rest).encode(), datagram.octets]

    network.meddler = cut
    network.ping(network.alice)
    network.run(3)
    assert network.is_up()
    assert network.alice.in_tkm() == network.alice.contexts() == {"ae": 1, "isa": 1, "esa": 1}


def test_unknown_address(network: Network) -> None:
    put(network.bob, remote_addrs=("192.0.2.1",))
    network.ping(network.alice)
    network.run(5)
    assert last_notify(network) == NotifyType.NO_PROPOSAL_CHOSEN
    assert network.bob.contexts() == {}


def test_cookies() -> None:
    network = Network(settings=Settings(cookie_threshold=0))
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()
    first = [exchange for exchange, _ in exchanges(network)].count(ExchangeType.IKE_SA_INIT)
    assert first == 4
    with_cookie = Message.decode(network.sent[2].octets)
    assert isinstance(with_cookie.payloads[0], Notify)
    assert with_cookie.payloads[0].kind == NotifyType.COOKIE


def test_cookies_cost_nothing() -> None:
    network = Network(settings=Settings(cookie_threshold=0))
    network.ping(network.alice)
    network.run(0.005)
    request = network.sent[0].octets
    for _ in range(3):
        network.bob.engine.receive_datagram(
            request, network.bob.endpoint, network.alice.endpoint, network.now
        )
    assert network.bob.contexts() == {}
    assert network.bob.ike_sas() == []


def test_a_cookie_is_good_for_its_sender_only() -> None:
    network = Network(settings=Settings(cookie_threshold=0))
    network.ping(network.alice)
    network.run(0.025)
    with_cookie = network.sent[2].octets
    elsewhere = network.alice.endpoint._replace(port=501)
    network.bob.engine.receive_datagram(with_cookie, network.bob.endpoint, elsewhere, network.now)
    assert network.bob.contexts() == {}


def test_half_open_ike_sas_are_limited_and_end() -> None:
    network = Network(settings=Settings(half_open_limit=2))
    network.meddler = lambda d: [] if d.local == network.bob.endpoint else [d.octets]
    request_of = Network
    for seed in range(4):
        other = request_of(seed)
        other.ping(other.alice)
        other.run(0.001)
        network.bob.engine.receive_datagram(
            other.sent[0].octets, network.bob.endpoint, network.alice.endpoint, network.now
        )
    assert network.bob.ike_sas() == ["HALF_OPEN"] * 2
    network.run(31)
    assert network.bob.ike_sas() == []
    assert network.bob.contexts() == {}


def test_a_repeated_request_begins_one_ike_sa(network: Network) -> None:
    network.meddler = lambda datagram: [datagram.octets] * 3
    network.ping(network.alice)
    network.run(5)
    assert network.is_up()
    assert [len(side.ike_sas()) for side in network.sides] == [1, 1]


@pytest.mark.parametrize("at", ["alice", "bob"])
def test_certificate_of_another_ca(network: Network, at: str) -> None:
    stranger = CA("stranger").issue_cert(trusted.identity(at))
    side = getattr(network, at)
    put(side, certificates=(Certificate.read(stranger.certificate.der),))
    network.ping(network.alice)
    network.run(5)
    assert not network.alice.states()
    assert not network.bob.states()
    assert [s.contexts() for s in network.sides] == [{}, {}]
    assert IkeSaClosed in kinds(network.alice)


@pytest.mark.parametrize("at", ["alice", "bob"])
def test_certificate_of_somebody_else(network: Network, at: str) -> None:
    other = {"alice": "bob", "bob": "alice"}[at]
    put(getattr(network, at), certificates=(Certificate.read(pki().certificates[other]),))
    network.ping(network.alice)
    network.run(5)
    assert [s.states() for s in network.sides] == [set(), set()]
    assert [s.contexts() for s in network.sides] == [{}, {}]


def test_no_certificate_at_all(network: Network) -> None:
    put(network.alice, certificates=())
    network.ping(network.alice)
    network.run(5)
    assert [s.contexts() for s in network.sides] == [{}, {}]
    assert "AUTHENTICATION_FAILED" in network.alice.events[-1].reason


def test_a_peer_that_wants_eap_is_not_authenticated(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ike_auth._request

    def without_auth(sa: IkeSa, offer: ChildOffer) -> list[Payload]:
        return [p for p in request(sa, offer) if not isinstance(p, Authentication)]

    monkeypatch.setattr(ike_auth, "_request", without_auth)
    network.ping(network.alice)
    network.run(5)
    assert "AUTHENTICATION_FAILED" in network.alice.events[-1].reason
    assert [s.contexts() for s in network.sides] == [{}, {}]


@pytest.mark.parametrize("allowed", [True, False])
def test_method_1_for_who_announces_no_hash_algorithms(
    allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_of = partial(trusted.config_of, allow_sha1=allowed)
    monkeypatch.setattr(trusted, "config_of", config_of)
    network = Network()
    methods = []

    def noted(self: Authentication) -> bytes:
        methods.append(self.method)
        return bytes((self.method, 0, 0, 0)) + self.data

    monkeypatch.setattr(Authentication, "encode", noted)
    monkeypatch.setattr(ike_sa_init, "_HASHES", ())
    network.ping(network.alice)
    network.run(5)
    assert network.is_up() is allowed
    assert methods == ([1, 1] if allowed else [])
    if not allowed:
        assert "isa_sign: SIGN_FAILURE" in network.alice.events[-1].reason


def test_a_nonce_that_is_too_short_for_the_prf(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 7296, 2.10: at least half the key of PRF_HMAC_SHA2_512."""
    caplog.set_level("INFO")
    monkeypatch.setattr(Nonce, "encode", lambda self: self.octets[:31])
    network.ping(network.alice)
    network.run(5)
    assert not network.is_up()
    assert "INVALID_SYNTAX" in network.alice.events[-1].reason
    assert "a nonce of 31 octets: the PRF needs 32" in caplog.text
    assert [s.contexts() for s in network.sides] == [{}, {}]


def test_unknown_identity(network: Network) -> None:
    put(network.bob, remote_id=network.bob.engine.context.configuration.connections[0].local_id)
    network.ping(network.alice)
    network.run(5)
    assert "AUTHENTICATION_FAILED" in network.alice.events[-1].reason
    assert [s.contexts() for s in network.sides] == [{}, {}]


def test_the_kernel_refuses_the_first_child_sa_of_the_responder(network: Network) -> None:
    network.bob.kernel.refuses = True
    network.ping(network.alice)
    network.run(1)
    for side in network.sides:
        assert side.ike_sas() == ["ESTABLISHED"]
        assert side.contexts() == {"ae": 1, "isa": 1}
    assert ChildSaFailed in kinds(network.alice)
    network.bob.kernel.refuses = False
    network.ping(network.alice)
    network.run(1)
    assert network.is_up()


def test_the_kernel_refuses_the_first_child_sa_of_the_initiator(network: Network) -> None:
    network.alice.kernel.refuses = True
    network.ping(network.alice)
    network.run(1)
    assert [side.ike_sas() for side in network.sides] == [["ESTABLISHED"]] * 2
    assert [side.states() for side in network.sides] == [set(), set()]
    assert [side.contexts() for side in network.sides] == [{"ae": 1, "isa": 1}] * 2


def test_later_version_is_told_ours(network: Network) -> None:
    network.ping(network.alice)
    network.run(0.001)
    request = bytearray(network.sent[0].octets)
    request[17] = 0x30
    network.bob.engine.receive_datagram(
        bytes(request), network.bob.endpoint, network.alice.endpoint, network.now
    )
    (answer,) = network.bob.engine.datagrams_to_send()
    notify = Message.decode(answer.octets).notify(NotifyType.INVALID_MAJOR_VERSION)
    assert notify
    assert notify.data == b"\x20"


def test_unknown_critical_payload_in_the_first_message(network: Network) -> None:
    network.ping(network.alice)
    network.run(0.001)
    request = bytearray(network.sent[0].octets)
    request[16] = 200
    request[29] |= 0x80
    network.bob.engine.receive_datagram(
        bytes(request), network.bob.endpoint, network.alice.endpoint, network.now
    )
    (answer,) = network.bob.engine.datagrams_to_send()
    notify = Message.decode(answer.octets).notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD)
    assert notify
    assert notify.data == bytes((200,))
    assert network.bob.contexts() == {}


def test_initial_contact_closes_what_the_peer_has_lost(connected: Network) -> None:
    alice = connected.alice
    alice.engine.close("crash", connected.now)
    alice.engine.datagrams_to_send()
    connected.ping(alice)
    connected.run(2)
    assert connected.is_up()
    assert len(connected.bob.states()) == 2
    assert connected.bob.ike_sas() == ["ESTABLISHED"]


def test_all_contexts_are_in_use(network: Network) -> None:
    network.bob.tkm.pools["isa"].limit = 0
    network.ping(network.alice)
    network.run(5)
    assert network.bob.contexts() == {}
    assert network.alice.contexts() == {}
