# SPDX-License-Identifier: GPL-2.0-or-later
"""A second opinion on an ESP packet: scapy's, which shares no line with ours.

What ours has read with `struct`, `hmac` and one cipher context, scapy dissects and opens again from
the same octets. It takes a hundred times as long, so it is asked about a sample only (see
`Sample`), and whatever it sees differently refuses the proof.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, AuthAlgo, IPSecIntegrityError, SecurityAssociation
from scapy.layers.l2 import Ether

from lab.check.proof.errors import PacketFault
from lab.check.proof.esp import Opened
from lab.check.proof.model import EspPacket, Flaw, Sa

EVERY = 1000
"""One packet of so many of an SA is opened twice, its first one included."""
REFUSED = 16
"""So many packets of an SA that are refused are opened twice."""

_ENCRYPTION = {
    "cbc(aes)": "AES-CBC",
    "rfc3686(ctr(aes))": "AES-CTR",
    "rfc4106(gcm(aes))": "AES-GCM",
    "rfc7539esp(chacha20,poly1305)": "CHACHA20-POLY1305",
    "ecb(cipher_null)": "NULL",
}
"""The kernel's name → scapy's."""
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "hmac(sha1)": hashes.SHA1,
    "hmac(sha256)": hashes.SHA256,
    "hmac(sha384)": hashes.SHA384,
    "hmac(sha512)": hashes.SHA512,
}


class Sample:
    """Which packets of one SA scapy is asked about, and what it is asked.

    Those are the first, every thousandth, the first sixteen that we refuse, and (by the caller)
    each one that carried a message of the check, since that one is shown.
    """

    def __init__(self, sa: Sa) -> None:
        self._sa = sa
        self._open: Callable[[bytes], Opened | None] | None = None
        self._opened = 0
        self._refused = 0

    def takes(self, opened: Opened | None) -> bool:
        """Count a packet that we have opened, or (None) refused; whether it is in the sample."""
        if opened is None:
            self._refused += 1
            return self._refused <= REFUSED
        self._opened += 1
        return self._opened % EVERY == 1

    def compare(
        self, packet: EspPacket, octets: bytes, frame: bytes, opened: Opened | None
    ) -> None:
        """Have scapy read a packet.

        Args:
            packet: what we have read of its headers.
            octets: of ESP, SPI to ICV.
            frame: the Ethernet frame that held all of it; b"", if IP had fragmented it.
            opened: what was inside for us; None: ICV or padding were wrong.

        Raises:
            PacketFault: DISAGREEMENT.
        """
        self._open = self._open or _opener(self._sa)
        found = self._open(octets)
        if found != opened:
            ours, its = (("opens it", "refuses it")[one is None] for one in (opened, found))
            raise _disagreement(f"our code {ours}, scapy {its}" if ours != its else "contents")
        if frame:
            ours_read = (packet.src, packet.dst, packet.spi, packet.sequence, octets)
            for name, our, its_own in zip(_FIELDS, ours_read, _dissect(frame), strict=True):
                if our != its_own:
                    raise _disagreement(name)


_FIELDS = ("source address", "destination address", "SPI", "sequence number", "octets of ESP")


def _disagreement(about: str) -> PacketFault:
    return PacketFault(Flaw.DISAGREEMENT, f"scapy, the second opinion, disagrees: {about}")


def _dissect(frame: bytes) -> tuple[object, ...]:
    """What `_FIELDS` names, read by scapy from an Ethernet frame."""
    ether = Ether(frame)
    ip = ether.getlayer(IP) or ether.getlayer(IPv6)
    if ip is None:
        return ("", "", 0, 0, b"")
    layer = ip.getlayer(ESP)
    udp = ip.getlayer(UDP)
    octets = bytes(ip.payload)[:8] + layer.data if layer is not None else b""
    if udp is not None:
        octets = bytes(udp.payload)[: udp.len - 8]
        layer = ESP(octets)
    if layer is None:
        return (ip.src, ip.dst, 0, 0, b"")
    return (ip.src, ip.dst, layer.spi, layer.seq, octets)


def _opener(sa: Sa) -> Callable[[bytes], Opened | None]:
    """What opens a packet of one SA by scapy's algorithms; it gives None for one that is bad."""
    association = SecurityAssociation(
        ESP, spi=sa.spi, crypt_algo=_ENCRYPTION[sa.encryption], crypt_key=sa.encryption_key
    )
    cipher: Any = association.crypt_algo
    icv_length = sa.icv_bits // 8
    # Not scapy's own HMACs: their truncation is fixed, the SA's is not.
    mac = AuthAlgo(sa.integrity, HMAC, _DIGESTS[sa.integrity], icv_length) if sa.integrity else None

    def open_packet(octets: bytes) -> Opened | None:
        packet = ESP(octets)
        try:
            if mac:
                mac.verify(packet, sa.integrity_key, esn_en=sa.esn)
            plain = cipher.decrypt(
                association, packet, association.crypt_key, icv_size=icv_length, esn_en=sa.esn
            )
        except IPSecIntegrityError:
            return None
        if bytes(plain.padding) != bytes(range(1, plain.padlen + 1)):
            return None
        return Opened(plain.nh, bytes(plain.data))

    return open_packet
