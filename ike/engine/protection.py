# SPDX-License-Identifier: GPL-2.0-or-later
"""The Encrypted payload: laid out here, protected by the TKM (RFC 7296, 3.14; RFC 7383, 2.5).

A message that is too long for one datagram is cut: each fragment is a message of its own, with an
Encrypted Fragment payload that is protected for itself.
"""

from collections.abc import Sequence

from ike.engine.window import Datagrams
from ike.message.chain import GENERIC_HEADER, decode_chain, encode_chain, generic_header
from ike.message.errors import MalformedMessage
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import PayloadType
from ike.message.payloads import Encrypted, EncryptedFragment, Payload
from ike.tkm_client import IkeKeys

Container = Encrypted | EncryptedFragment
_FIRST = 16
"""Where the IKE header names the first payload."""


def seal(
    keys: IkeKeys, header: Header, payloads: Sequence[Payload], limit: int | None
) -> Datagrams:
    """The datagrams of a message whose payloads are all protected.

    Args:
        limit: Octets of the longest datagram, if the peer understands fragments.
    """
    first, chain = encode_chain(payloads)
    whole = Encrypted(first, b"")
    if limit is None or _length(keys, whole, len(chain)) <= limit:
        return (_seal(keys, header, whole, chain),)
    size = _piece(keys, limit)
    pieces = [chain[at : at + size] for at in range(0, len(chain), size)]
    return tuple(
        _seal(keys, header, _fragment(first, number, len(pieces)), piece)
        for number, piece in enumerate(pieces, start=1)
    )


def _fragment(first: int, number: int, total: int) -> EncryptedFragment:
    """A fragment, still empty; only the first one names the first payload."""
    return EncryptedFragment(first if number == 1 else PayloadType.NONE, number, total, b"")


def _length(keys: IkeKeys, container: Container, plain: int) -> int:
    """Octets of the message around ``plain`` octets in an empty container."""
    blocks = plain // keys.block + 1
    body = len(container.encode()) + keys.iv + blocks * keys.block + keys.icv
    return Header.LENGTH + GENERIC_HEADER + body


def _piece(keys: IkeKeys, limit: int) -> int:
    """The most plain octets of a fragment that is no longer than ``limit``."""
    room = limit - _length(keys, _fragment(0, 1, 1), 0) + keys.block
    return max(1, room // keys.block) * keys.block - 1


def _seal(keys: IkeKeys, header: Header, container: Container, plain: bytes) -> bytes:
    """The octets of a message with nothing but ``container``, which is still empty.

    The integrity check covers the header, the generic header and the container's own fields, with
    their final lengths.
    """
    padding = -(len(plain) + 1) % keys.block
    length = _length(keys, container, len(plain))
    associated = (
        header.encode(container.type, length)
        + generic_header(container.first, length - Header.LENGTH - GENERIC_HEADER)
        + container.encode()
    )
    return associated + keys.encrypt(associated, plain + bytes(padding) + bytes((padding,)))


def open_sealed(keys: IkeKeys, sealed: Container, datagram: bytes) -> bytes:
    """The octets of the chain of payloads inside, or of the fragment's part of it.

    Raises:
        TrustedRefusal: The message is not the peer's, so nothing may come of it.
        MalformedMessage: It is the peer's, but the padding is wrong.
    """
    associated = datagram[: len(datagram) - len(sealed.protected)]
    plain = keys.decrypt(associated, sealed.protected)
    padding = plain[-1] if plain else 0
    if padding >= len(plain):
        raise MalformedMessage(
            f"{sealed.label} payload: padding of {padding} in {len(plain)} octets"
        )
    return plain[: len(plain) - padding - 1]


def covered(datagram: bytes, sealed: Container, chain: bytes) -> bytes:
    """What AUTH covers of an IKE_INTERMEDIATE message (RFC 9242, 3.3.2): IntAuth_*A | IntAuth_*P.

    That is the message as if it were neither encrypted nor cut.

    Args:
        datagram: The message, or its first fragment; ``sealed``: what is encrypted in it.
        chain: The octets of all payloads inside.
    """
    head = datagram[: len(datagram) - len(sealed.encode())]
    if len(head) == Header.LENGTH + GENERIC_HEADER:
        head = head[:_FIRST] + bytes((Encrypted.type,)) + head[_FIRST + 1 :]
    length = (len(head) + len(chain)).to_bytes(4, "big")
    body = (GENERIC_HEADER + len(chain)).to_bytes(2, "big")
    return head[: Header.LENGTH - 4] + length + head[Header.LENGTH : -2] + body + chain


def inside(header: Header, first: int, chain: bytes) -> Message:
    """The message of the payloads that were protected.

    Args:
        first: Type of the first of them.

    Raises:
        MalformedMessage: A payload breaks the format.
        UnsupportedCriticalPayload: A critical one is of unknown type.
    """
    return Message(header, decode_chain(first, chain))
