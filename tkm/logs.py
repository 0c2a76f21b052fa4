# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines, in the form of the original: ``Nov 21 2026 17:30:42 Creating …``."""

import logging
import sys
import time

TIME = "%b %d %Y %H:%M:%S"

STDERR = "stderr"
SYSLOG = "syslog"
_SYSLOG_SOCKET = "/dev/log"


class OneLine(logging.Formatter):
    """A message is one line: names in certificates come from anybody, and must not forge others."""

    def format(self, record: logging.LogRecord) -> str:
        """The message; ``exc_info`` and the like are left out, and nobody gives any."""
        message = record.getMessage()
        if message.isprintable():  # so are nearly all
            return message
        return "".join(
            character if character.isprintable() else ascii(character)[1:-1]
            for character in message
        )


class Timed(OneLine):
    """Such a line behind the time, which is worked out once a second."""

    def __init__(self) -> None:
        super().__init__()
        self._second = -1
        self._time = ""

    def format(self, record: logging.LogRecord) -> str:
        """The time and the message."""
        second = int(record.created)
        if second != self._second:
            self._second, self._time = second, time.strftime(TIME, time.localtime(second))
        return f"{self._time} {super().format(record)}"


def to(destination: str = STDERR, *, program: str = "", level: int = logging.INFO) -> None:
    """Log to ``stderr``, to ``syslog`` (as ``program``), or to the file of that name.

    :raises OSError: that is not possible.
    """
    handler = _handler(destination, program)
    # No line shows where in the code it was written, nor by which thread: do not find that out.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)


def _handler(destination: str, program: str) -> logging.Handler:
    handler: logging.Handler
    if destination == SYSLOG:
        from logging.handlers import SysLogHandler  # brings half the standard library

        handler = SysLogHandler(_SYSLOG_SOCKET, SysLogHandler.LOG_DAEMON)
        handler.ident = f"{program}: "
        handler.setFormatter(OneLine())  # syslog has the time
        return handler
    if destination == STDERR:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = logging.FileHandler(destination)
    handler.setFormatter(Timed())
    return handler


def reopen() -> None:
    """Open the log file anew: somebody has moved it away."""
    for handler in logging.root.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.close()  # the next line opens it again
