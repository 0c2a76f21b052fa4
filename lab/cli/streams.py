# SPDX-License-Identifier: GPL-2.0-or-later
"""Standard input, output and errors of the command line: what they cannot carry decides nothing.

Text that a terminal's encoding does not have is written in ASCII. What cannot be written is
dropped, and the command goes on to its end, as its exit code is about the lab. At the end a failure
of standard output (a full disk, say) is one line and exit code 1; if the reader has gone, silence.
A command without an end of its own ends when its reader does: see `reader_gone`.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import functools
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import Any, TextIO

_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "→": ">", "⇄": "=", "…": "...", "─": "-", "│": "|", "·": ".", "—": "-"}
    | {chr(braille): "*" for braille in range(0x2800, 0x2900)}
)
"""What we print that is not ASCII, spinner included, and what stands for it. Else it is `?`."""
_HANDLER = "tkm-lab-ascii"
OUTPUT, ERRORS = 1, 2


def in_ascii(text: str) -> str:
    """A text with ASCII in the place of other characters."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def _replace(trouble: UnicodeError) -> tuple[str, int]:
    if not isinstance(trouble, UnicodeEncodeError):
        raise trouble
    return in_ascii(trouble.object[trouble.start : trouble.end]), trouble.end


codecs.register_error(_HANDLER, _replace)


class _Output(io.FileIO):
    """A descriptor to write to. The first failure is remembered; from then on all is dropped.

    Ctrl-C can come when octets are out and their number is not yet returned. A buffer would write
    them again when it is flushed: they are skipped then.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "w", closefd=False)
        self.failure: OSError | None = None
        self._are_out = 0

    def write(self, octets: Any, /) -> int:
        view = memoryview(octets).cast("B")
        skipped, self._are_out = self._are_out, 0
        if self.failure is None:
            try:
                return skipped + super().write(view[skipped:])
            except OSError as failure:
                self.failure = failure
            except KeyboardInterrupt:
                self._are_out = view.nbytes
                raise
        return view.nbytes


class Streams:
    """The three streams while a command runs; `output` is where its text and data go."""

    def __init__(self) -> None:
        self.was_closed = [_fill(fd) for fd in range(3)]
        """Which of the three this process was started without."""
        self.output = _Output(OUTPUT)
        self.errors = _Output(ERRORS)

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Let `sys` have them."""
        before = sys.stdin, sys.stdout, sys.stderr
        if sys.stdin is None:
            sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = _text(self.output, before[1], buffered=True)
        sys.stderr = _text(self.errors, before[2], buffered=False)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdin, sys.stdout, sys.stderr = before

    def trouble(self) -> str:
        """Why standard output is not whole; "" if it is, or if its reader wanted no more."""
        failure = self.output.failure
        if failure is None or failure.errno == errno.EPIPE:
            return ""
        return f"standard output: {failure.strerror}"


def _fill(fd: int) -> bool:
    """Open a descriptor that is closed, so that nothing else gets its number."""
    try:
        os.fstat(fd)
    except OSError:
        nothing = os.open(os.devnull, os.O_RDWR)  # the lowest that is free
        if nothing != fd:
            os.dup2(nothing, fd)
            os.close(nothing)
        return True
    return False


def _text(raw: _Output, before: TextIO | None, *, buffered: bool) -> io.TextIOWrapper:
    direct = bool(getattr(before, "write_through", False)) or not buffered
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors=_HANDLER,
        line_buffering=direct or raw.isatty(),
        write_through=direct,
    )


@functools.cache
def reader_gone(fd: int = OUTPUT) -> int | None:
    """A descriptor that becomes readable when nobody reads `fd` any more; None: always readers.

    Waiting needs no output for it: `logs -f | head` ends on a quiet lab, too.
    """
    poll = select.epoll()
    try:
        poll.register(fd, 0)  # EPOLLERR and EPOLLHUP are always reported, see epoll_ctl(2)
    except PermissionError:  # a file, or a device without readers
        poll.close()
        return None
    _polls.append(poll)
    return poll.fileno()


_polls: list[select.epoll] = []
"""Kept open as long as their descriptors are in use."""
