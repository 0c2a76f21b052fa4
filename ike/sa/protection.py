# SPDX-License-Identifier: GPL-2.0-or-later
"""The Encrypted payload: laid out here, protected by the TKM (RFC 7296, 3.14)."""

from collections.abc import Sequence

from ike.errors import MalformedMessage
from ike.message.chain import GENERIC_HEADER, decode_chain, encode_chain, generic_header
from ike.message.encrypted import Encrypted
from ike.message.header import Header
from ike.message.message import Message
from ike.message.payload import Payload
from ike.trusted import IkeKeys


def seal(keys: IkeKeys, header: Header, payloads: Sequence[Payload]) -> bytes:
    """The octets of a message whose payloads are all protected.

    The integrity check covers the header and the generic header with their final lengths.
    """
    first, chain = encode_chain(payloads)
    padding = -(len(chain) + 1) % keys.block
    plain = chain + bytes(padding) + bytes((padding,))
    body = keys.iv + len(plain) + keys.icv
    associated = header.encode(Encrypted.type, Header.LENGTH + GENERIC_HEADER + body)
    associated += generic_header(first, body)
    return associated + keys.encrypt(associated, plain)


def open_sealed(keys: IkeKeys, sealed: Encrypted, datagram: bytes) -> bytes:
    """The octets of the chain of payloads inside.

    :raises TrustedRefusal: the message is not the peer's, so nothing may come of it.
    :raises MalformedMessage: it is the peer's, but the padding is wrong.
    """
    associated = datagram[: len(datagram) - len(sealed.protected)]
    plain = keys.decrypt(associated, sealed.protected)
    padding = plain[-1] if plain else 0
    if padding >= len(plain):
        raise MalformedMessage(f"SK payload: padding of {padding} in {len(plain)} octets")
    return plain[: len(plain) - padding - 1]


def inside(header: Header, sealed: Encrypted, chain: bytes) -> Message:
    """The message of the payloads that were protected.

    :raises MalformedMessage: a payload breaks the format.
    :raises UnsupportedCriticalPayload: a critical one is of unknown type.
    """
    return Message(header, decode_chain(sealed.first, chain))
