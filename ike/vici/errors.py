# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients of the control interface do wrong; all of it is our caller's fault."""

from ike.errors import LocalError


class ViciError(LocalError):
    """Anything that a client is told, or hung up on for."""


class BrokenPacket(ViciError):
    """The stream cannot be cut into packets any more: nothing can be answered."""


class BrokenMessage(ViciError):
    """A packet's message breaks the format."""


class TooLong(ViciError):
    """What we would have to say does not fit the format."""


class Refused(ViciError):
    """A command cannot be done; says why, and nothing has changed."""
