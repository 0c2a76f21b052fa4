# SPDX-License-Identifier: GPL-2.0-or-later
"""The MODP groups: their primes, their secrets, what they refuse."""

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
