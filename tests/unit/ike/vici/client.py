# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the control interface, in this process, with an engine that has its own time."""

from ike.daemon.service import Service
from ike.vici import message, packet
from ike.vici.control import Control
from ike.vici.message import Section
from ike.vici.packet import Packet, PacketType
from ike.vici.session import Session
from tests.unit.ike.network import Network


class Client:
    """A client of alice: talks to its session, and lets the network go on meanwhile."""

    def __init__(self, network: Network, service: Service) -> None:
        self.network = network
        self.control = Control(service, lambda: network.now)
        self.session = Session(self.control)

    def send(self, *packets: Packet) -> None:
        self.session.feed(b"".join(each.encode() for each in packets))

    def received(self) -> list[Packet]:
        """All that has come since the last time."""
        packets: list[Packet] = []
        while self.session.to_send or not packets:
            while one := packet.cut(self.session.to_send):
                packets.append(one)
            self.session.proceed()
            if not self.session.to_send:
                break
        return packets

    def register(self, *events: str) -> None:
        self.send(*(Packet(PacketType.EVENT_REGISTER, event) for event in events))
        assert self.received() == [Packet(PacketType.EVENT_CONFIRM)] * len(events)

    def begin(self, command: str, **values: message.Element) -> None:
        self.send(Packet(PacketType.CMD_REQUEST, command, message.encode(values)))

    def ask(self, command: str, **values: message.Element) -> Section:
        """The reply of a command, whatever came before it."""
        self.begin(command, **values)
        *_, last = self.received()
        assert last.kind == PacketType.CMD_RESPONSE
        return message.decode(last.body)

    def stream(self, command: str, event: str, **values: message.Element) -> list[Section]:
        """The events of a command."""
        self.register(event)
        self.begin(command, **values)
        *events, last = self.received()
        assert last == Packet(PacketType.CMD_RESPONSE)
        assert all(each.kind == PacketType.EVENT and each.name == event for each in events)
        return [message.decode(each.body) for each in events]

    def wait(self, seconds: float = 5.0) -> Section | None:
        """The reply of a command under way, after some time."""
        side = self.network.alice
        side.events.clear()
        self.network.run(seconds)
        for event in side.events:
            self.session.take(event)
        self.session.expire(self.network.now)
        self.session.proceed()
        replies = [each for each in self.received() if each.kind == PacketType.CMD_RESPONSE]
        return message.decode(replies[-1].body) if replies else None
