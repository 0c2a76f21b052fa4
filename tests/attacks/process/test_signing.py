# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host's key signs."""

import struct
from typing import Any, Final

import pytest
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.attacks.process import documents
from tests.attacks.process.attacker import Attacker
from tests.attacks.process.requests import (
    auth,
    isa_create,
    ready_to_prove,
    sign,
)
from tests.unit.tkm.conversation import MODP_3072, End
from tests.unit.tkm.messages import KE, NONCE, SA, init_message, init_payloads
from tkm.core.message import Half
from tkm.rpc.result import Result


def test_signatures_twice(on: Attacker) -> None:
    talk, alice, _ = on.derived()
    talk.sign(alice, on.hashes)
    on.refused(sign(alice, on, alice.init_message), Result.INVALID_STATE)


def test_signatures_of_identities_that_are_none(on: Attacker) -> None:
    _, alice, _ = on.derived()
    for lc in (2, 100):
        on.refused(sign(alice, on, alice.init_message, lc), Result.INVALID_ID)


def test_signatures_under_messages_of_others(on: Attacker) -> None:
    _, one, bob = on.derived()
    _, two, _ = on.derived(number=2)
    for message in (two.init_message, bob.init_message, one.init_message[28:]):
        on.refused(sign(one, on, message), Result.INVALID_PARAMETER)


def forged(message: bytes, half: Half, *, by_initiator: bool) -> dict[str, bytes]:
    """What is nearly the right message."""
    made: dict[str, bytes] = {
        f"octet {at}": message[:at] + bytes([message[at] ^ bit]) + message[at + 1 :]
        for at, bit in [(0, 1), (7, 1), (8, 1), (15, 0x80), (16, 3), (17, 1), (18, 1), (19, 0x20),
                        (19, 8), (23, 1), (24, 1), (27, 1), (28, 1), (30, 1), (31, 1)]
    }  # fmt: skip
    parts = init_payloads(half)
    (_, exchange), (_, own) = parts[1], parts[2]
    chains: dict[str, Any] = {
        "nothing": [], "no nonce": parts[:2], "no key exchange": [parts[0], parts[2]],
        "two nonces": [*parts, (NONCE, own)], "two key exchanges": [*parts, (KE, exchange)],
        "two proposals": [*parts, (SA, b"more")], "another nonce": [*parts[:2], (NONCE, bytes(32))],
        "a longer nonce": [*parts[:2], (NONCE, own + b"\0")],
        "a shorter nonce": [*parts[:2], (NONCE, own[:-1])],
        "another value": [parts[0], (KE, exchange[:-1] + b"\0"), parts[2]],
        "another method": [parts[0], (KE, b"\0\x10" + exchange[2:]), parts[2]],
        "an identity": [*parts, (35, b"\2\0\0\0root")], "an AUTH payload": [*parts, (39, bytes(9))],
        "a certificate": [*parts, (37, b"\4" + bytes(20))], "encrypted": [*parts, (46, bytes(20))],
    }  # fmt: skip
    for name, payloads in chains.items():
        spi = message[8:16] if by_initiator else message[:8]
        made[name] = init_message(half, spi, by_initiator=by_initiator, payloads=payloads)
    made["cut"] = message[:-1]
    made["cut, and the length says so"] = message[:24] + struct.pack(">I", 28) + b"" + b""
    made["more"] = message + b"\0"
    made["twice"] = message * 2
    made["a header alone"] = message[:28]
    made["one octet"] = b"\0"
    made["zeros"] = bytes(len(message))
    return made


def _half(alice: End) -> Half:
    return Half(alice.spi, MODP_3072, alice.public_values[0], alice.nonce)


@pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])
def test_forged_messages_are_not_signed(on: Attacker, initiator: bool) -> None:
    _, alice, _ = on.derived(initiator=initiator)
    right = alice.init_message
    for name, message in forged(right, _half(alice), by_initiator=initiator).items():
        if message != right:
            assert on.is_refused(sign(alice, on, message)), name
    on.client.call(sign(alice, on, right))


@pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])
def test_a_peer_does_not_prove_itself_by_forged_messages(on: Attacker, initiator: bool) -> None:
    _, alice, bob, _, bobs = ready_to_prove(on, initiator=initiator)
    made = forged(bob.init_message, _half(bob), by_initiator=not initiator)
    for name, message in made.items():
        if message != bob.init_message:
            assert on.is_refused(auth(on, alice, bob, bobs, init_message=message)), name
    on.client.call(auth(on, alice, bob, bobs))


REST: Final = 8 + 384 + 4 + 32 + 32 + documents.PRF
"""Octets behind the SA payload: key exchange, nonce, the peer's nonce, the end."""


@pytest.mark.parametrize("make", [documents.certificate, documents.request, documents.initiators])
def test_no_message_is_signed_that_is_a_document_too(on: Attacker, make: Any) -> None:
    """A certificate of the attacker's choice, signed with the host's key: that was possible."""
    is_initiator = make is documents.initiators
    talk = on.talk(initiator=is_initiator)
    talk.exchange_keys(MODP_3072)
    alice, bob = talk.ends if is_initiator else talk.ends[::-1]
    key = rsa.generate_private_key(65537, 2048).public_key()
    document = make(on.generation, key, REST)
    spis = (document.spi_i, b"the peer") if is_initiator else (document.spi_r, document.spi_i)
    roles = {"initiator": is_initiator, "spi_loc": spis[0], "spi_rem": spis[1]}
    on.client.call(isa_create(bob.nonce, **roles))
    half = Half(spis[0], MODP_3072, alice.public_values[0], alice.nonce)
    payloads = [(SA, document.proposals), *init_payloads(half)[1:]]
    message = init_message(half, spis[1], by_initiator=is_initiator, payloads=payloads)
    # It is one, but for the octets that only the Key Manager knows.
    whole = documents.signed(document, message + bob.nonce + bytes(documents.PRF), bytes(384))
    core.Sequence.load(whole, strict=True)
    if make is not documents.request:  # the library wants a shorter version of a request
        assert x509.load_der_x509_certificate(whole).subject.rfc4514_string() == "CN=anybody"
    on.refused(sign(alice, on, message), Result.INVALID_PARAMETER)
    # With another proposal it is an IKE message and nothing else.
    other = [(SA, document.proposals + b"\0"), *init_payloads(half)[1:]]
    message = init_message(half, spis[1], by_initiator=is_initiator, payloads=other)
    on.client.call(sign(alice, on, message))
