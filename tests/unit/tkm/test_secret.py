# SPDX-License-Identifier: GPL-2.0-or-later
"""Secrets: nobody sees them, and when they are gone they are gone."""

import ctypes
import json
import os
import pickle
from typing import Any

import pytest

from tkm.algorithms import ORIGINAL
from tkm.crypto.derivation import Roles, ike_keys
from tkm.crypto.secret import Secret, wipe_bytes
from tkm.crypto.suite import IKE


def address(buffer: bytearray | memoryview) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


def test_wiping_zeroes_the_memory() -> None:
    secret = Secret(bytearray(b"not for anybody"))
    octets = secret.octets
    place = address(octets)
    secret.wipe()
    assert ctypes.string_at(place, len(octets)) == bytes(len(octets))
    assert len(secret) == 0
    secret.wipe()


def test_leaving_the_block_wipes_also_on_errors() -> None:
    secret = Secret(bytearray(b"not for anybody"))
    octets = secret.octets
    with pytest.raises(KeyError), secret:
        raise KeyError
    assert bytes(octets) == bytes(15)


def test_taking_wipes_the_source() -> None:
    source = os.urandom(64)
    copy = bytes(bytearray(source))
    secret = Secret.take(source)
    assert source == bytes(64)
    assert bytes(secret.octets) == copy


def test_octets_that_python_shares_are_left_alone() -> None:
    for octets in (b"", b"a"):
        wipe_bytes(octets)
    assert (bytes(0), bytes([97])) == (b"", b"a")


def test_a_part_is_the_same_memory() -> None:
    secret = Secret(bytearray(range(10)))
    octets, part = secret.octets, secret.part(3, 5)
    assert (len(part), bytes(part.octets)) == (5, bytes(range(3, 8)))
    assert part == Secret(bytearray(range(3, 8)))
    part.wipe()
    assert bytes(octets) == bytes((0, 1, 2, 0, 0, 0, 0, 0, 8, 9))
    kept = secret.part(8, 2).octets
    secret.wipe()
    assert (bytes(octets), bytes(kept)) == (bytes(10), bytes(2))


def test_keys_are_wiped_together() -> None:
    keys = ike_keys(Roles(b"i" * 32, b"r" * 32), Secret(bytearray(b"shared")), IKE[ORIGINAL])
    octets = [key.octets for key in keys]
    assert sum(map(len, octets)) == 384
    assert all(any(key) for key in octets)
    keys.wipe()
    assert not any(any(key) for key in octets)


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r:>40}".format])
def test_no_words_show_it(show: Any) -> None:
    shown = show(Secret(bytearray(b"confidential")))
    assert "confidential" not in shown
    assert b"confidential".hex() not in shown
    assert "12 octets" in shown


@pytest.mark.parametrize("carry", [pickle.dumps, json.dumps, hash])
def test_it_does_not_travel(carry: Any) -> None:
    with pytest.raises(TypeError):
        carry(Secret(bytearray(b"confidential")))


def test_comparing() -> None:
    assert Secret(bytearray(b"a")) == Secret(bytearray(b"a"))
    assert Secret(bytearray(b"a")) != Secret(bytearray(b"b"))
    assert Secret(bytearray(b"a")) != b"a"
