# SPDX-License-Identifier: GPL-2.0-or-later
"""SAs as the kernel reports them over NETLINK_XFRM, read into records.

The proof on the wire stands on this, so it shares no code with the Key Manager whose work is
proved. The layouts are those of <linux/xfrm.h>. Numbers are in the kernel's own octet order; SPIs,
ports and addresses are in network order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from socket import AF_INET
from typing import NamedTuple

from lab.errors import LabError
from lab.xfrm.ip_output import Algorithm, State

_MESSAGE = struct.Struct("=I12x")
"""struct nlmsghdr: the length, all of it included."""
_ATTRIBUTE = struct.Struct("=HH")
"""struct nlattr: the length, all of it included, and the type."""
_INFO = struct.Struct("=16s16s8x2xBB12x16s4sB3x16s64xQQ16x12x4xIHBBB7x")
_ENCRYPTION, _ENCAP, _AEAD, _INTEGRITY, _REPLAY_ESN = 2, 4, 18, 20, 23
"""XFRMA_ALG_CRYPT, XFRMA_ENCAP, XFRMA_ALG_AEAD, XFRMA_ALG_AUTH_TRUNC, XFRMA_REPLAY_ESN_VAL."""
_PROTOCOLS = {50: "esp", 51: "ah", 108: "comp"}
_MODES = ("transport", "tunnel", "ro", "in_trigger", "beet")
_ESN = 128
_NAME = 64
"""Octets of an algorithm's name, zeros at its end."""


class _Info(NamedTuple):
    """What is read of struct xfrm_usersa_info, in its order."""

    selector_dst: bytes
    selector_src: bytes
    dst_prefix: int
    src_prefix: int
    dst: bytes
    spi: bytes
    proto: int
    src: bytes
    octets: int
    packets: int
    reqid: int
    family: int
    mode: int
    replay_window: int
    flags: int


def read_messages(octets: bytes) -> list[State]:
    """The SAs in a row of XFRM_MSG_NEWSA and XFRM_MSG_UPDSA; of one that was updated, the last.

    Raises LabError: these are not such messages.
    """
    try:
        found = [_read(body) for body in _messages(octets)]
    except (struct.error, ValueError) as trouble:
        raise LabError("the record of the kernel's SAs is not as <linux/xfrm.h> says") from trouble
    return list({(sa.dst, sa.proto, sa.spi): sa for sa in found if sa.spi}.values())


def _messages(octets: bytes) -> Iterator[bytes]:
    while octets:
        (length,) = _MESSAGE.unpack_from(octets)
        _check_length(length, _MESSAGE.size, len(octets))
        yield octets[_MESSAGE.size : length]
        octets = octets[length:]


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    while octets:
        length, kind = _ATTRIBUTE.unpack_from(octets)
        _check_length(length, _ATTRIBUTE.size, len(octets))
        yield kind, octets[_ATTRIBUTE.size : length]
        octets = octets[-(-length // 4) * 4 :]


def _check_length(length: int, least: int, most: int) -> None:
    if not least <= length <= most:
        raise ValueError(length)


def _read(body: bytes) -> State:
    info = _Info(*_INFO.unpack_from(body))
    attributes = dict(_attributes(body[_INFO.size :]))

    def address(octets: bytes) -> str:
        return str(ip_address(octets[:4] if info.family == AF_INET else octets))

    return State(
        src=address(info.src),
        dst=address(info.dst),
        proto=_PROTOCOLS.get(info.proto, str(info.proto)),
        spi=int.from_bytes(info.spi),
        reqid=info.reqid,
        mode=_MODES[info.mode] if info.mode < len(_MODES) else str(info.mode),
        encryption=_algorithm(attributes, _ENCRYPTION),
        integrity=_algorithm(attributes, _INTEGRITY),
        aead=_algorithm(attributes, _AEAD),
        replay_window=_replay_window(info, attributes),
        esn=bool(info.flags & _ESN),
        encap=_encap(attributes),
        octets=info.octets,
        packets=info.packets,
        selector=(
            f"{address(info.selector_src)}/{info.src_prefix}",
            f"{address(info.selector_dst)}/{info.dst_prefix}",
        ),
    )


def _algorithm(attributes: Mapping[int, bytes], kind: int) -> Algorithm | None:
    """struct xfrm_algo, xfrm_algo_auth or xfrm_algo_aead: lengths in bits, the key at the end."""
    octets = attributes.get(kind)
    if octets is None:
        return None
    name, bits = octets[:_NAME].rstrip(b"\0").decode(), _number(octets, _NAME)
    key, icv_bits = _NAME + 4, 0
    if kind != _ENCRYPTION:
        key, icv_bits = key + 4, _number(octets, key)
    return Algorithm(name, octets[key : key + bits // 8], icv_bits)


def _number(octets: bytes, at: int) -> int:
    return int(struct.unpack_from("=I", octets, at)[0])


def _replay_window(info: _Info, attributes: Mapping[int, bytes]) -> int:
    """The last number of struct xfrm_replay_state_esn, or the field that came before it."""
    with_esn = attributes.get(_REPLAY_ESN)
    return _number(with_esn, 20) if with_esn else info.replay_window


def _encap(attributes: Mapping[int, bytes]) -> tuple[int, int] | None:
    """The ports of struct xfrm_encap_tmpl."""
    if _ENCAP not in attributes:
        return None
    source, destination = struct.unpack_from(">2xHH", attributes[_ENCAP])
    return source, destination
