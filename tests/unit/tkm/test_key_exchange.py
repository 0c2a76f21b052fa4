# SPDX-License-Identifier: GPL-2.0-or-later
"""Key exchange methods: both sides agree, and what is refused; the primes of the MODP groups."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dh
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tkm.primes import MODP_3072, MODP_4096
from tkm.crypto.key_exchange import METHODS, method_of
from tkm.crypto.modp import ModpGroup
from tkm.errors import InvalidParameter, PublicValueError

GROUPS = pytest.mark.parametrize(
    ("method", "prime"), [(15, MODP_3072), (16, MODP_4096)], ids=["15", "16"]
)


def modp(method: int) -> ModpGroup:
    group = METHODS[method]
    assert isinstance(group, ModpGroup)
    return group


@GROUPS
def test_primes_are_the_published_ones(method: Any, prime: Any) -> None:
    numbers = modp(method).parameters.parameter_numbers()
    assert (numbers.p, numbers.g) == (prime, 2)


@GROUPS
def test_both_sides_agree_and_both_lengths_are_the_primes(method: Any, prime: Any) -> None:
    ours, theirs = method_of(method).generate(), method_of(method).generate()
    octets = prime.bit_length() // 8
    assert len(ours.public_value()) == len(theirs.public_value()) == octets
    secret = ours.shared_secret(theirs.public_value())
    assert secret == theirs.shared_secret(ours.public_value())
    assert len(secret) == octets


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@GROUPS
def test_the_secret_is_padded_on_the_left(method: Any, prime: Any) -> None:
    ours, octets = modp(method).generate(), prime.bit_length() // 8
    numbers = dh.DHPublicNumbers(2**7, modp(method).parameters.parameter_numbers())
    ours._private = dh.DHPrivateNumbers(7, numbers).private_key()
    secret = ours.shared_secret((2**100).to_bytes(octets, "big"))
    assert bytes(secret.octets) == (2**700).to_bytes(octets, "big")


@GROUPS
def test_trivial_values_are_refused(method: Any, prime: Any) -> None:
    ours, octets = method_of(method).generate(), prime.bit_length() // 8
    for value in (0, 1, prime - 1, prime, prime + 1, (1 << 8 * octets) - 1):
        with pytest.raises(PublicValueError):
            ours.shared_secret(value.to_bytes(octets, "big"))
    for length in (0, 1, octets - 1, octets + 1):
        with pytest.raises(PublicValueError, match=f"{length} octets in a group of {octets}"):
            ours.shared_secret(b"\2" * length)


@pytest.mark.parametrize("method", [0, 1, 2, 5, 13, 22, 30, 33, 35, 38, 0xFFFF])
def test_other_methods_are_refused(method: int) -> None:
    with pytest.raises(InvalidParameter, match=f"key exchange method {method} is unknown"):
        method_of(method)


@settings(max_examples=20, deadline=None)
@given(octets=st.binary(min_size=384, max_size=384))
def test_any_value_is_taken_or_refused(octets: Any) -> None:
    try:
        secret = method_of(15).generate().shared_secret(octets)
    except PublicValueError:
        return
    assert len(secret) == 384


def test_private_values_differ_and_do_not_show() -> None:
    values = {method_of(15).generate().public_value() for _ in range(4)}
    assert len(values) == 4
    assert repr(method_of(15).generate()) == "<private value>"


EVERY = pytest.mark.parametrize("number", METHODS)
CURVES = {19: 32, 20: 48, 21: 66}
"""Octets of a coordinate."""


@EVERY
def test_both_sides_agree(number: int) -> None:
    """As initiator and responder; a responder to a KEM has its value after the peer's."""
    ours, theirs = method_of(number).generate(), method_of(number).generate()
    first = ours.public_value()
    secret = theirs.shared_secret(first)
    assert ours.shared_secret(theirs.public_value()) == secret
    assert len(secret) >= 32


@EVERY
def test_values_of_another_length_are_refused(number: int) -> None:
    ours, theirs = method_of(number).generate(), method_of(number).generate()
    value = ours.public_value()
    for octets in (b"", value[:-1], value + b"\0", b"\0" + value):
        with pytest.raises(PublicValueError, match="octets"):
            theirs.shared_secret(octets)


@pytest.mark.parametrize(("number", "length"), CURVES.items())
def test_points_that_are_not_on_the_curve(number: int, length: int) -> None:
    """RFC 6989, 2.3: also infinity, which zeros would be, and coordinates too large."""
    x = method_of(number).generate().public_value()[:length]
    for octets in (bytes(2 * length), x + b"\1" * length, b"\xff" * (2 * length)):
        with pytest.raises(PublicValueError, match="not a point"):
            method_of(number).generate().shared_secret(octets)


@pytest.mark.parametrize(("number", "length"), [(31, 32), (32, 56)])
def test_points_of_low_order(number: int, length: int) -> None:
    """The shared secret would be zero, whatever our private value is (RFC 8031, 2.2)."""
    for u in (0, 1):
        with pytest.raises(PublicValueError, match="low order"):
            method_of(number).generate().shared_secret(u.to_bytes(length, "little"))


@pytest.mark.parametrize(("number", "length"), [(36, 1184), (37, 1568)])
def test_an_encapsulation_key_that_is_not_reduced(number: int, length: int) -> None:
    """FIPS 203, 7.2: its coefficients are below 3329."""
    with pytest.raises(PublicValueError, match="not an encapsulation key"):
        method_of(number).generate().shared_secret(b"\xff" * length)


@pytest.mark.parametrize("number", [36, 37])
def test_a_wrong_ciphertext_gives_another_secret(number: int) -> None:
    """FIPS 203, 6.3: an attacker learns nothing of it but that AUTH fails."""
    ours, theirs = method_of(number).generate(), method_of(number).generate()
    secret = theirs.shared_secret(ours.public_value())
    ciphertext = bytearray(theirs.public_value())
    ciphertext[0] ^= 1
    assert ours.shared_secret(bytes(ciphertext)) != secret
