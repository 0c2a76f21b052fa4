# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into the proof and what comes out: data, no behaviour but `to_json`.

Frames are numbered from 1 in the order of the capture, as Wireshark does. Addresses are strings
in their canonical form. Times are seconds since 1970, as the capture has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, NamedTuple

from lab.check.proof.packet import Datagram


class Mode(StrEnum):
    """How an SA wraps packets (RFC 4301, section 4.1)."""

    TRANSPORT = "transport"
    TUNNEL = "tunnel"


class Flaw(StrEnum):
    """Everything that makes a verdict a refusal."""

    PLAINTEXT = "plaintext"
    """An IP packet that is neither ESP nor IKE nor neighbour discovery."""
    FOREIGN = "foreign frame"
    """A frame that is neither IP nor ARP."""
    MALFORMED = "malformed"
    """A packet whose lengths or headers can't be."""
    FRAGMENT = "fragment"
    """Pieces of a datagram that don't make a whole."""
    UNKNOWN_SPI = "unknown SPI"
    WRONG_ADDRESS = "wrong address"
    """An SPI is used from or to an address that isn't its SA's."""
    WRONG_SENDER = "wrong sender"
    """Two ports of the link send on one SA."""
    UNSUPPORTED = "unsupported"
    """The SA's algorithms can't be checked here."""
    ICV = "ICV wrong"
    PADDING = "padding wrong"
    REPLAY = "replay"
    SEQUENCE = "sequence not increasing"
    INNER = "inner packet wrong"
    OUTSIDE_POLICY = "outside the policy"
    """ESP carried a packet that the SA's policy does not let it carry."""
    MISSING = "never carried"
    """A message was sent and no good ESP packet carried it."""
    ALTERED = "altered"
    """ESP carried a message with the right identifier and sequence and other octets."""
    DISAGREEMENT = "second opinion differs"
    """scapy reads an ESP packet of the sample otherwise than our code does."""
    KEYS_DIFFER = "keys differ"
    """Two hosts report the same SA with different keys."""
    NOTHING = "nothing to prove"
    """Neither a message nor an ESP packet: such a verdict must not look like a proof."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An Ethernet frame as its sender put it on the link."""

    number: int
    time: float
    octets: bytes = field(repr=False)
    """Destination address first, no frame check sequence."""
    sender: str = ""
    """The node whose port sent it, or "" if the capture doesn't know."""


@dataclass(frozen=True, slots=True)
class Sa:
    """A Child SA's one direction, as a kernel reports it (XFRM_MSG_GETSA).

    Algorithms bear the kernel's names, e.g. "cbc(aes)" and "hmac(sha512)", or an AEAD such as
    "rfc4106(gcm(aes))" with `integrity` "". An AEAD's key ends in its salt, as the kernel has it.
    """

    src: str
    dst: str
    spi: int
    """The SPI as the number that its four octets in network order make."""
    mode: Mode
    encryption: str
    encryption_key: bytes = field(repr=False)
    integrity: str
    integrity_key: bytes = field(repr=False)
    icv_bits: int
    """The length of the ICV after truncation, in bits."""
    reqid: int = 0
    host: str = ""
    """The node whose kernel reports it. Both ends report an SA: give both, they must agree."""
    esn: bool = False
    """Extended sequence numbers (RFC 4303, section 2.2.1); checked for the first 2^32 packets."""
    in_udp: bool = False
    """Carried in UDP (RFC 3948): a NAT gateway may give the ends other addresses."""
    selectors: tuple[tuple[str, str], ...] = ()
    """What its policy lets it carry: networks of source and destination. None: not known."""

    def __post_init__(self) -> None:
        _canonical(self)


@dataclass(frozen=True, slots=True)
class Echo:
    """An ICMP or ICMPv6 echo message that a host sent; the family is the addresses'."""

    src: str
    dst: str
    identifier: int
    sequence: int
    payload: bytes = field(repr=False)
    """The octets after identifier and sequence number, all of them."""
    is_reply: bool = False

    def __post_init__(self) -> None:
        _canonical(self)

    def reply(self) -> Echo:
        """The answer that this request asks for (RFC 792, RFC 4443 section 4.2)."""
        return Echo(self.dst, self.src, self.identifier, self.sequence, self.payload, True)

    def __str__(self) -> str:
        kind = "reply" if self.is_reply else "request"
        numbers = f"id {self.identifier} seq {self.sequence}"
        return f"echo {kind} {self.src} → {self.dst} {numbers} ({len(self.payload)} octets)"


@dataclass(frozen=True, slots=True)
class Failure:
    """One reason why the verdict is a refusal."""

    flaw: Flaw
    reason: str
    """One line for people; it says which frame, SPI or message."""
    frame: int | None = None

    def __str__(self) -> str:
        return self.reason


class EspPacket(NamedTuple):
    """An ESP packet on the wire and what became of it. A tuple: there are as many as frames."""

    frames: tuple[int, ...]
    """The frames that held it: one, unless IP had fragmented it."""
    time: float
    sender: str
    src: str
    dst: str
    spi: int
    sequence: int
    octets: int
    """The length of the ESP packet, SPI to ICV."""
    in_udp: bool
    """Encapsulated in UDP port 4500 (RFC 3948)."""
    icv_ok: bool = False
    decrypted: bool = False
    """Deciphered, and the padding was right."""
    inner: Datagram | None = None
    """What was inside; None with a failure, and for a dummy packet. In tunnel mode it may be a
    fragment."""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was sent, and what carried it."""

    message: Echo
    carried_by: tuple[EspPacket, ...] = ()
    """Several when tunnel mode carried the fragments of one message; none if nothing did."""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the capture proves."""

    frames: int
    """How many frames were examined."""
    esp: tuple[EspPacket, ...]
    deliveries: tuple[Delivery, ...]
    """One for each message that was sent, in that order."""
    other: Mapping[str, int]
    """How many packets of each permitted kind beside ESP: "IKE", "ARP", …; those that are not
    whole, since a piece was lost, among them."""
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Every message went through good ESP, and nothing was on the link that must not be."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """The verdict as what `json.dumps` takes. It holds no key; octet strings are hex."""
        return {
            "ok": self.ok,
            "frames": self.frames,
            "esp": [_esp_json(packet) for packet in self.esp],
            "messages": [_delivery_json(delivery) for delivery in self.deliveries],
            "other": dict(self.other),
            "failures": [_failure_json(failure) for failure in self.failures],
        }


def _canonical(addressed: Sa | Echo) -> None:
    # Frozen: written once, here, before anybody else sees the object.
    object.__setattr__(addressed, "src", str(ip_address(addressed.src)))
    object.__setattr__(addressed, "dst", str(ip_address(addressed.dst)))


def _failure_json(failure: Failure) -> dict[str, Any]:
    return {"flaw": str(failure.flaw), "reason": failure.reason, "frame": failure.frame}


def _esp_json(packet: EspPacket) -> dict[str, Any]:
    return {
        "frames": list(packet.frames),
        "time": packet.time,
        "sender": packet.sender,
        "src": packet.src,
        "dst": packet.dst,
        "spi": f"{packet.spi:#010x}",
        "sequence": packet.sequence,
        "octets": packet.octets,
        "in_udp": packet.in_udp,
        "icv_ok": packet.icv_ok,
        "decrypted": packet.decrypted,
        "inner": packet.inner and packet.inner.text,
        "failure": packet.failure and packet.failure.reason,
    }


def _delivery_json(delivery: Delivery) -> dict[str, Any]:
    message = delivery.message
    return {
        "src": message.src,
        "dst": message.dst,
        "kind": "echo reply" if message.is_reply else "echo request",
        "identifier": message.identifier,
        "sequence": message.sequence,
        "payload": message.payload.hex(),
        "carried_by": [
            {"frame": esp.frames[0], "spi": f"{esp.spi:#010x}", "sequence": esp.sequence}
            for esp in delivery.carried_by
        ],
        "failure": delivery.failure and delivery.failure.reason,
    }
