# SPDX-License-Identifier: GPL-2.0-or-later
"""PRF_HMAC_SHA2_512 (RFC 4868, 2.1.2) and prf+ (RFC 7296, 2.13)."""

import hmac
from typing import Final

from tkm.secret import Secret, wipe_bytes

PRF_LENGTH: Final = 64
"""Octets of the prf's output, and of its preferred key."""

_BLOCKS: Final = 255
"""prf+ counts its blocks in one octet, from 1."""

Octets = bytes | bytearray


def prf(key: Octets, *parts: Octets) -> Secret:
    """prf(key, parts one behind the other): 64 octets."""
    with Secret(bytearray().join(parts)) as data:
        return Secret.take(hmac.digest(key, data.octets, "sha512"))


def prf_plus(key: Octets, seed: Octets, length: int) -> Secret:
    """The first ``length`` octets of prf+(key, seed).

    :raises ValueError: prf+ is not defined for that many.
    """
    blocks = -(-length // PRF_LENGTH)
    if blocks > _BLOCKS:
        raise ValueError(f"prf+ ends at {_BLOCKS * PRF_LENGTH} octets")
    # One buffer of the final size: a growing one would leave copies behind.
    stream = bytearray(blocks * PRF_LENGTH)
    block = b""
    for number in range(blocks):
        with Secret(bytearray().join((block, seed, bytes([number + 1])))) as data:
            wipe_bytes(block)
            block = hmac.digest(key, data.octets, "sha512")
        stream[number * PRF_LENGTH : (number + 1) * PRF_LENGTH] = block
    wipe_bytes(block)
    keys, rest = Secret(stream).split(length, len(stream) - length)
    rest.wipe()
    return keys
