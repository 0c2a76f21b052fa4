# SPDX-License-Identifier: GPL-2.0-or-later
"""What is logged, as messages for who has registered for it."""

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
        tell: Takes the line's level and message. Levels are charon's: 0 is what always is told, 1
            is what happens.
    """

    def __init__(self, tell: Callable[[int, Section], None]) -> None:
        super().__init__()
        self._tell = tell
        self._busy = False

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line on; one that is logged because of that is not told in turn."""
        if self._busy:
            return
        self._busy = True
        try:
            level = 0 if record.levelno >= logging.WARNING else 1
            text = record.getMessage()[:_LONGEST]
            self._tell(
                level, {"group": _group(text), "level": str(level), "thread": "1", "msg": text}
            )
        finally:
            self._busy = False
