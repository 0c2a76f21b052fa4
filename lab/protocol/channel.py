# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages between the front end and the agent.

A message is a JSON object followed by plain octets (a file, a piece of output, a capture):

    u32 length of all that follows | u32 length of the JSON | JSON | octets        (big endian)

A request is `{"do": ...}`; its answer is any number of `{"event": ...}`, then one `{"done": ...}`
or `{"error": "one line", "kind": name of the class in lab.errors, "exit": 1 or 2}`. A channel
carries one request at a time.
"""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.errors import Hangup, LabError

if TYPE_CHECKING:
    import socket

VERSION = 2
"""Of the requests and answers: a lab that an older tkm-lab has built may not know them."""
LONGEST = 256 << 20
_HEADER = struct.Struct(">II")


class Message(NamedTuple):
    """One message: the JSON object, and the octets beside it."""

    body: dict[str, Any]
    octets: bytes = b""


def encode(body: dict[str, Any], octets: bytes = b"") -> bytes:
    """The octets of one message."""
    text = json.dumps(body, separators=(",", ":")).encode()
    return _HEADER.pack(4 + len(text) + len(octets), len(text)) + text + octets


class Decoder:
    """Cuts a stream of octets into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, octets: bytes) -> Iterator[Message]:
        """Add octets and yield every message that is complete.

        Raises:
            LabError: what arrived is not a message; the stream is of no more use.
        """
        self._buffer += octets
        while len(self._buffer) >= _HEADER.size:
            length, text = _HEADER.unpack_from(self._buffer)
            if length > LONGEST or text + 4 > length:
                raise LabError("the other side speaks another protocol")
            if len(self._buffer) < 4 + length:
                return
            start = _HEADER.size
            body = _object(self._buffer[start : start + text])
            octets = bytes(self._buffer[start + text : 4 + length])
            del self._buffer[: 4 + length]
            yield Message(body, octets)


def _object(text: bytes | bytearray) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as trouble:
        raise LabError("the other side speaks another protocol") from trouble
    if not isinstance(body, dict):
        raise LabError("the other side speaks another protocol")
    return body


def error(trouble: LabError) -> dict[str, Any]:
    """The message that reports an error to the other side."""
    return {"error": str(trouble), "kind": type(trouble).__name__, "exit": trouble.exit_code}


def _all(kind: type[LabError]) -> Iterator[type[LabError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _all(narrower)


def raise_error(body: dict[str, Any]) -> None:
    """Raise the error that a message reports, if it does."""
    if "error" in body:
        kinds = {kind.__name__: kind for kind in _all(LabError)}
        raise kinds.get(body.get("kind", ""), LabError)(body["error"])


class Channel:
    """A channel seen from the front end: blocking, over a connected socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._decoder = Decoder()
        self._arrived: list[Message] = []

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()

    def send(self, body: dict[str, Any], octets: bytes = b"") -> None:
        """Send one message.

        Raises:
            Hangup: the lab is gone.
        """
        try:
            self.socket.sendall(encode(body, octets))
        except (BrokenPipeError, ConnectionResetError) as gone:
            raise Hangup("the lab has ended") from gone

    def receive(self) -> Message:
        """Wait for the next message.

        Raises:
            Hangup: the lab is gone.
            TimeoutError: the socket has a time-out, and it passed.
        """
        while not self._arrived:
            octets = b""
            with contextlib.suppress(ConnectionResetError):
                octets = self.socket.recv(1 << 18)
            if not octets:
                raise Hangup("the lab has ended")
            self._arrived.extend(self._decoder.feed(octets))
        return self._arrived.pop(0)

    def last_error(self) -> LabError | None:
        """The error that the other side reported before it hung up, if it did."""
        try:
            while True:
                raise_error(self.receive().body)
        except Hangup:
            return None
        except LabError as reason:
            return reason

    @property
    def waiting(self) -> bool:
        """Whether `receive` would return at once."""
        return bool(self._arrived)

    def ask(
        self,
        body: dict[str, Any],
        octets: bytes = b"",
        event: Callable[[Message], None] | None = None,
    ) -> Message:
        """Send a request and return its `done` message; `event` is called for what precedes it.

        Raises:
            LabError: the answer is an error, or (Hangup) the lab is gone.
        """
        self.send(body, octets)
        while True:
            message = self.receive()
            raise_error(message.body)
            if "done" in message.body:
                return message
            if event is not None:
                event(message)
