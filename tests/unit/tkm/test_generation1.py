# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation 1: the conversations of charon-tkm, and how failures are told to it."""

from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from lab.pki import CA
from tests.unit.frames import cut
from tests.unit.tkm.charon import host1
from tests.unit.tkm.conversation import (
    MODP_3072,
    MODP_4096,
    Conversation,
    contexts_in_use,
    states,
)
from tests.unit.tkm.snapshot import snapshot
from tests.unit.trusted import (
    RecordingKernel,
    config_of,
    host,
    identity,
    pki,
    sha1_host,
    transport_to,
)
from tkm.algorithms import ORIGINAL
from tkm.certs.path import load
from tkm.core.kinds import IkeSa
from tkm.core.manager import KeyManager
from tkm.crypto.protection import PacketKeys, protect, unprotect
from tkm.crypto.secret import Secret
from tkm.crypto.suite import ESP
from tkm.errors import ConfigError, KernelError
from tkm.generation1 import rpc1
from tkm.generation1.translation import Generation1
from tkm.rpc.client import Client
from tkm.rpc.interface import FixedFrames, Header
from tkm.rpc.result import Refused, Result

NO_HASH = ()
PAIRS = pytest.mark.parametrize(
    ("make_alice", "make_bob"),
    [(host1, host1), (host1, sha1_host), (sha1_host, host1)],
    ids=["1 and 1", "1 and 2", "2 and 1"],
)
BY = pytest.mark.parametrize("by", [0, 1], ids=["by alice", "by bob"])


def start(alice: Any, bob: Any) -> Conversation:
    talk = Conversation(alice, bob)
    talk.ike_sa_init(MODP_4096)
    talk.ike_auth(NO_HASH)
    talk.first_child()
    return talk


@PAIRS
@BY
def test_conversations(make_alice: Any, make_bob: Any, by: Any) -> None:
    talk = start(make_alice("alice"), make_bob("bob"))
    first, second = talk.ends[by].host, talk.ends[1 - by].host
    assert len(states(talk)) == 2
    talk.rekey_child(first, 1, 2, MODP_4096)
    assert len(states(talk)) == 2
    talk.rekey_child(second, 2, 1, MODP_3072)
    assert len(states(talk)) == 2
    talk.rekey_child(first, 1, 2)
    talk.rekey_child(second, 2, 1)
    assert len(states(talk)) == 2
    before = states(talk)
    talk = talk.rekey_ike(first, 2, MODP_4096)
    talk = talk.rekey_ike(second, 1, MODP_3072)
    assert states(talk) == before
    talk.rekey_child(first, 1, 2, MODP_3072)
    assert len(states(talk)) == 2
    talk.delete_child(2)
    assert states(talk) == set()
    talk.delete()
    assert contexts_in_use(talk) == []
    again = start(talk.responder.host, talk.initiator.host)
    assert len(states(again)) == 2


@PAIRS
def test_no_first_child(make_alice: Any, make_bob: Any) -> None:
    talk = Conversation(make_alice("alice"), make_bob("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth(NO_HASH)
    talk.skip_first()
    talk.create_child(talk.initiator.host, 1)
    assert len(states(talk)) == 2


@pytest.fixture
def charon() -> Any:
    """A client of alice's TKM."""
    return host1("alice").client.client


def exchange(charon: Any, dh: Any = 1, nc: Any = 1) -> None:
    charon.call(rpc1.DhCreate(dh=dh, dha=1))
    charon.call(rpc1.DhGenerateKey(dh=dh, public_value=b"\2" * 384))
    charon.call(rpc1.NcCreate(nc=nc, length=32))


def isa_create(**values: Any) -> Any:
    ids = {"isa": 1, "ae": 1, "ia": 1, "dh": 1, "nc_loc": 1, "nonce_rem": bytes(32)}
    spis = {"spi_loc": b"l" * 8, "spi_rem": b"r" * 8}
    return rpc1.IsaCreate(**{**ids, "initiator": True, **spis, **values})


def test_the_keys_of_ike_messages_are_handed_out_and_no_others() -> None:
    alice = host1("alice")
    charon = alice.client.client
    exchange(charon)
    reply = charon.call(isa_create())
    keys = alice.manager.contexts.store(IkeSa)[1].keys
    assert vars(reply) == {f"sk_{name}": bytes(getattr(keys, name).octets) for name in _SENT}
    assert keys is not None
    handed_out = PacketKeys(Secret(bytearray(reply.sk_ei)), Secret(bytearray(reply.sk_ai)))
    sealed = protect(ESP[ORIGINAL], PacketKeys(keys.ei, keys.ai), 1, b"aad", bytes(16))
    assert unprotect(ESP[ORIGINAL], handed_out, b"aad", sealed) == bytes(16)


_SENT = ("ai", "ar", "ei", "er")


def test_limits_and_version(charon: Any) -> None:
    assert charon.call(rpc1.TkmVersion()).version == 0
    assert set(vars(charon.call(rpc1.TkmLimits())).values()) == {1, 100}


@pytest.mark.parametrize(("limit", "told"), [(7, 7), (100, 100), (5000, 100)])
def test_its_own_limit_is_100_at_most(limit: int, told: int) -> None:
    manager = host("alice", limit=limit).manager
    charon = Client(rpc1.RPC1, transport_to(Generation1(manager).dispatcher()))
    assert set(vars(charon.call(rpc1.TkmLimits())).values()) == {1, told}
    charon.call(rpc1.NcCreate(nc=told, length=32))
    if told < 100:
        assert refusal(charon, rpc1.NcCreate(nc=told + 1, length=32)) is Result.INVALID_ID


@pytest.mark.parametrize(("dha", "octets"), [(1, 384), (2, 512), (15, 384), (16, 512)])
def test_algorithms(charon: Any, dha: int, octets: int) -> None:
    assert len(charon.call(rpc1.DhCreate(dh=1, dha=dha)).public_value) == octets


def refusal(charon: Any, request: Any) -> Any:
    with pytest.raises(Refused) as caught:
        charon.call(request)
    return caught.value.result


def test_our_side_begins_a_key_exchange(charon: Any) -> None:
    request = rpc1.DhGenerateKey(dh=1, public_value=b"\2" * 384)
    assert refusal(charon, request) is Result.INVALID_STATE
    charon.call(rpc1.DhCreate(dh=1, dha=1))
    assert refusal(charon, rpc1.DhCreate(dh=1, dha=1)) is Result.INVALID_STATE
    charon.call(request)
    assert refusal(charon, request) is Result.INVALID_STATE


def test_each_failure_has_its_code(charon: Any) -> None:
    bob, ca = pki().certificates["bob"], pki().ca.root.certificate.der
    foreign = CA("foreign", key=pki().keys["alice"]).certificate.der
    begin = rpc1.CcSetUserCertificate(cc=1, ri=1, autha=1, certificate=bob)
    add = {"cc": 1, "autha": 1}
    charon.call(rpc1.DhCreate(dh=1, dha=1))
    one = b"\1".rjust(384, b"\0")
    for request, result in (
        (rpc1.DhCreate(dh=2, dha=3), Result.INVALID_ID),
        (rpc1.DhGenerateKey(dh=1, public_value=one), Result.MATH_ERROR),
        (rpc1.DhGenerateKey(dh=1, public_value=b"\2"), Result.MATH_ERROR),
        (isa_create(), Result.INVALID_STATE),
        (isa_create(dh=3, nc_loc=3), Result.INVALID_STATE),
        (rpc1.CcCheckCa(cc=1, ca=1), Result.INVALID_STATE),
        (rpc1.CcAddCertificate(**add, certificate=ca), Result.INVALID_STATE),
        (rpc1.CcSetUserCertificate(cc=1, ri=2, autha=1, certificate=bob), Result.INVALID_ID),
        (
            rpc1.CcSetUserCertificate(cc=1, ri=1, autha=1, certificate=b"none"),
            Result.INVALID_PARAMETER,
        ),
        (begin, None),
        (begin, Result.INVALID_STATE),
        (rpc1.CcCheckCa(cc=1, ca=1), Result.INVALID_PARAMETER),
        (rpc1.CcAddCertificate(**add, certificate=foreign), Result.INVALID_PARAMETER),
        (rpc1.CcAddCertificate(**add, certificate=ca), None),
        (rpc1.CcCheckCa(cc=1, ca=2), Result.INVALID_ID),
        (rpc1.CcCheckCa(cc=1, ca=1), None),
        (rpc1.EsaSelect(esa=1), Result.INVALID_STATE),
    ):
        if result:
            assert refusal(charon, request) is result, request
        else:
            charon.call(request)


def test_a_wrong_signature_and_a_kernel_that_refuses() -> None:
    alice, bob = host1("alice"), host1("bob")
    talk = Conversation(alice, bob)
    talk.ike_sa_init(MODP_3072)
    auth = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    talk.check_chain(*talk.ends)
    wrong = rpc1.IsaAuth(
        isa=1, cc=1, init_message=talk.initiator.init_message, signature=auth.signature
    )
    assert refusal(alice.client.client, wrong) is Result.SIGN_FAILURE
    talk.authenticate(*talk.ends, auth)
    alice.kernel.refuses = True
    first = rpc1.EsaCreateFirst(
        esa=1, isa=1, sp=1, ea=1, spi_loc=b"\xc0\0\0\1", spi_rem=b"\xc0\0\0\2"
    )
    assert refusal(alice.client.client, first) is Result.ABORTED


def test_both_states_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel takes the inbound state and refuses the outbound one."""
    alice, bob = host1("alice"), host1("bob")
    talk = Conversation(alice, bob)
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth(NO_HASH)

    def refuse(*_: object) -> None:
        assert alice.kernel.states
        raise KernelError("such a state exists")

    monkeypatch.setattr(alice.kernel, "add_outbound", refuse)
    first = rpc1.EsaCreateFirst(
        esa=1, isa=1, sp=1, ea=1, spi_loc=b"\xc0\0\0\1", spi_rem=b"\xc0\0\0\2"
    )
    assert refusal(alice.client.client, first) is Result.ABORTED
    assert not alice.kernel.states


def test_an_intermediate_ca_and_the_order_of_a_chain() -> None:
    root = CA("root", key=pki().keys["alice"])
    issuing = root.create_child_ca("issuing", key=pki().ca.key.rsa)
    peer = issuing.issue_cert(identity("bob"), key=pki().keys["bob"]).certificate.der
    manager = KeyManager(
        config_of("alice"),
        {0: pki().keys["alice"]},
        {1: load(root.certificate.der)},
        RecordingKernel(),
    )
    charon = Client(rpc1.RPC1, transport_to(Generation1(manager).dispatcher()))
    above = (issuing.certificate.der, root.certificate.der)

    def add(certificate: Any) -> Any:
        return rpc1.CcAddCertificate(cc=1, autha=1, certificate=certificate)

    charon.call(rpc1.CcSetUserCertificate(cc=1, ri=1, autha=1, certificate=peer))
    assert refusal(charon, add(above[1])) is Result.INVALID_PARAMETER
    charon.call(add(above[0]))
    assert refusal(charon, rpc1.CcCheckCa(cc=1, ca=1)) is Result.INVALID_PARAMETER
    charon.call(add(above[1]))
    charon.call(rpc1.CcCheckCa(cc=1, ca=1))
    assert refusal(charon, add(above[1])) is Result.INVALID_STATE


@pytest.mark.parametrize(
    ("body", "code", "result"),
    [
        (b"", 0x0100, Result.INVALID_ID),
        ((101).to_bytes(8, "little"), 0x0100, Result.INVALID_ID),
        (b"\xff" * 2032, 0x0100, Result.INVALID_ID),
        (b"", 0x7777, Result.INVALID_OPERATION),
        (b"", 0xFFFFFFFFFFFFFFFF, Result.INVALID_OPERATION),
        ((1).to_bytes(8, "little") + (15).to_bytes(8, "little"), 0x0101, Result.INVALID_PARAMETER),
        ((1).to_bytes(8, "little") + (257).to_bytes(8, "little"), 0x0101, Result.INVALID_PARAMETER),
        (isa_create().encode()[:300] + b"\2", 0x0901, Result.INVALID_PARAMETER),
        (b"\1" + bytes(7) + b"\1" + bytes(7), 0x0902, Result.INVALID_PARAMETER),
        (b"\1" + bytes(7) + b"\1" + bytes(7) + b"\xff" * 8, 0x0902, Result.INVALID_PARAMETER),
    ],
)
def test_errors_echo_the_operation_and_say_nothing_else(body: Any, code: int, result: Any) -> None:
    alice = host1("alice")
    before = snapshot(alice)
    transport = alice.client.client._transport
    frame = transport(FixedFrames().request(Header(code, 0x1122334455667788), body))
    assert len(frame) == 1024
    header, rest = cut(FixedFrames(), frame, responses=True)
    assert header == (code, 0x1122334455667788, result)
    assert rest == bytes(1000)
    assert snapshot(alice) == before


def test_keys_whose_signatures_do_not_fit_are_refused_at_the_start() -> None:
    class Key:
        key_size = 4096

    manager = KeyManager(config_of("alice"), {0: cast(RSAPrivateKey, Key())}, {}, RecordingKernel())
    with pytest.raises(ConfigError, match="no room for signatures of 4096 bits"):
        Generation1(manager)
