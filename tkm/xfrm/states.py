# SPDX-License-Identifier: GPL-2.0-or-later
"""The two states of a Child SA as messages to the kernel.

Keys are written straight into the buffer that goes to the kernel, which is wiped: pyroute2 only
ever sees placeholders.
"""

import os
from collections.abc import Iterator
from typing import Final

from tkm.config.policy import Address, Lifetime, Mode
from tkm.crypto.secret import Secret
from tkm.crypto.suite import Protection
from tkm.xfrm import abi
from tkm.xfrm.abi import Type
from tkm.xfrm.model import StateKeys, StatePair
from tkm.xfrm.socket import encode, make

ESP: Final = 50
AF: Final = {4: 2, 6: 10}
"""Address families by IP version."""
MODES: Final = {
    Mode.TRANSPORT: abi.MODE_TRANSPORT,
    Mode.TUNNEL: abi.MODE_TUNNEL,
}
_REPLAY_WINDOW: Final = 32
_ESN_WINDOW: Final = 64
"""Packets."""
_CIPHERS: Final = {
    12: b"cbc(aes)",
    14: b"rfc4309(ccm(aes))",
    20: b"rfc4106(gcm(aes))",
    28: b"rfc7539esp(chacha20,poly1305)",
}
"""The kernel's names, by transform id."""
_ENCRYPTION_PLACE: Final = os.urandom(64)
_INTEGRITY_PLACE: Final = os.urandom(64)
"""What stands in a message in the place of a key, as far as it goes, until the key is filled in."""


def with_keys(pair: StatePair, keys: StateKeys, *, is_outbound: bool) -> bytearray:
    """The message that adds a state, its keys included: the caller wipes it."""
    octets = encode(Type.NEWSA, _state(pair, is_outbound=is_outbound))
    _fill_in(octets, _ENCRYPTION_PLACE, keys.encryption)
    _fill_in(octets, _INTEGRITY_PLACE, keys.integrity)
    return octets


def _fill_in(octets: bytearray, place: bytes, key: Secret) -> None:
    at = octets.index(place[: len(key)])
    octets[at : at + len(key)] = key.octets


def ends_of(pair: StatePair, *, is_outbound: bool) -> tuple[Address, Address, bytes]:
    """Source, destination and SPI of a state."""
    local, remote = pair.policy.local.ip, pair.policy.remote.ip
    return (local, remote, pair.spi_out) if is_outbound else (remote, local, pair.spi_in)


def _state(pair: StatePair, *, is_outbound: bool) -> abi.StateMessage:
    source, destination, spi = ends_of(pair, is_outbound=is_outbound)
    return make(
        abi.StateMessage,
        id_daddr=destination.packed,
        id_spi=spi,
        id_proto=ESP,
        saddr=source.packed,
        **lifetime_fields(pair.policy.lifetime),
        reqid=pair.policy.id,
        family=AF[destination.version],
        mode=MODES[pair.policy.mode],
        replay_window=0 if pair.esn else _REPLAY_WINDOW,
        flags=_flags(pair),
        attrs=list(_attributes(pair, is_outbound=is_outbound)),
    )


def _flags(pair: StatePair) -> int:
    # Without AF_UNSPEC a tunnel carries only packets of its ends' own family.
    tunnel = abi.STATE_AF_UNSPEC if pair.policy.mode is Mode.TUNNEL else 0
    return tunnel | (abi.STATE_ESN if pair.esn else 0)


def _attributes(pair: StatePair, *, is_outbound: bool) -> Iterator[tuple[str, dict[str, object]]]:
    yield from _algorithms(pair.protection)
    if pair.esn:
        counters = dict.fromkeys(("oseq", "seq", "oseq_hi", "seq_hi"), 0)
        window = {"bmp_len": _ESN_WINDOW // 32, "replay_window": _ESN_WINDOW, "bmp": b""}
        yield "XFRMA_REPLAY_ESN_VAL", counters | window
    if pair.encap:
        loc, rem = pair.encap
        ports = (loc, rem) if is_outbound else (rem, loc)
        names = ("encap_type", "encap_sport", "encap_dport")
        udp = dict(zip(names, (abi.ESP_IN_UDP, *ports), strict=True))
        yield "XFRMA_ENCAP", udp | {"pad": b"", "encap_oa": b""}


def _algorithms(protection: Protection) -> Iterator[tuple[str, dict[str, object]]]:
    encryption, integrity = protection
    key = _key_of(_ENCRYPTION_PLACE, protection.encryption_key)
    cipher = {"name": _CIPHERS[encryption.id], **key}
    if integrity is None:
        yield "XFRMA_ALG_AEAD", cipher | {"icv_len": 8 * protection.icv}
        return
    yield "XFRMA_ALG_CRYPT", cipher
    mac = {"name": b"hmac(%s)" % integrity.hash.encode(), "trunc_len": 8 * protection.icv}
    yield "XFRMA_ALG_AUTH_TRUNC", mac | _key_of(_INTEGRITY_PLACE, protection.integrity_key)


def _key_of(place: bytes, octets: int) -> dict[str, object]:
    return {"key_len": 8 * octets, "key": place[:octets]}


def lifetime_fields(lifetime: Lifetime) -> dict[str, int]:
    """What limits a state or a policy."""
    fields = {
        "lft_soft_add_expires_seconds": lifetime.soft,
        "lft_hard_add_expires_seconds": lifetime.hard,
    }
    for unit in ("byte", "packet"):
        for bound, value in zip(("soft", "hard"), lifetime.bounds[f"{unit}s"], strict=True):
            fields[f"lft_{bound}_{unit}_limit"] = value or abi.INFINITE
    return fields
