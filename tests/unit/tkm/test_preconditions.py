# SPDX-License-Identifier: GPL-2.0-or-later
"""What the untrusted side may not have, whatever it asks for and in whatever order."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.unit.tkm.conversation import MODP_3072, Conversation, End, established, states
from tests.unit.trusted import config_of, host, hosts, pki
from tkm.config.policy import LocalIdentity
from tkm.crypto.key_exchange import method_of
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result

PUBLIC_VALUE = method_of(15).generate().public_value()
SPI_LOC, SPI_REM = b"\xc0\0\0\1", b"\xc0\0\0\2"
REST: dict[str, Any] = {"ea": 1, "spi_loc": SPI_LOC, "spi_rem": SPI_REM}


@contextmanager
def refused(result: Result) -> Iterator[Any]:
    """The request in the block is refused with that result."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.result is result


def first(end: End, isa: int = 1, **values: Any) -> None:
    end.call(rpc2.EsaCreateFirst(**{"esa": 1, "isa": isa, "sp": 1, **REST, **values}))


def without_pfs(end: End, isa: int = 1, **values: Any) -> None:
    end.call(rpc2.NcReset(nc=9))
    end.call(rpc2.NcCreate(nc=9, length=32))
    request: dict[str, Any] = {"esa": 2, "isa": isa, "sp": 1, "nc_loc": 9, "nonce_rem": bytes(32)}
    end.call(rpc2.EsaCreateNoPfs(**{**request, "initiator": True, **REST, **values}))


def child(end: End, parent: int, isa: int) -> None:
    end.call(rpc2.NcReset(nc=9))
    end.call(rpc2.KeReset(ke=9))
    end.call(rpc2.NcCreate(nc=9, length=32))
    end.call(rpc2.KeGet(ke=9, method=15))
    end.call(rpc2.KeSet(ke=9, method=15, public_value=PUBLIC_VALUE))
    end.call(
        rpc2.IsaCreateChild(
            isa=isa, parent=parent, ia=1, ke=(9,), nc_loc=9, nonce_rem=bytes(32),
            initiator=True, spi_loc=b"l" * 8, spi_rem=b"r" * 8,
        )
    )  # fmt: skip


@pytest.fixture
def talk() -> Conversation:
    """After IKE_SA_INIT."""
    talk = Conversation(*hosts())
    talk.ike_sa_init(MODP_3072)
    return talk


def nothing_is_allowed(end: End, isa: int = 1) -> None:
    """No ESP SA and no IKE SA comes of this IKE SA."""
    for attempt in (first, without_pfs):
        with refused(Result.INVALID_STATE):
            attempt(end, isa)
    with refused(Result.INVALID_STATE):
        child(end, isa, 7)
    with refused(Result.INVALID_STATE):
        end.call(rpc2.IsaSkipCreateFirst(isa=isa))
    assert end.host.kernel.states == set()


def test_nothing_before_auth(talk: Any) -> None:
    nothing_is_allowed(talk.initiator)


def test_nothing_after_our_own_signature(talk: Any) -> None:
    talk.sign(talk.initiator)
    nothing_is_allowed(talk.initiator)


def test_no_authentication_before_our_own_signature(talk: Any) -> None:
    auth = talk.sign(talk.responder)
    talk.check_chain(*talk.ends)
    with refused(Result.INVALID_STATE):
        talk.authenticate(*talk.ends, auth)
    nothing_is_allowed(talk.initiator)


def test_no_child_sa_of_its_own_before_the_first(talk: Any) -> None:
    talk.ike_auth()
    for attempt in (without_pfs, lambda end: child(end, 1, 7)):
        with refused(Result.INVALID_STATE):
            attempt(talk.initiator)
    first(talk.initiator)
    without_pfs(talk.initiator, spi_loc=b"\xc0\0\0\3", spi_rem=b"\xc0\0\0\4")


def test_the_first_child_sa_is_made_once() -> None:
    talk = established()
    for esa in (1, 2):
        with refused(Result.INVALID_STATE):
            first(talk.initiator, esa=esa)
    with refused(Result.INVALID_STATE):
        talk.initiator.call(rpc2.IsaSkipCreateFirst(isa=1))
    talk.delete_child(1)
    with refused(Result.INVALID_STATE):
        first(talk.initiator)


def test_no_chain_that_is_not_checked(talk: Any) -> None:
    auth = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    alice, bob = talk.ends
    steps = (
        rpc2.CcCheckCa(cc=1, ca=1, certificate=alice.host.ca),
        rpc2.CcAddCertificate(cc=1, certificate=bob.host.certificate),
    )
    for step in steps:
        with refused(Result.INVALID_STATE):
            talk.authenticate(alice, bob, auth)
        alice.call(step)
    with refused(Result.INVALID_STATE):
        talk.authenticate(alice, bob, auth)
    alice.call(rpc2.CcCheckChain(cc=1, ri=1))
    # A checked chain is finished.
    for again in (*steps, rpc2.CcCheckChain(cc=1, ri=1)):
        with refused(Result.INVALID_STATE):
            alice.call(again)
    talk.authenticate(alice, bob, auth)


def test_a_chain_starts_at_its_ca(talk: Any) -> None:
    certificate = talk.responder.host.certificate
    with refused(Result.INVALID_STATE):
        talk.initiator.call(rpc2.CcAddCertificate(cc=1, certificate=certificate))
    with refused(Result.INVALID_STATE):
        talk.initiator.call(rpc2.CcCheckChain(cc=1, ri=1))


def signature_of_bob(talk: Conversation) -> Any:
    auth = talk.sign(talk.responder)
    talk.sign(talk.initiator)
    talk.check_chain(*talk.ends)
    return auth


def test_only_the_very_signature_authenticates(talk: Any) -> None:
    auth = signature_of_bob(talk)
    alice, bob = talk.ends
    flipped = bytearray(auth.signature)
    flipped[-1] ^= 1
    for wrong in (
        {"signature": bytes(flipped)},
        {"signature": auth.signature[:-1]},
        {"signature": auth.signature + b"\0"},
        {"method": 1},
        {"method": 2},
        {"init_message": alice.init_message},
        {"init_message": bob.init_message[:-1]},
    ):
        right = {"init_message": bob.init_message, **vars(auth)}
        with refused(Result.AUTH_FAILURE):
            alice.call(rpc2.IsaAuth(isa=1, cc=1, **{**right, **wrong}))
        nothing_is_allowed(alice)
    talk.authenticate(alice, bob, auth)


def test_our_own_signature_does_not_authenticate_the_peer(talk: Any) -> None:
    ours = talk.sign(talk.initiator)
    talk.check_chain(*talk.ends)
    with refused(Result.AUTH_FAILURE):
        talk.initiator.call(
            rpc2.IsaAuth(isa=1, cc=1, init_message=talk.initiator.init_message, **vars(ours))
        )
    # Nor does a chain to ourselves help.
    talk.initiator.call(rpc2.CcReset(cc=1))
    with refused(Result.CERTIFICATE_FAILURE):
        talk.check_chain(talk.initiator, talk.initiator)


def test_a_signature_for_another_ike_sa(talk: Any) -> None:
    auth = signature_of_bob(talk)
    for end in talk.ends:
        end.call(rpc2.IsaReset(isa=1))
        end.call(rpc2.AeReset(ae=1))
    talk.ike_sa_init(MODP_3072)
    talk.sign(talk.initiator)
    with refused(Result.AUTH_FAILURE):
        talk.authenticate(*talk.ends, auth)


def test_signing_happens_once_and_for_a_configured_identity(talk: Any) -> None:
    with refused(Result.INVALID_ID):
        talk.sign_as(talk.initiator, 2)
    talk.sign(talk.initiator)
    with refused(Result.INVALID_STATE):
        talk.sign(talk.initiator)


def test_each_identity_signs_with_its_own_key() -> None:
    own, other = pki().keys["alice"], pki().keys["bob"]
    for keys, signs in (({1: own, 0: other}, True), ({2: own, 0: other}, False)):
        talk = Conversation(host("alice", keys=keys), host("bob"))
        talk.ike_sa_init(MODP_3072)
        talk.check_chain(talk.responder, talk.initiator)
        talk.sign(talk.responder)
        if signs:
            talk.authenticate(talk.responder, talk.initiator, talk.sign(talk.initiator))
        else:
            with refused(Result.AUTH_FAILURE):
                talk.authenticate(talk.responder, talk.initiator, talk.sign(talk.initiator))


def test_an_identity_without_a_key_does_not_sign() -> None:
    talk = Conversation(host("alice", keys={2: pki().keys["alice"]}), host("bob"))
    talk.ike_sa_init(MODP_3072)
    with refused(Result.INVALID_ID):
        talk.sign(talk.initiator)


def test_another_policy_than_the_authenticated_one() -> None:
    config = config_of("alice")
    other = dataclasses.replace(
        config.policies[1],
        id=2,
        remote=dataclasses.replace(config.policies[1].remote, identity="carol@tkm-lab.test"),
    )
    config.policies[2] = other
    talk = Conversation(host("alice", config), host("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.ike_auth()
    with refused(Result.AUTH_FAILURE):
        first(talk.initiator, sp=2)
    with refused(Result.INVALID_ID):
        first(talk.initiator, sp=4)
    assert talk.initiator.host.kernel.states == set()
    first(talk.initiator)
    with refused(Result.AUTH_FAILURE):
        without_pfs(talk.initiator, sp=2, spi_loc=b"\xc0\0\0\3")


def test_another_local_identity_than_the_policys() -> None:
    config = config_of("alice")
    config.local_identities[2] = LocalIdentity(2, "other@tkm-lab.test", "otherCert.pem")
    config.policies[2] = dataclasses.replace(
        config.policies[1],
        id=2,
        local=dataclasses.replace(config.policies[1].local, identity_id=2),
        remote=dataclasses.replace(config.policies[1].remote, identity="carol@tkm-lab.test"),
    )
    talk = Conversation(host("alice", config), host("bob"))
    talk.ike_sa_init(MODP_3072)
    auth = talk.sign(talk.responder)
    talk.sign_as(talk.initiator, 2)
    talk.check_chain(*talk.ends)
    with refused(Result.AUTH_FAILURE):
        talk.authenticate(*talk.ends, auth)


def test_a_local_identity_without_a_policy_signs_nothing() -> None:
    config = config_of("alice")
    config.local_identities[2] = LocalIdentity(2, "other@tkm-lab.test", "otherCert.pem")
    talk = Conversation(host("alice", config), host("bob"))
    talk.ike_sa_init(MODP_3072)
    with refused(Result.INVALID_ID):
        talk.sign_as(talk.initiator, 2)
    talk.sign(talk.initiator)


def test_an_endpoint_that_was_reset_and_made_again_serves_no_older_ike_sa() -> None:
    talk = established()
    alice = talk.initiator
    talk.delete_child(1)
    alice.call(rpc2.AeReset(ae=1))
    for attempt in (without_pfs, lambda end: child(end, 1, 7)):
        with refused(Result.INVALID_STATE):
            attempt(alice)
    # The number in use again, and authenticated again: by another IKE SA.
    again = Conversation(talk.initiator.host, talk.responder.host, isa=2, ae=1)
    again.responder.ae = 2
    again.ike_sa_init(MODP_3072)
    again.ike_auth()
    again.first_child(5)
    for attempt in (without_pfs, lambda end: child(end, 1, 7)):
        with refused(Result.INVALID_STATE):
            attempt(alice)
    assert len(states(again)) == 2


def test_an_endpoint_is_made_by_one_ike_sa(talk: Any) -> None:
    with refused(Result.INVALID_STATE):
        Conversation(talk.initiator.host, talk.responder.host, isa=2, ae=1).ike_sa_init(MODP_3072)


@pytest.mark.parametrize("spi", [bytes(4), b"\0\0\0\1", b"\0\0\0\xff"])
@pytest.mark.parametrize("which", ["spi_loc", "spi_rem"])
def test_reserved_spis(talk: Any, spi: bytes, which: str) -> None:
    talk.ike_auth()
    with refused(Result.INVALID_PARAMETER):
        first(talk.initiator, **dict[str, Any]({which: spi}))
    first(talk.initiator, **dict[str, Any]({which: b"\0\0\1\0"}))


def test_algorithms_that_are_none(talk: Any) -> None:
    talk.ike_auth()
    with refused(Result.INVALID_ID):
        first(talk.initiator, ea=2)


def isa_create(end: End, **values: Any) -> None:
    request = {"isa": 2, "ae": 2, "ia": 1, "ke": 1, "nc_loc": 1, "nonce_rem": bytes(32)}
    spis = {"spi_loc": b"l" * 8, "spi_rem": b"r" * 8}
    end.call(rpc2.IsaCreate(**{**request, "initiator": True, **spis, **values}))


def test_nonces_and_secrets_are_used_once(talk: Any) -> None:
    talk.exchange_keys(MODP_3072, MODP_3072)
    alice = talk.initiator
    isa_create(alice)
    with refused(Result.INVALID_STATE):
        isa_create(alice, isa=3, ae=3, ke=2)
    alice.call(rpc2.NcCreate(nc=1, length=32))
    with refused(Result.INVALID_STATE):
        isa_create(alice, isa=3, ae=3)
    isa_create(alice, isa=3, ae=3, ke=2)


def test_a_key_exchange_that_is_half_done_gives_no_keys(talk: Any) -> None:
    alice = talk.initiator
    alice.call(rpc2.NcCreate(nc=1, length=32))
    with refused(Result.INVALID_STATE):
        isa_create(alice)
    value = alice.call(rpc2.KeGet(ke=1, method=15)).public_value
    with refused(Result.INVALID_STATE):
        isa_create(alice)
    for request in (rpc2.KeGet(ke=1, method=15), rpc2.NcCreate(nc=1, length=32)):
        with refused(Result.INVALID_STATE):
            alice.call(request)
    with refused(Result.INVALID_PARAMETER):
        alice.call(rpc2.KeSet(ke=1, method=16, public_value=value + value[:128]))
    with refused(Result.MATH_ERROR):
        alice.call(rpc2.KeSet(ke=1, method=15, public_value=b"\1".rjust(384, b"\0")))
    with refused(Result.INVALID_PARAMETER):
        alice.call(rpc2.KeSet(ke=1, method=15, public_value=value))
    alice.call(rpc2.KeSet(ke=1, method=15, public_value=PUBLIC_VALUE))
    with refused(Result.INVALID_STATE):
        alice.call(rpc2.KeSet(ke=1, method=15, public_value=PUBLIC_VALUE))
    isa_create(alice)


def test_one_key_exchange_is_not_several() -> None:
    talk = established()
    alice = talk.initiator
    talk.exchange_keys(MODP_3072)
    request: dict[str, Any] = {
        "esa": 2,
        "isa": 1,
        "sp": 1,
        "ke": (1, 1),
        "nc_loc": 1,
        "nonce_rem": bytes(32),
    }
    with refused(Result.INVALID_STATE):
        alice.call(rpc2.EsaCreate(**request, initiator=True, **REST))


def test_keys_stay_as_they_are_once_signed(talk: Any) -> None:
    talk.exchange_keys(MODP_3072)
    talk.sign(talk.initiator)
    with refused(Result.INVALID_STATE):
        talk.initiator.call(rpc2.IsaUpdate(isa=1, ke=1))
    with refused(Result.INVALID_STATE):
        talk.initiator.call(rpc2.IsaIntAuth(isa=1, verify=False, message=b"late"))


def test_messages_that_were_changed_are_not_opened(talk: Any) -> None:
    plain = bytes(32)
    sealed = talk.initiator.call(rpc2.IsaEncrypt(isa=1, aad_length=4, message=b"head" + plain))
    good = b"head" + sealed.protected
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 0x80
        with refused(Result.INTEGRITY_FAILURE):
            talk.responder.call(rpc2.IsaDecrypt(isa=1, aad_length=4, message=bytes(bad)))
    for message in (good[:-1], good[:-16], good + b"\0", good[:4] + bytes(16), b"head"):
        with refused(Result.INTEGRITY_FAILURE):
            talk.responder.call(rpc2.IsaDecrypt(isa=1, aad_length=4, message=message))
    # Our own message, sent back to us, is not the peer's.
    with refused(Result.INTEGRITY_FAILURE):
        talk.initiator.call(rpc2.IsaDecrypt(isa=1, aad_length=4, message=good))
    opened = talk.responder.call(rpc2.IsaDecrypt(isa=1, aad_length=4, message=good))
    assert opened.plain == plain


@pytest.mark.parametrize(
    ("aad", "message"), [(0, b"x"), (0, bytes(17)), (4, b"head"), (5, b"head"), (9999, bytes(16))]
)
def test_messages_that_cannot_be_protected(talk: Any, aad: int, message: bytes) -> None:
    with refused(Result.INVALID_PARAMETER):
        talk.initiator.call(rpc2.IsaEncrypt(isa=1, aad_length=aad, message=message))
