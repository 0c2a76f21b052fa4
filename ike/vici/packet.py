# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of VICI: length (4 octets, big endian), type, for some types a name, and a message."""

from enum import IntEnum

from ike.value import Value
from ike.vici import message
from ike.vici.errors import BrokenPacket, TooLong
from ike.vici.message import Section

LONGEST = 512 * 1024
"""The most octets of a packet after its length field."""

_LENGTH = 4


class PacketType(IntEnum):
    CMD_REQUEST = 0
    CMD_RESPONSE = 1
    CMD_UNKNOWN = 2
    EVENT_REGISTER = 3
    EVENT_UNREGISTER = 4
    EVENT_CONFIRM = 5
    EVENT_UNKNOWN = 6
    EVENT = 7


_TYPES = frozenset(PacketType)
NAMED = {
    PacketType.CMD_REQUEST,
    PacketType.EVENT_REGISTER,
    PacketType.EVENT_UNREGISTER,
    PacketType.EVENT,
}

_SECRETS = (b"load-key", b"load-token", b"load-shared")
"""Commands that bring secrets, which must not stay in the memory of an untrusted process."""


class Packet(Value):
    """A packet.

    Attributes:
        name: Of the command or the event; empty for types that have none.
        body: The message, encoded.
    """

    kind: PacketType
    name: str = ""
    body: bytes = b""

    def encode(self) -> bytes:
        """Its octets, with the length.

        Raises:
            TooLong: There are more than :data:`LONGEST`, or the name has more than 255.
        """
        label = b""
        if self.kind in NAMED:
            name = message.octets(self.name)
            if len(name) > 0xFF:
                raise TooLong(f"the name {self.name} is too long for a packet")
            label = bytes((len(name),)) + name
        octets = bytes((self.kind,)) + label + self.body
        if len(octets) > LONGEST:
            raise TooLong(f"{len(octets)} octets are too many for a packet")
        return len(octets).to_bytes(_LENGTH, "big") + octets

    @classmethod
    def decode(cls, octets: bytes) -> "Packet":
        """Decode the octets after the length field.

        Raises:
            BrokenPacket: Its type is unknown, or its name runs past the end.
        """
        if not octets or octets[0] not in _TYPES:
            raise BrokenPacket("a packet of unknown type")
        kind, rest = PacketType(octets[0]), octets[1:]
        if kind not in NAMED:
            return cls(kind, "", rest)
        if not rest or len(rest) <= rest[0]:
            raise BrokenPacket("a packet's name runs past its end")
        end = 1 + rest[0]
        return cls(kind, message.text(rest[1:end]), rest[end:])


def pack(kind: PacketType, name: str = "", section: Section | None = None) -> bytes:
    """The octets of a packet with a message.

    Raises:
        TooLong: It does not fit.
    """
    return Packet(kind, name, message.encode(section or {})).encode()


def cut(received: bytearray) -> Packet | None:
    """Take the first packet off ``received``; ``None`` if it is not whole yet.

    Raises:
        BrokenPacket: It is longer than :data:`LONGEST`, or none.
    """
    if len(received) < _LENGTH:
        return None
    length = int.from_bytes(received[:_LENGTH], "big")
    if length > LONGEST:
        raise BrokenPacket(f"a packet of {length} octets")
    end = _LENGTH + length
    if len(received) < end:
        return None
    end = _without_secret(received, end)
    packet = Packet.decode(bytes(received[_LENGTH:end]))
    del received[:end]
    return packet


def _without_secret(received: bytearray, end: int) -> int:
    """Wipe the secret in the packet up to ``end``, if it brings one: where it ends without it.

    Whatever it was, it is refused.
    """
    for name in _SECRETS:
        head = bytes((PacketType.CMD_REQUEST, len(name))) + name
        if received.startswith(head, _LENGTH, end):
            body = _LENGTH + len(head)
            received[body:end] = bytes(end - body)
            del received[body:end]
            return body
    return end
