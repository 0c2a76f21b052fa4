# SPDX-License-Identifier: GPL-2.0-or-later
"""One client: packets in, packets out, one command after the other. It knows no socket."""

from ike.engine.events import Event
from ike.errors import ConfigError, UnknownName
from ike.vici import message, packet
from ike.vici.answers import Answer, Job, Stream, failure
from ike.vici.commands import COMMANDS, EVENTS
from ike.vici.control import Control
from ike.vici.errors import BrokenPacket, TooLong, ViciError
from ike.vici.message import Section
from ike.vici.packet import LONGEST, Packet, PacketType

_PLENTY = 64 * 1024
"""Octets that wait to be sent, above which nothing is done for a client."""
_TOO_MUCH = 4 * LONGEST
"""Octets that wait to be sent, above which a client has stopped listening."""


class Session:
    """What a client has asked for, and is still to get.

    Attributes:
        to_send: Octets that have not gone out yet.
        job: The command that waits for something to happen.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._received = bytearray()
        self._events: set[str] = set()
        self._stream: Stream | None = None
        self.job: Job | None = None
        self.to_send = bytearray()

    def feed(self, octets: bytes | memoryview) -> None:
        """Take what has arrived, and do what can be done.

        Raises:
            BrokenPacket: This is not a VICI client.
        """
        self._received += octets
        if self.job and len(self._received) > LONGEST:
            raise BrokenPacket("commands without end, while one is under way")
        self.proceed()

    def proceed(self) -> None:
        """Do what can be done, as fast as the client reads.

        Raises:
            BrokenPacket: This is not a VICI client.
        """
        while len(self.to_send) < _PLENTY:
            if self._stream:
                self._pull(self._stream)
            elif self.job:
                if self.job.reply is None:
                    return
                self._reply(self.job.reply)
            elif received := packet.cut(self._received):
                self._take(received)
            else:
                return

    def _pull(self, stream: Stream) -> None:
        section = next(stream.sections, None)
        if section is None:
            self._reply({})
        else:
            self.tell(stream.event, section)

    def _reply(self, section: Section) -> None:
        """Answer the command; the next one may come."""
        self._stream = self.job = None
        try:
            self.to_send += packet.pack(PacketType.CMD_RESPONSE, "", section)
        except TooLong as error:
            self.to_send += packet.pack(PacketType.CMD_RESPONSE, "", failure(str(error)))

    def _take(self, received: Packet) -> None:
        if received.kind == PacketType.CMD_REQUEST:
            self._command(received)
        elif received.kind == PacketType.EVENT_REGISTER:
            self._confirm(received.name in EVENTS)
            self._events |= {received.name} & EVENTS
        elif received.kind == PacketType.EVENT_UNREGISTER:
            self._confirm(received.name in self._events)
            self._events.discard(received.name)
        else:
            raise BrokenPacket(f"a client must not send {received.kind.name}")

    def _confirm(self, known: bool) -> None:
        kind = PacketType.EVENT_CONFIRM if known else PacketType.EVENT_UNKNOWN
        self.to_send += Packet(kind).encode()

    def _command(self, received: Packet) -> None:
        handler = COMMANDS.get(received.name)
        if handler is None:
            self.to_send += Packet(PacketType.CMD_UNKNOWN).encode()
            return
        try:
            self._begin(handler(self._control, message.decode(received.body)))
        except (ViciError, ConfigError, UnknownName) as error:
            self._reply(failure(str(error)))

    def _begin(self, answer: Answer) -> None:
        if isinstance(answer, Stream):
            self._stream = answer
        elif isinstance(answer, Job):
            self.job = answer
            answer.begin(self._control)
        else:
            self._reply(answer)

    # Events

    def tell(self, event: str, section: Section) -> None:
        """Send an event, if the client has registered for it; what does not fit a packet is left
        out.

        Raises:
            BrokenPacket: It has stopped reading.
        """
        if event not in self._events:
            return
        try:
            self.to_send += packet.pack(PacketType.EVENT, event, section)
        except TooLong:
            return
        if len(self.to_send) > _TOO_MUCH:
            raise BrokenPacket("it does not read its events")

    def take(self, event: Event) -> None:
        """Something has happened that the command may wait for."""
        if self.job:
            self.job.take(event)

    def expire(self, now: float) -> None:
        """The command has waited until its deadline."""
        if self.job and self.job.deadline is not None and self.job.deadline <= now:
            self.job.expire()
