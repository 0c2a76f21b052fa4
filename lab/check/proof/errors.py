# SPDX-License-Identifier: GPL-2.0-or-later
"""Two families of trouble: a capture that can't be read, and a packet that lies.

The first is the caller's fault and is raised. The second is a peer's and never leaves
this package: it ends up in the verdict as a `Failure`.
"""

from __future__ import annotations

from lab.check.proof.model import Flaw
from lab.errors import LabError, UsageError


class CaptureError(UsageError):
    """The capture is not a capture that can prove anything: not pcap, cut off, not Ethernet."""


class PacketFault(LabError):
    """A packet is not what it should be."""

    def __init__(self, flaw: Flaw, reason: str) -> None:
        super().__init__(reason)
        self.flaw = flaw
        self.reason = reason
