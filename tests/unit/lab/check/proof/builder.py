# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures made octet by octet: ESP by `cryptography` alone, so that scapy isn't its own judge."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable
from ipaddress import ip_address

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab.check.proof import Echo, Frame, Mode, Sa

ICMP, UDP, ESP, ICMPV6 = 1, 17, 50, 58


def octets(length: int, seed: int) -> bytes:
    """`length` octets that look like a key and are always the same."""
    return bytes((seed * 37 + 11 * position) % 256 for position in range(length))


def sa(src: str, dst: str, spi: int, mode: Mode = Mode.TRANSPORT, host: str = "") -> Sa:
    """AES-CBC-256 with HMAC-SHA-512-256; the keys follow from the SPI."""
    return Sa(
        src,
        dst,
        spi,
        mode,
        "cbc(aes)",
        octets(32, spi % 251),
        "hmac(sha512)",
        octets(64, spi % 241),
        icv_bits=256,
        reqid=1,
        host=host,
    )


def internet_checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp(echo: Echo) -> bytes:
    """The ICMP or ICMPv6 message with its checksum."""
    src, dst = ip_address(echo.src), ip_address(echo.dst)
    kind = (128 if src.version == 6 else 8, 129 if src.version == 6 else 0)[echo.is_reply]
    body = struct.pack("!HH", echo.identifier, echo.sequence) + echo.payload
    pseudo = b""
    if src.version == 6:
        pseudo = src.packed + dst.packed + struct.pack("!II", len(body) + 4, ICMPV6)
    checksum = internet_checksum(pseudo + bytes((kind, 0, 0, 0)) + body)
    return struct.pack("!BBH", kind, 0, checksum) + body


def ip(src: str, dst: str, protocol: int, payload: bytes, *, hops: int = 64) -> bytes:
    """An unfragmented IP packet."""
    return ip_fragment(src, dst, protocol, payload, 0, more=False, hops=hops)


def ip_fragment(
    src: str, dst: str, protocol: int, payload: bytes, offset: int, *, more: bool, hops: int = 64
) -> bytes:
    """One fragment, or, with offset 0 and no more to come, a whole packet."""
    source, target = ip_address(src), ip_address(dst)
    if source.version == 4:
        flags = offset // 8 | (0x2000 if more else 0)
        start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(payload), 7, flags, hops, protocol)
        addresses = source.packed + target.packed
        checksum = internet_checksum(start + bytes(2) + addresses)
        return start + checksum.to_bytes(2) + addresses + payload
    if offset or more:
        payload = struct.pack("!BBHI", protocol, 0, offset | more, 7) + payload
        protocol = 44
    start = struct.pack("!IHBB", 0x60000000, len(payload), protocol, hops)
    return start + source.packed + target.packed + payload


def ip_fragments(src: str, dst: str, protocol: int, payload: bytes, size: int) -> list[bytes]:
    """A packet in fragments of `size` octets."""
    starts = range(0, len(payload), size)
    return [
        ip_fragment(src, dst, protocol, payload[at : at + size], at, more=at + size < len(payload))
        for at in starts
    ]


def udp(sport: int, dport: int, data: bytes) -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def ike(length: int = 60) -> bytes:
    """An IKE_SA_INIT's header and zeros."""
    return (
        octets(8, 1)
        + bytes(8)
        + struct.pack("!BBBBII", 33, 0x20, 34, 8, 0, length).ljust(length - 16, b"\0")
    )


def ethernet(packet: bytes) -> bytes:
    """A frame of at least 60 octets around an IP packet."""
    ethertype = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return (bytes(12) + ethertype.to_bytes(2) + packet).ljust(60, b"\0")


def esp(
    sa: Sa,
    sequence: int,
    next_header: int,
    data: bytes,
    padding: bytes | None = None,
    *,
    pad_length: int | None = None,
) -> bytes:
    """RFC 4303 with AES-CBC and HMAC, or AES-GCM (RFC 4106)."""
    header = struct.pack("!II", sa.spi, sequence)
    is_gcm = sa.encryption == "rfc4106(gcm(aes))"
    if padding is None:
        padding = bytes(range(1, 1 + -(len(data) + 2) % (4 if is_gcm else 16)))
    stated = len(padding) if pad_length is None else pad_length
    plain = data + padding + bytes((stated, next_header))
    if is_gcm:
        key, salt, iv = sa.encryption_key[:-4], sa.encryption_key[-4:], octets(8, sequence)
        return header + iv + AESGCM(key).encrypt(salt + iv, plain, header)
    iv = octets(16, sequence)
    encryptor = Cipher(algorithms.AES(sa.encryption_key), modes.CBC(iv)).encryptor()
    sealed = header + iv + encryptor.update(plain) + encryptor.finalize()
    digest = sa.integrity.removeprefix("hmac(").removesuffix(")")
    return sealed + hmac.digest(sa.integrity_key, sealed, digest)[: sa.icv_bits // 8]


def carry(sa: Sa, sequence: int, echo: Echo) -> bytes:
    """The IP packet in which an echo travels on an SA."""
    protocol = ICMPV6 if ":" in echo.src else ICMP
    data = icmp(echo)
    if sa.mode is Mode.TUNNEL:
        data = ip(echo.src, echo.dst, protocol, data)
        protocol = 41 if ":" in echo.src else 4
    return ip(sa.src, sa.dst, ESP, esp(sa, sequence, protocol, data))


def capture(packets: Iterable[bytes], senders: Iterable[str] = ()) -> list[Frame]:
    """Frames, a hundredth of a second apart, around IP packets."""
    names = list(senders)
    return [
        Frame(number, 1000 + number / 100, ethernet(packet), names[number - 1] if names else "")
        for number, packet in enumerate(packets, 1)
    ]
