# SPDX-License-Identifier: GPL-2.0-or-later
"""Many channels over one stream of octets, without I/O.

Between the keeper and the agent there is one stream: a socket pair, or a serial line of the guest.
A serial line has no flow control, so a sender may have only so many octets under way per channel,
its window; the receiver gives back credit for what it has taken. A slow channel therefore delays
nobody else.

    u16 channel | u8 kind | u16 length | octets        (big endian)

Channel 0 exists from the start: keeper and agent talk about the lab itself on it.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple

TOWARDS_AGENT = 2048
"""The window towards the agent, octets: a serial line's buffer in the guest holds 4096."""
TOWARDS_KEEPER = 32768
"""The window towards the keeper, octets."""

_HEADER = struct.Struct(">HBH")
_LONGEST = 8192


class Kind(enum.IntEnum):
    OPEN = 0
    DATA = 1
    CLOSE = 2
    CREDIT = 3


class Frame(NamedTuple):
    channel: int
    kind: Kind
    octets: bytes


class _Sending:
    """What one channel still has to send."""

    def __init__(self, window: int) -> None:
        self.credit = window
        self.queue = bytearray()
        self.closing = False


class Mux:
    """One end of the stream. `output` is what has to be written to it."""

    def __init__(self, window: int) -> None:
        self.output = bytearray()
        self._window = window
        self._input = bytearray()
        self._sending: dict[int, _Sending] = {0: _Sending(window)}

    def open(self, channel: int) -> None:
        """Open a channel, and announce it to the other end."""
        self.accept(channel)
        self._frame(channel, Kind.OPEN)

    def accept(self, channel: int) -> None:
        """Make ready a channel that the other end opened."""
        self._sending[channel] = _Sending(self._window)

    def send(self, channel: int, octets: bytes) -> None:
        """Queue octets on a channel; on one that is closed they are dropped."""
        if (sending := self._sending.get(channel)) and not sending.closing:
            sending.queue += octets
            self._advance(channel, sending)

    def close(self, channel: int) -> None:
        """Close a channel after what is queued on it."""
        if sending := self._sending.get(channel):
            sending.closing = True
            self._advance(channel, sending)

    def drop(self, channel: int) -> None:
        """Forget a channel with all that is queued on it: the other end has closed it."""
        self._sending.pop(channel, None)

    def queued(self, channel: int) -> int:
        """How many octets of a channel wait for credit."""
        sending = self._sending.get(channel)
        return len(sending.queue) if sending else 0

    def taken(self, channel: int, octets: int) -> None:
        """Give the other end credit for octets that we have taken."""
        self._frame(channel, Kind.CREDIT, octets.to_bytes(4, "big"))

    def receive(self, octets: bytes) -> Iterator[Frame]:
        """Add octets from the stream and yield the frames in them, credit aside."""
        self._input += octets
        while len(self._input) >= _HEADER.size:
            channel, kind, length = _HEADER.unpack_from(self._input)
            end = _HEADER.size + length
            if len(self._input) < end:
                return
            frame = Frame(channel, Kind(kind), bytes(self._input[_HEADER.size : end]))
            del self._input[:end]
            if frame.kind is not Kind.CREDIT:
                yield frame
            elif sending := self._sending.get(channel):
                sending.credit += int.from_bytes(frame.octets, "big")
                self._advance(channel, sending)

    def _advance(self, channel: int, sending: _Sending) -> None:
        while sending.queue and sending.credit:
            piece = bytes(sending.queue[: min(sending.credit, _LONGEST)])
            del sending.queue[: len(piece)]
            sending.credit -= len(piece)
            self._frame(channel, Kind.DATA, piece)
        if sending.closing and not sending.queue:
            del self._sending[channel]
            self._frame(channel, Kind.CLOSE)

    def _frame(self, channel: int, kind: Kind, octets: bytes = b"") -> None:
        self.output += _HEADER.pack(channel, kind, len(octets)) + octets
