# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines, in the form of the original: ``Nov 21 2026 17:30:42 Creating …``."""

import contextlib
import logging
import os
import time
from typing import Any

from tkm.rpc.log_limit import Limiter

TIME = "%b %d %Y %H:%M:%S"

STDERR = "stderr"
SYSLOG = "syslog"
_SYSLOG_SOCKET = "/dev/log"
_OPEN_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_STDERR = 2

log = logging.getLogger(__name__)

limiter = Limiter()
"""Of all lines, wherever they go."""


class Line(logging.LogRecord):
    """What our lines show of a record. The rest, as where in the code it was written, costs as much
    as all of this, and a daemon writes lines while its client waits.
    """

    filename, lineno = "", 0
    """Asked for only when a line cannot be written."""

    def __init__(
        self, name: str, level: int, _path: str, _lineno: int, msg: object, args: Any, *_: object
    ) -> None:
        self.name = name
        self.levelno = level
        self.msg = msg
        self.args = args
        self.created = time.time()

    @property
    def levelname(self) -> str:  # type: ignore[override]
        """For syslog."""
        return logging.getLevelName(self.levelno)


class OneLine(logging.Formatter):
    """A message is one line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The message; ``exc_info`` and the like are left out, and nobody gives any."""
        return printable(record.getMessage())


def printable(text: str) -> str:
    """With escapes for control characters: names in certificates come from anybody, and must not
    forge lines.
    """
    if text.isprintable():  # so are nearly all
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


class Unbuffered(logging.Handler):
    """Writes each message behind the time, at once and in one piece: none is lost, no lock needed.

    Should the disk be full, standard error is told once, and the daemon goes on.

    :param path: a file, to its end; standard error if there is none.
    """

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self._path = path
        self._descriptor = self._open() if path else _STDERR
        self._losing = False
        self._second = -1
        self._time = ""

    def _open(self) -> int:
        return os.open(self._path, _OPEN_FLAGS, 0o666)

    @property
    def has_file(self) -> bool:
        """Whether it writes to a file that may be opened anew."""
        return bool(self._path)

    def handle(self, record: logging.LogRecord) -> bool:
        """Write it, if the filters let it through."""
        try:
            if not self.filter(record):
                return False
            self._write(record)
            self._losing = False
        except OSError as error:
            self._lose(error)
        except (TypeError, ValueError):  # a message that does not go with its arguments
            self.handleError(record)
        return True

    def _write(self, record: logging.LogRecord) -> None:
        second = int(record.created)
        if second != self._second:  # what is worked out once a second
            self._second, self._time = second, time.strftime(TIME, time.localtime(second))
        line = f"{self._time} {printable(record.getMessage())}\n".encode()
        while line:
            line = line[os.write(self._descriptor, line) :]

    def _lose(self, error: OSError) -> None:
        if self._path and not self._losing:
            with contextlib.suppress(OSError):
                os.write(_STDERR, f"log lines are lost: {self._path}: {error.strerror}\n".encode())
        self._losing = True

    def reopen(self) -> None:
        """Go on in a new file of that name.

        :raises OSError: there cannot be one; the old one stays.
        """
        if self._path:
            old, self._descriptor = self._descriptor, self._open()
            os.close(old)

    def close(self) -> None:
        """Close the file."""
        super().close()
        if self._path and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def to(destination: str = STDERR, *, program: str = "", level: int = logging.INFO) -> None:
    """Log to ``stderr``, to ``syslog`` (as ``program``), or to the file of that name.

    :raises OSError: that is not possible.
    """
    handler = _handler(destination, program)
    handler.addFilter(limiter)
    # No line shows where in the code it was written: do not find that out.
    logging._srcfile = None
    logging.setLogRecordFactory(Line)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)


def _handler(destination: str, program: str) -> logging.Handler:
    if destination == SYSLOG:
        from logging.handlers import SysLogHandler  # brings half the standard library

        handler = SysLogHandler(_SYSLOG_SOCKET, SysLogHandler.LOG_DAEMON)
        handler.ident = f"{program}: "
        handler.setFormatter(OneLine())  # syslog has the time
        return handler
    return Unbuffered("" if destination == STDERR else destination)


def reopen() -> None:
    """Open the log file anew: somebody has moved it away."""
    for handler in logging.root.handlers:
        if isinstance(handler, Unbuffered):
            try:
                handler.reopen()
            except OSError as error:
                log.error("The log file stays the old one: %s: %s", error.filename, error.strerror)


def open_flags() -> tuple[int, ...]:
    """With which flags of open(2) files are opened from now on: none, where none is reopened."""
    handlers = logging.root.handlers
    is_file = any(isinstance(each, Unbuffered) and each.has_file for each in handlers)
    return (_OPEN_FLAGS,) if is_file else ()
