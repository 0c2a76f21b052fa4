# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients of the control interface do wrong; all of it is our caller's fault."""

from ike.errors import LocalError


class ViciError(LocalError):
    """Base class of errors that a client gets as a response, or that close its connection."""


class BrokenPacket(ViciError):
    """The stream cannot be cut into packets any more: nothing can be answered."""


class BrokenMessage(ViciError):
    """A packet's message breaks the format."""


class TooLong(ViciError):
    """A response does not fit the format."""


class Refused(ViciError):
    """A command cannot be done, and nothing has changed; the text is the reason."""
