# SPDX-License-Identifier: GPL-2.0-or-later
"""The front end's side of a command that runs in a node: our terminal, our input, its output."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import termios
import tty as terminal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, BinaryIO

from lab.errors import UsageError
from lab.protocol.channel import Channel, raise_error

_CHUNK = 16384
_OF_TERMINAL = ("TERM", "COLORTERM")
"""Variables that describe our terminal; a command on a terminal of a node needs them."""

Sink = BinaryIO | Callable[[bytes], Any]


class Execution:
    """One command. Input goes in pieces, the next when the last was taken."""

    def __init__(
        self,
        channel: Channel,
        stdin: BinaryIO | int | None,
        outputs: tuple[Sink, Sink],
        given: bytes = b"",
        end: int | None = None,
    ) -> None:
        """Prepare it; `end` becomes readable when nobody wants the output any more."""
        self._channel = channel
        self._stdin = stdin if isinstance(stdin, int) or stdin is None else stdin.fileno()
        self._given = given
        self._end = end
        self._outputs = dict(zip(("stdout", "stderr"), outputs, strict=True))
        self._selector = selectors.DefaultSelector()
        self._ended = False

    def run(self, node: str, argv: list[str], *, tty: bool) -> int:
        """Run it and return its exit code. Raises LabError if it cannot be started."""
        request: dict[str, Any] = {"do": "run", "node": node, "argv": argv}
        source = self._stdin if tty and self._stdin is not None else None
        is_terminal = source is not None and os.isatty(source)
        if tty:
            request["tty"] = _size(source) if source is not None and is_terminal else [24, 80]
            request["environment"] = {k: os.environ[k] for k in _OF_TERMINAL if k in os.environ}
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._selector)
            if source is not None and is_terminal:
                stack.enter_context(_raw(source))
                stack.enter_context(self._follow_size(source))
            self._channel.send(request)
            self._selector.register(self._channel, selectors.EVENT_READ)
            if self._end is not None:
                self._selector.register(self._end, selectors.EVENT_READ)
            self._offer()
            return self._attend()

    def _attend(self) -> int:
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._end:
                    return 128 + signal.SIGPIPE  # the agent kills it when we hang up
                if key.fd != self._channel.fileno():
                    self._read_input()
                    continue
                code = self._receive()
                if code is not None:
                    return code

    def _receive(self) -> int | None:
        while True:
            body, octets = self._channel.receive()
            raise_error(body)
            if "done" in body:
                return int(body["done"]["code"])
            if body["event"] == "taken":
                self._offer()
            else:
                self._put(self._outputs[body["event"]], octets)
            if not self._channel.waiting:
                return None

    @staticmethod
    def _put(sink: Sink, octets: bytes) -> None:
        if callable(sink):
            sink(octets)
        else:
            sink.write(octets)
            sink.flush()

    def _offer(self) -> None:
        """Send the next piece of input, or see to it that we are notified."""
        if self._ended:
            return
        if self._given or self._stdin is None:
            piece, self._given = self._given[:_CHUNK], self._given[_CHUNK:]
            self._send_input(piece)
        elif self._stdin is not None:
            try:
                self._selector.register(self._stdin, selectors.EVENT_READ)
            except PermissionError:  # a plain file: always readable
                self._send_input(self._read(self._stdin))

    def _read_input(self) -> None:
        if self._stdin is not None:
            self._selector.unregister(self._stdin)
            self._send_input(self._read(self._stdin))

    @staticmethod
    def _read(source: int) -> bytes:
        """The next piece; a terminal that is gone has ended. Raises UsageError: a directory."""
        try:
            return os.read(source, _CHUNK)
        except IsADirectoryError as trouble:
            raise UsageError(f"standard input: {trouble.strerror}") from trouble
        except OSError:
            return b""

    def _send_input(self, octets: bytes) -> None:
        self._ended = not octets
        self._channel.send({"stdin": True}, octets)

    @contextlib.contextmanager
    def _follow_size(self, source: int) -> Iterator[None]:
        def changed(_: int, __: FrameType | None) -> None:
            self._channel.send({"size": _size(source)})

        before = signal.signal(signal.SIGWINCH, changed)
        try:
            yield
        finally:
            signal.signal(signal.SIGWINCH, before)


def _size(source: int) -> list[int]:
    size = os.get_terminal_size(source)
    return [size.lines, size.columns]


@contextlib.contextmanager
def _raw(source: int) -> Iterator[None]:
    """Let every key reach the node's terminal, which does what ours did."""
    before = termios.tcgetattr(source)
    terminal.setraw(source)
    try:
        yield
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
