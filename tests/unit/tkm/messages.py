# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE messages octet by octet, for what AUTH covers (RFC 7296, 3.1 and 3.2; RFC 9242, 3.3.2)."""

import struct

from tkm.core.message import Half

SA, KE, NONCE, NOTIFY, VENDOR, SK = 33, 34, 40, 41, 43, 46
NO_SPI = bytes(8)
COOKIE = 16390

Chain = list[tuple[int, bytes]]


def header(
    spis: tuple[bytes, bytes], first: int, exchange: int, flags: int, number: int, length: int
) -> bytes:
    return struct.pack(">8s8sBBBBII", *spis, first, 0x20, exchange, flags, number, length)


def chain(payloads: Chain, last: int = 0, critical: int = 0) -> bytes:
    """Payloads one behind the other; the last one names ``last``."""
    following = [kind for kind, _ in payloads[1:]] + [last] * bool(payloads)
    return b"".join(
        struct.pack(">BBH", after, critical if kind not in range(33, 49) else 0, 4 + len(body))
        + body
        for (kind, body), after in zip(payloads, following, strict=True)
    )


def flags(by_initiator: bool) -> int:
    return 0x08 if by_initiator else 0x20


def init_payloads(half: Half) -> Chain:
    """What every IKE_SA_INIT message has; an SA payload is not looked into."""
    exchange = struct.pack(">HH", half.method, 0) + half.public_value
    return [(SA, bytes(40)), (KE, exchange), (NONCE, half.nonce)]


def init_message(
    sender: Half, other_spi: bytes, *, by_initiator: bool, payloads: Chain | None = None
) -> bytes:
    spis = (sender.spi, NO_SPI) if by_initiator else (other_spi, sender.spi)
    parts = init_payloads(sender) if payloads is None else payloads
    body = chain(parts)
    first = parts[0][0] if parts else 0
    return header(spis, first, 34, flags(by_initiator), 0, 28 + len(body)) + body


def intermediate_message(
    spis: tuple[bytes, bytes], number: int, *, by_initiator: bool, inside: Chain
) -> bytes:
    """As AUTH covers it: as if it were not encrypted."""
    plain = chain(inside)
    body = struct.pack(">BBH", inside[0][0], 0, 4 + len(plain)) + plain
    return header(spis, SK, 43, flags(by_initiator), number, 28 + len(body)) + body
