# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof on the wire: what was sent went through ESP, and nothing else was there to be seen.

In go the frames of one link, the SAs as the hosts' kernels report them, and the ICMP echo
messages that were sent; out comes a `Verdict`, which says of every ESP packet whether it is what
it claims to be, of every message which ESP packets carried it, and, if something is wrong,
precisely what. No I/O anywhere in here.

    from lab.check.proof import Echo, Sa, read_pcap
    from lab.check.proof.engine import verify

    verdict = verify(read_pcap(octets, senders), sas, echoes)

This module and `lab.check.proof.pcap` are light; `lab.check.proof.engine` imports scapy (0.5 s).
"""

from lab.check.proof.errors import CaptureError
from lab.check.proof.model import (
    Delivery,
    Echo,
    EspPacket,
    Failure,
    Flaw,
    Frame,
    Mode,
    Sa,
    Verdict,
)
from lab.check.proof.packet import Datagram
from lab.check.proof.pcap import iter_pcap, read_pcap, write_pcap

__all__ = [
    "CaptureError",
    "Datagram",
    "Delivery",
    "Echo",
    "EspPacket",
    "Failure",
    "Flaw",
    "Frame",
    "Mode",
    "Sa",
    "Verdict",
    "iter_pcap",
    "read_pcap",
    "write_pcap",
]
