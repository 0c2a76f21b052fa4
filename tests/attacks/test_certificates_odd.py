# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer's certificate or AUTH, validly signed but odd, is refused and changes nothing.

The weakness behind this file: an RSA-512 key and RSASSA-PSS with SHA-512 ended the Key Manager.
"""

import random
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from tests.attacks import odd
from tests.unit.tkm.charon import host1
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.snapshot import snapshot
from tests.unit.trusted import Host, host
from tkm.crypto import signature
from tkm.crypto.signature import Auth
from tkm.errors import AuthenticationError, CertificateError, TkmError, refusing
from tkm.generation1.rpc1 import RPC1
from tkm.rpc import rpc2
from tkm.rpc.interface import Request
from tkm.rpc.result import FieldError, Refused, Result
from tkm.rpc.rpc2 import RPC2

HOSTS = {1: host1, 2: host}
ROUNDS = 400
"""Random certificates a seed; bench/fuzz.py goes further."""


def submit(alice: Host, *certificates: bytes) -> list[Result]:
    """Have a chain judged; the result of each request."""
    requests: list[Request[Any]] = [rpc2.CcCheckCa(cc=1, ca=1, certificate=alice.ca)]
    requests += [rpc2.CcAddCertificate(cc=1, certificate=each) for each in certificates]
    return [result_of(alice, each) for each in (*requests, rpc2.CcCheckChain(cc=1, ri=1))]


def result_of(alice: Host, request: Request[Any]) -> Result:
    """A refusal changes nothing."""
    before = snapshot(alice)
    try:
        alice.client.call(request)
    except Refused as refused:
        assert snapshot(alice) == before
        return refused.result
    return Result.OK


@pytest.mark.parametrize("what", odd.odd_certificates())
def test_an_odd_certificate_of_a_peer(what: Any) -> None:
    results = submit(host("alice"), odd.odd_certificates()[what]())
    assert results[0] is Result.OK
    assert results[-1] is Result.CERTIFICATE_FAILURE
    assert set(results) <= {Result.OK, Result.CERTIFICATE_FAILURE}


@pytest.mark.parametrize("what", odd.odd_certificates())
def test_an_odd_certificate_of_a_peer_in_generation_1(what: Any) -> None:
    alice = host1("alice")
    alice.client.call(rpc2.CcCheckCa(cc=1, ca=1, certificate=alice.ca))
    alice.client.call(rpc2.CcAddCertificate(cc=1, certificate=odd.odd_certificates()[what]()))
    with pytest.raises((Refused, FieldError)) as refused:  # FieldError: no frame has room for it
        alice.client.call(rpc2.CcCheckChain(cc=1, ri=1))  # what charon asks then: all three
    assert getattr(refused.value, "result", None) is Result.INVALID_PARAMETER


@pytest.mark.parametrize("what", odd.fine_certificates())
@pytest.mark.parametrize("generation", HOSTS)
def test_a_good_one(generation: Any, what: str) -> None:
    alice, certificate = HOSTS[generation]("alice"), odd.fine_certificates()[what]()
    if generation == 1 and what.endswith("4,000 octets"):
        return  # no frame has room for it
    alice.client.call(rpc2.CcCheckCa(cc=1, ca=1, certificate=alice.ca))
    alice.client.call(rpc2.CcAddCertificate(cc=1, certificate=certificate))
    alice.client.call(rpc2.CcCheckChain(cc=1, ri=1))


@pytest.mark.parametrize("what", ["rsa: rsa-1024", "rsa: e of 3", "rsa: n a square", "key: p-256"])
def test_an_odd_certificate_of_a_ca_between(what: str) -> None:
    alice = host("alice")
    between = odd.odd_certificates()[what]()
    assert submit(alice, between)[1] is Result.CERTIFICATE_FAILURE


@pytest.mark.parametrize("what", odd.keys())
def test_no_key_makes_verifying_fail_otherwise(what: Any) -> None:
    """Even if a weak key came as far as AUTH."""
    key = odd.keys()[what]
    try:
        public = RSAPublicNumbers(key.e, key.n).public_key()
    except (ValueError, OverflowError):
        return  # the library has no such key
    chance = random.Random(1)
    size = max(public.key_size // 8, 1)
    auths = [Auth(*odd.random_auth(chance, size)) for _ in range(100)]
    auths += [with_scheme(each, b"\1" * size) for each in signature._SCHEMES]
    for auth in auths:
        with pytest.raises(AuthenticationError):
            signature.verify(public, b"octets", auth)


def with_scheme(identifier: bytes, octets: bytes) -> Auth:
    return Auth(14, bytes([len(identifier)]) + identifier + octets)


def test_a_weak_key_signs_well_and_is_refused_all_the_same() -> None:
    """What the CA has issued is no proof that the key is worth anything."""
    weak = odd.keys()["rsa-1024"]
    prefix = bytes.fromhex("3031300d060960864801650304020105000420")
    signed = weak.sign(b"octets", hashes.SHA256(), prefix)
    auth = with_scheme(odd.SHA256_RSA, signed)
    signature.verify(RSAPublicNumbers(weak.e, weak.n).public_key(), b"octets", auth)
    certificate = odd.signed(odd.Parts(odd.rsa_spki(weak.n, weak.e)))
    assert Result.CERTIFICATE_FAILURE in submit(host("alice"), certificate)


@pytest.mark.parametrize("seed", range(2))
def test_random_certificates_and_auths(seed: int) -> None:
    alice, chance = host("alice"), random.Random(seed)
    talk = Conversation(alice, host("bob"))
    talk.ike_sa_init(MODP_3072)
    talk.sign(talk.initiator)
    found: set[Result] = set()
    for _ in range(ROUNDS):
        results = submit(alice, odd.random_certificate(chance))
        method, data = odd.random_auth(chance)
        data = data or b"\0"  # the protocol has no empty signatures
        asked = rpc2.IsaAuth(isa=1, cc=1, init_message=bytes(600), method=method, signature=data)
        results.append(result_of(alice, asked))
        found.update(results)
        assert results[-1] is not Result.OK
        alice.client.call(rpc2.CcReset(cc=1))
    assert found == {
        Result.OK,
        Result.INVALID_STATE,
        Result.CERTIFICATE_FAILURE,
        Result.AUTH_FAILURE,
    } | (found & {Result.INVALID_PARAMETER})


@pytest.mark.parametrize("interface", [RPC1, RPC2], ids=["1", "2"])
def test_nonces_are_at_least_half_the_key_of_the_prf(interface: Any) -> None:
    """RFC 7296, 2.10: 32 octets with HMAC-SHA2-512, our own ones and the peer's."""
    found = [
        (name, field)
        for operation in interface
        for name, field in operation.fields.items()
        if name in ("nonce_rem", "length")
    ]
    assert len(found) == 5
    for name, field in found:
        short, enough = (31, 32) if name == "length" else (bytes(31), bytes(32))
        with pytest.raises(FieldError):
            field.encode(short)
        with pytest.raises(FieldError):
            field.decode(field.encode(enough).replace(b"\x20", b"\x1f", 1), 0)


def test_whatever_a_library_raises_is_a_refusal() -> None:
    class PanicException(BaseException):
        """As Rust code raises it."""

    for error in (
        ValueError("x" * 5000),
        IndexError(),
        RecursionError("deep"),
        PanicException("p"),
    ):
        with (
            pytest.raises(CertificateError) as refused,
            refusing(CertificateError, "not a certificate"),
        ):
            raise error
        assert len(str(refused.value)) < 400
    for end in (KeyboardInterrupt(), SystemExit()):
        with pytest.raises(type(end)), refusing(CertificateError, "not a certificate"):
            raise end
    with pytest.raises(TkmError, match=r"^ours$"), refusing(CertificateError, "not a certificate"):
        raise AuthenticationError("ours")
