# SPDX-License-Identifier: GPL-2.0-or-later
"""One client: its packets, and how fast it reads."""

import pytest

from ike.vici import message
from ike.vici.commands import COMMANDS, EVENTS
from ike.vici.errors import BrokenPacket
from ike.vici.message import Section
from ike.vici.packet import LONGEST, Packet, PacketType
from tests.unit.ike.vici.client import Client


def test_unknown_commands_and_events(client: Client) -> None:
    client.send(
        Packet(PacketType.CMD_REQUEST, "nonsense"),
        Packet(PacketType.EVENT_REGISTER, "nonsense"),
        Packet(PacketType.EVENT_UNREGISTER, "log"),
    )
    kinds = [each.kind for each in client.received()]
    unknown = PacketType.EVENT_UNKNOWN
    assert kinds == [PacketType.CMD_UNKNOWN, unknown, unknown]


def test_a_broken_message_is_refused_and_the_client_stays(client: Client) -> None:
    client.send(Packet(PacketType.CMD_REQUEST, "version", b"\x02"))
    (reply,) = client.received()
    assert message.decode(reply.body)["success"] == "no"
    assert client.ask("version")["daemon"] == "tkm_iked"


@pytest.mark.parametrize("kind", [PacketType.CMD_RESPONSE, PacketType.EVENT])
def test_what_only_servers_send(client: Client, kind: PacketType) -> None:
    with pytest.raises(BrokenPacket):
        client.send(Packet(kind, "log" if kind == PacketType.EVENT else ""))


def test_half_a_packet_waits(client: Client) -> None:
    octets = Packet(PacketType.CMD_REQUEST, "version").encode()
    for octet in octets[:-1]:
        client.session.feed(bytes((octet,)))
        assert not client.session.to_send
    client.session.feed(octets[-1:])
    assert client.received()


def test_every_command_bears_an_empty_request(client: Client) -> None:
    for name in COMMANDS:
        client.begin(name)
        *_, last = client.received()
        assert last.kind == PacketType.CMD_RESPONSE, name


def test_every_event_can_be_registered(client: Client) -> None:
    client.register(*EVENTS)


@pytest.mark.parametrize("element", [["a"], {"a": "b"}])
@pytest.mark.parametrize("command", ["initiate", "terminate", "list-sas", "list-conns"])
def test_no_value_where_one_has_to_be(
    client: Client, command: str, element: message.Element
) -> None:
    reply = client.ask(command, ike=element)
    assert reply["errmsg"] == "ike is not a value"


@pytest.mark.parametrize("text", ["x", "1.5", "", "-", "9" * 30, "²"])
def test_no_number_where_one_has_to_be(client: Client, text: str) -> None:
    assert "not a number" in str(client.ask("initiate", child="net", timeout=text)["errmsg"])


def test_who_has_not_registered_hears_nothing(connected: Client) -> None:
    connected.begin("list-sas")
    assert connected.received() == [Packet(PacketType.CMD_RESPONSE)]


def test_one_command_at_a_time(client: Client) -> None:
    client.begin("initiate", child="net")
    client.begin("version")
    assert not client.session.to_send
    client.network.run(5)
    for event in client.network.alice.events:
        client.session.take(event)
    client.session.proceed()
    replies = [message.decode(each.body) for each in client.received()]
    assert [("success" in each, "daemon" in each) for each in replies] == [
        (True, False),
        (False, True),
    ]


def test_a_flood_while_a_command_is_under_way(client: Client) -> None:
    client.begin("initiate", child="net")
    with pytest.raises(BrokenPacket):
        client.session.feed(bytes(LONGEST + 1))


def test_who_does_not_read_is_given_up(client: Client) -> None:
    client.register("log")
    line: Section = {"msg": "x" * 60000}
    while len(client.session.to_send) < 4 * LONGEST - 60100:
        client.session.tell("log", line)
    with pytest.raises(BrokenPacket):
        client.session.tell("log", line)


def test_nothing_is_done_for_who_does_not_read(connected: Client) -> None:
    connected.send(*[Packet(PacketType.CMD_REQUEST, "stats")] * 1000)
    assert len(connected.session.to_send) < 128 * 1024
    assert len(connected.received()) == 1000
