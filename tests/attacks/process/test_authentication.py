# SPDX-License-Identifier: GPL-2.0-or-later
"""Who passes for bob."""

from contextlib import suppress

import pytest

from tests.attacks.odd import odd_certificates
from tests.attacks.process.attacker import Attacker
from tests.attacks.process.requests import (
    GENERATION_2,
    auth,
    ready_to_prove,
)
from tests.unit.trusted import pki
from tkm.rpc import rpc2
from tkm.rpc.result import Refused, Result


def test_authentication_before_the_signature(on: Attacker) -> None:
    talk, alice, bob = on.derived()
    bobs = talk.sign(bob, on.hashes)
    talk.check_chain(alice, bob)
    on.refused(auth(on, alice, bob, bobs), Result.INVALID_STATE)


def test_own_signature_reflected(on: Attacker) -> None:
    _, alice, bob, own, _ = ready_to_prove(on)
    on.refused(auth(on, alice, bob, own), Result.AUTH_FAILURE)
    on.refused(auth(on, alice, bob, own, init_message=alice.init_message), Result.AUTH_FAILURE)


def test_signature_of_another_ike_sa(on: Attacker) -> None:
    _, _, other, _, others = ready_to_prove(on, number=2)
    on.client.call(rpc2.CcReset(cc=1))
    _, alice, bob, _, _ = ready_to_prove(on)
    on.refused(auth(on, alice, bob, others), Result.AUTH_FAILURE)
    on.refused(auth(on, alice, other, others), Result.AUTH_FAILURE)


def test_authentication_twice(on: Attacker) -> None:
    _, alice, bob, _, bobs = ready_to_prove(on)
    on.client.call(auth(on, alice, bob, bobs))
    on.refused(auth(on, alice, bob, bobs), Result.INVALID_STATE)


def test_signatures_that_are_wrong(on: Attacker) -> None:
    _, alice, bob, _, bobs = ready_to_prove(on)
    right = bobs.signature
    flipped = right[:-1] + bytes([right[-1] ^ 1])
    for wrong in (b"\0", b"\xff", right[:-1], right + b"\0", bytes(len(right)), flipped,
                  b"\xff" * len(right), right[:16], right[::-1]):  # fmt: skip
        reply = rpc2.SignatureReply(method=bobs.method, signature=wrong)
        on.refused(auth(on, alice, bob, reply), Result.AUTH_FAILURE)
    on.client.call(auth(on, alice, bob, bobs))


@GENERATION_2
def test_methods_of_authentication_that_are_none(on: Attacker) -> None:
    _, alice, bob, _, bobs = ready_to_prove(on)
    for method in (0, 1, 2, 3, 9, 10, 11, 13, 15, 255):
        on.refused(auth(on, alice, bob, bobs, method=method), Result.AUTH_FAILURE)


def test_chains_that_are_not_checked(on: Attacker) -> None:
    talk, alice, bob = on.derived()
    talk.sign(alice, on.hashes)
    bobs = talk.sign(bob, on.hashes)
    on.refused(auth(on, alice, bob, bobs), Result.INVALID_STATE)
    if on.generation == 2:
        on.client.call(rpc2.CcCheckCa(cc=1, ca=1, certificate=pki().ca.root.certificate.der))
        on.refused(auth(on, alice, bob, bobs), Result.INVALID_STATE)
        on.refused(rpc2.CcCheckChain(cc=1, ri=1), Result.CERTIFICATE_FAILURE)
        on.client.call(rpc2.CcAddCertificate(cc=1, certificate=bob.host.certificate))
        on.refused(auth(on, alice, bob, bobs), Result.INVALID_STATE)


@GENERATION_2
def test_chains_of_somebody_else(on: Attacker) -> None:
    ca, own = pki().ca.root.certificate.der, pki().certificates
    for certificates, remote in (((own["alice"],), 1), ((own["bob"],), 2), ((), 1), ((ca,), 1)):
        on.client.call(rpc2.CcReset(cc=1))
        on.client.call(rpc2.CcCheckCa(cc=1, ca=1, certificate=ca))
        for certificate in certificates:
            with suppress(Refused):
                on.client.call(rpc2.CcAddCertificate(cc=1, certificate=certificate))
        on.refused(rpc2.CcCheckChain(cc=1, ri=remote), Result.CERTIFICATE_FAILURE)
    on.client.call(rpc2.CcReset(cc=1))
    for number, certificate in ((1, own["bob"]), (1, ca + b"\0"), (1, ca[:-1]), (2, ca)):
        on.refused(rpc2.CcCheckCa(cc=1, ca=number, certificate=certificate))


@GENERATION_2
def test_chains_that_grow_after_the_check(on: Attacker) -> None:
    talk, alice, bob = on.derived()
    talk.check_chain(alice, bob)
    alices = rpc2.CcAddCertificate(cc=1, certificate=alice.host.certificate)
    on.refused(alices, Result.INVALID_STATE)
    on.refused(rpc2.CcCheckChain(cc=1, ri=2), Result.INVALID_STATE)
    on.refused(rpc2.CcCheckCa(cc=1, ca=1, certificate=alice.host.ca), Result.INVALID_STATE)


def test_chain_that_was_reset(on: Attacker) -> None:
    _, alice, bob, _, bobs = ready_to_prove(on)
    on.client.call(rpc2.CcReset(cc=1))
    on.refused(auth(on, alice, bob, bobs), Result.INVALID_STATE)


@GENERATION_2
def test_certificates_that_are_none(on: Attacker) -> None:
    on.client.call(rpc2.CcCheckCa(cc=1, ca=1, certificate=pki().ca.root.certificate.der))
    bob = pki().certificates["bob"]
    nested = b"".join(b"\x30\x82" + (16380 - 4 * at).to_bytes(2, "big") for at in range(4000))
    for octets in (b"\0", b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", bytes(16384),
                   b"\xff" * 16384, bob[:-1], bob + b"\0", nested, bob[:200] * 80):  # fmt: skip
        on.refused(rpc2.CcAddCertificate(cc=1, certificate=octets), Result.CERTIFICATE_FAILURE)


@GENERATION_2
@pytest.mark.parametrize("name", odd_certificates())
def test_odd_certificates(on: Attacker, name: str) -> None:
    """Accepted or refused, but never a fault of the Key Manager's."""
    on.client.call(rpc2.CcCheckCa(cc=1, ca=1, certificate=pki().ca.root.certificate.der))
    on.attempts += 1
    try:
        on.client.call(rpc2.CcAddCertificate(cc=1, certificate=odd_certificates()[name]()[:16384]))
        on.client.call(rpc2.CcCheckChain(cc=1, ri=1))
    except Refused as refusal:
        assert refusal.result is Result.CERTIFICATE_FAILURE  # noqa: PT017


@GENERATION_2
def test_own_messages_reflected(on: Attacker) -> None:
    _, alice, _ = on.derived()
    for length in (16, 160, 4096):
        encrypt = rpc2.IsaEncrypt(isa=1, aad_length=16, message=bytes(16 + length))
        sealed = on.client.call(encrypt).protected
        decrypt = rpc2.IsaDecrypt(isa=1, aad_length=16, message=bytes(16) + sealed)
        on.refused(decrypt, Result.INTEGRITY_FAILURE)
    assert alice.isa == 1


@GENERATION_2
def test_messages_that_were_changed(on: Attacker) -> None:
    _, _, bob = on.derived()
    plain = bytes(64)
    sealed = bob.call(rpc2.IsaEncrypt(isa=1, aad_length=28, message=bytes(28) + plain)).protected
    message = bytes(28) + sealed
    for at in range(0, len(message), 7):
        wrong = message[:at] + bytes([message[at] ^ 0x40]) + message[at + 1 :]
        on.refused(rpc2.IsaDecrypt(isa=1, aad_length=28, message=wrong), Result.INTEGRITY_FAILURE)
    for length in (0, 27, 29, len(message) - 1, len(message), len(message) + 1, 0xFFFFFFFF):
        on.refused(rpc2.IsaDecrypt(isa=1, aad_length=length, message=message))
    for end in (29, 44, 60, 75, 76, len(message) - 16, len(message) - 1):
        on.refused(rpc2.IsaDecrypt(isa=1, aad_length=28, message=message[:end]))
    assert on.client.call(rpc2.IsaDecrypt(isa=1, aad_length=28, message=message)).plain == plain


@GENERATION_2
def test_plain_text_of_odd_lengths(on: Attacker) -> None:
    on.derived()
    for length, aad in ((1, 0), (15, 0), (18, 1), (16, 17), (64, 0xFFFFFFFF), (65535, 0)):
        on.refused(rpc2.IsaEncrypt(isa=1, aad_length=aad, message=bytes(length)))
