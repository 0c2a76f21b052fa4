# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines, as messages for the clients that have registered for them."""

import logging
from collections.abc import Callable

from ike.vici.message import Section

_LONGEST = 4096
_GROUPS = {
    "NET": ("received packet", "sending packet"),
    "ENC": ("parsed", "generating", "splitting IKE message", "received fragment"),
}
"""charon's groups, by how their lines begin; all else is IKE."""


def _group(text: str) -> str:
    return next((group for group, words in _GROUPS.items() if text.startswith(words)), "IKE")


class LogHandler(logging.Handler):
    """Hands each log line on.

    Args:
        send: Takes the line's level and message. Levels are charon's: 0 is always sent, 1
            is what happens.
    """

    def __init__(self, send: Callable[[int, Section], None]) -> None:
        super().__init__()
        self._send = send
        self._busy = False

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line; one that is logged because of that is not sent in turn."""
        if self._busy:
            return
        self._busy = True
        try:
            level = 0 if record.levelno >= logging.WARNING else 1
            text = record.getMessage()[:_LONGEST]
            self._send(
                level, {"group": _group(text), "level": str(level), "thread": "1", "msg": text}
            )
        finally:
            self._busy = False
