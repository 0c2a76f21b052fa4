# SPDX-License-Identifier: GPL-2.0-or-later
"""One client of the control interface, in this process, with an engine that has its own time."""

from collections.abc import Iterator

import pytest

from ike.sa.events import ChildSaInstalled
from ike.service import Service
from ike.vici import message, packet
from ike.vici.commands import COMMANDS, EVENTS
from ike.vici.control import Control
from ike.vici.errors import BrokenPacket
from ike.vici.message import Section
from ike.vici.monitor import Monitor
from ike.vici.packet import LONGEST, Packet, PacketType
from ike.vici.session import Session
from tests.unit import trusted
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
        packets = []
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


@pytest.fixture
def client() -> Iterator[Client]:
    network = Network()
    with Service(network.alice.engine, ()) as service:
        yield Client(network, service)


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


# Setting up and deleting


def test_a_rekeying_is_not_what_initiate_waits_for(client: Client) -> None:
    client.begin("initiate", child="net")
    rekeyed = ChildSaInstalled(1, "net", 1, b"newl", b"newr", b"oldl")
    client.session.take(rekeyed)
    client.session.proceed()
    assert not client.session.to_send


def test_initiate_waits_for_the_child_sa(client: Client) -> None:
    client.begin("initiate", child="net", ike="to-bob")
    assert client.session.job
    assert client.wait() == {"success": "yes"}
    assert client.network.is_up()


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


def test_initiate_in_time_or_not(client: Client) -> None:
    client.network.meddler = lambda _: []
    client.begin("initiate", child="net", timeout="1500")
    assert client.wait(1.0) is None
    assert client.wait(1.0) == {
        "success": "no",
        "errmsg": "CHILD_SA 'net' not established in time",
    }


def test_initiate_without_waiting(client: Client) -> None:
    assert client.ask("initiate", child="net", timeout="-1") == {"success": "yes"}
    assert client.control.engine.sas()


def test_initiate_fails(client: Client) -> None:
    client.network.bob.kernel.refuses = True
    client.begin("initiate", child="net")
    reply = client.wait()
    assert reply
    assert str(reply["errmsg"]).startswith("establishing CHILD_SA 'net' failed: ")


@pytest.mark.parametrize("named", [{"child": "nix"}, {"child": "net", "ike": "nix"}, {}])
def test_initiate_what_is_not_configured(client: Client, named: Section) -> None:
    assert client.ask("initiate", **named)["success"] == "no"


@pytest.fixture
def connected(client: Client) -> Client:
    client.begin("initiate", child="net")
    assert client.wait() == {"success": "yes"}
    return client


@pytest.mark.parametrize("named", [{"ike": "to-bob"}, {"ike-id": "1"}])
def test_terminate_ike_sa(connected: Client, named: Section) -> None:
    connected.begin("terminate", **named)
    assert connected.wait() == {"success": "yes", "matches": "1", "terminated": "1"}
    assert not connected.network.alice.states() | connected.network.bob.states()
    assert connected.network.alice.ike_sas() == []


@pytest.mark.parametrize("named", [{"child": "net"}, {"child-id": "1"}])
def test_terminate_child_sa(connected: Client, named: Section) -> None:
    connected.begin("terminate", **named)
    assert connected.wait() == {"success": "yes", "matches": "1", "terminated": "1"}
    assert not connected.network.alice.states() | connected.network.bob.states()
    assert connected.network.alice.ike_sas() == ["ESTABLISHED"]


def test_terminate_by_force_does_not_wait_for_the_peer(connected: Client) -> None:
    connected.network.meddler = lambda _: []
    connected.begin("terminate", ike="to-bob", force="yes")
    reply = connected.wait(0.0)
    assert reply
    assert reply["terminated"] == "1"


def test_terminate_in_time_or_not(connected: Client) -> None:
    connected.network.meddler = lambda _: []
    connected.begin("terminate", ike="to-bob", timeout="1000")
    reply = connected.wait(1.5)
    assert reply
    assert (reply["success"], reply["matches"], reply["terminated"]) == ("no", "1", "0")


@pytest.mark.parametrize("command", ["terminate", "rekey"])
@pytest.mark.parametrize("named", [{"ike": "nix"}, {"ike-id": "9"}, {"child": "nix"}, {}])
def test_nothing_matches(connected: Client, command: str, named: Section) -> None:
    assert connected.ask(command, **named)["success"] == "no"
    assert connected.network.is_up()


def test_rekey_both(connected: Client) -> None:
    (before,) = connected.stream("list-sas", "list-sa")
    assert connected.ask("rekey", child="net") == {"success": "yes", "matches": "1"}
    connected.network.run(5)
    assert connected.ask("rekey", **{"ike-id": "1"}) == {"success": "yes", "matches": "1"}
    connected.network.run_until(lambda: len(connected.control.engine.sas()) == 2)
    both = connected.stream("list-sas", "list-sa")
    assert [len(sa["to-bob"]["child-sas"]) for sa in both] == [0, 1]  # type: ignore
    connected.network.run(5)
    (after,) = connected.stream("list-sas", "list-sa")
    assert before != after
    assert after["to-bob"]["uniqueid"] == "2"  # type: ignore[index,call-overload]
    assert after["to-bob"]["dh-group"] == "MODP_3072"  # type: ignore[index,call-overload]
    assert list(after["to-bob"]["child-sas"]) == ["net-2"]  # type: ignore[index,call-overload]


# Asking


def test_list_sas(connected: Client) -> None:
    sa = connected.network.alice.engine.sas()[0]
    (child,) = sa.peer.children.values()
    (listed,) = connected.stream("list-sas", "list-sa", noblock="yes")
    assert listed == {
        "to-bob": {
            "uniqueid": "1",
            "version": "2",
            "state": "ESTABLISHED",
            "local-host": "192.168.0.1",
            "local-port": "500",
            "local-id": "alice@tkm-lab.test",
            "remote-host": "192.168.0.2",
            "remote-port": "500",
            "remote-id": "bob@tkm-lab.test",
            "initiator": "yes",
            "initiator-spi": sa.channel.spi_local.hex(),
            "responder-spi": sa.channel.spi_remote.hex(),
            "encr-alg": "AES_CBC",
            "encr-keysize": "256",
            "integ-alg": "HMAC_SHA2_512_256",
            "prf-alg": "PRF_HMAC_SHA2_512",
            "dh-group": "MODP_3072",
            "established": "4",
            "child-sas": {
                "net-1": {
                    "name": "net",
                    "uniqueid": "1",
                    "reqid": "1",
                    "state": "INSTALLED",
                    "mode": "TRANSPORT",
                    "protocol": "ESP",
                    "spi-in": child.spi_local.hex(),
                    "spi-out": child.spi_remote.hex(),
                    "encr-alg": "AES_CBC",
                    "encr-keysize": "256",
                    "integ-alg": "HMAC_SHA2_512_256",
                    "bytes-in": "0",
                    "packets-in": "0",
                    "bytes-out": "0",
                    "packets-out": "0",
                    "install-time": "4",
                    "local-ts": ["192.168.0.1/32"],
                    "remote-ts": ["192.168.0.2/32"],
                }
            },
        }
    }


def test_several_key_exchanges() -> None:
    network = Network(ike="aes256-sha512-modp3072-ke1_modp4096")
    with Service(network.alice.engine, ()) as service:
        client = Client(network, service)
        client.begin("initiate", child="net")
        assert client.wait() == {"success": "yes"}
        (listed,) = client.stream("list-sas", "list-sa")
    sa = listed["to-bob"]
    assert isinstance(sa, dict)
    assert (sa["dh-group"], sa["ake1"]) == ("MODP_3072", "MODP_4096")


@pytest.mark.parametrize(
    ("named", "sas", "children"),
    [
        ({"ike": "to-bob"}, 1, 1),
        ({"ike": "nix"}, 0, 0),
        ({"ike-id": "2"}, 0, 0),
        ({"child": "nix"}, 1, 0),
        ({"child-id": "1"}, 1, 1),
    ],
)
def test_list_some_sas(connected: Client, named: Section, sas: int, children: int) -> None:
    listed = connected.stream("list-sas", "list-sa", **named)
    assert len(listed) == sas
    assert sum(len(sa["to-bob"]["child-sas"]) for sa in listed) == children  # type: ignore


def test_half_open(client: Client) -> None:
    client.network.meddler = lambda _: []
    client.ask("initiate", child="net", timeout="-1")
    assert client.ask("stats")["ikesas"] == {"total": "1", "half-open": "1"}
    (listed,) = client.stream("list-sas", "list-sa")
    assert listed["to-bob"]["state"] == "CONNECTING"  # type: ignore[index,call-overload]


def test_who_has_not_registered_hears_nothing(connected: Client) -> None:
    connected.begin("list-sas")
    assert connected.received() == [Packet(PacketType.CMD_RESPONSE)]


def test_list_conns_and_policies(client: Client) -> None:
    (listed,) = client.stream("list-conns", "list-conn")
    connection = listed["to-bob"]
    assert isinstance(connection, dict)
    assert connection["local_addrs"] == ["192.168.0.1"]
    assert connection["local-1"] == {
        "class": "public key",
        "id": "alice@tkm-lab.test",
        "certs": ["O=tkm-lab, CN=alice@tkm-lab.test"],
    }
    assert client.stream("list-conns", "list-conn", ike="nix") == []
    (policy,) = client.stream("list-policies", "list-policy", trap="yes")
    assert list(policy) == ["to-bob/net"]
    assert client.stream("list-policies", "list-policy", drop="yes") == []


def test_list_certs(client: Client) -> None:
    own, ca = client.stream("list-certs", "list-cert")
    assert message.octets(str(own["data"])) == trusted.pki().certificates["alice"]
    assert (own["flag"], own["has_privkey"]) == ("NONE", "yes")
    assert (ca["flag"], ca.get("has_privkey")) == ("CA", None)
    assert client.stream("list-certs", "list-cert", flag="CA") == [ca]
    assert client.stream("list-certs", "list-cert", type="X509_CRL") == []
    subject = "O=tkm-lab, CN=tkm-lab root"
    assert client.stream("list-certs", "list-cert", subject=subject) == [ca]


# Loading


CHILD: Section = {"reqid": "1", "mode": "transport", "esp_proposals": ["aes256-sha512"]}


def section(**changes: message.Element) -> Section:
    """The connection to bob as swanctl would load it."""
    certificate = message.text(trusted.pki().certificates["alice"])
    return {
        "version": "2",
        "local_addrs": ["192.168.0.1"],
        "remote_addrs": ["192.168.0.2"],
        "proposals": ["aes256-sha512-modp3072"],
        "rekey_time": "0",
        "fragmentation": "no",
        "local": {"auth": "pubkey", "id": "alice@tkm-lab.test", "certs": [certificate]},
        "remote": {"auth": "pubkey", "id": "bob@tkm-lab.test"},
        "children": {"net": {**CHILD, "start_action": "trap"}},
        **changes,
    }


def test_load_what_is_there(client: Client) -> None:
    before = client.control.configuration.connections
    assert client.ask("load-conn", **{"to-bob": section()}) == {"success": "yes"}
    assert client.control.configuration.connections is before
    assert client.ask("get-conns") == {"conns": ["to-bob"]}


def test_unload(client: Client) -> None:
    assert client.ask("unload-conn", name="to-bob")["success"] == "no"
    client.ask("load-conn", **{"to-bob": section()})
    assert client.ask("unload-conn", name="to-bob") == {"success": "yes"}
    assert client.control.configuration.connections == ()
    assert client.ask("initiate", child="net")["success"] == "no"


def test_load_another_that_starts_at_once(client: Client) -> None:
    client.ask("load-conn", **{"to-bob": section()})
    client.ask("unload-conn", name="to-bob")
    starting: Section = {**CHILD, "start_action": "start"}
    changed = section(local_addrs=["127.0.0.1"], children={"other": starting})
    client.control.service.port = 0
    assert client.ask("load-conn", again=changed) == {"success": "yes"}
    assert client.network.alice.ike_sas() == ["CONNECTING"]
    (listed,) = client.stream("list-conns", "list-conn", ike="again")
    assert list(listed["again"]["children"]) == ["other"]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("to-bob", {"version": "1"}, "version: '1' is not supported"),
        ("to-bob", {"vips": ["0.0.0.0"]}, "vips is not supported in to-bob"),
        ("to-bob", {"children": {}}, "no children"),
        ("to-bob", {"local_addrs": ["%any"]}, "not an address"),
        ("to-bob", {"local": {"id": "a", "certs": ["x"]}}, "no certificate"),
        ("other", {}, "to-bob.net has reqid 1 already"),
        ("to-bob", {"children": {"a": CHILD, "b": CHILD}}, "two children of to-bob share a reqid"),
        ("to-bob", {"local_addrs": ["192.0.2.1"]}, "cannot be used for IKE"),
    ],
)
def test_load_what_cannot_be(client: Client, name: str, changes: Section, reason: str) -> None:
    before = client.control.configuration
    reply = client.ask("load-conn", **{name: section(**changes)})
    assert reply["success"] == "no"
    assert reason in str(reply["errmsg"])
    assert client.control.configuration == before
    assert client.ask("get-conns") == {"conns": []}


def test_certificates_and_authorities(client: Client) -> None:
    pki = trusted.pki()
    root = message.text(pki.ca.root.certificate.der)
    bob = message.text(pki.certificates["bob"])
    assert client.ask("load-cert", type="X509", flag="NONE", data=bob)["success"] == "yes"
    assert client.ask("load-cert", type="X509", flag="CA", data=root)["success"] == "yes"
    assert client.ask("load-authority", root={"cacert": root})["success"] == "yes"
    assert client.ask("get-authorities") == {"authorities": ["root"]}
    (listed,) = client.stream("list-authorities", "list-authority")
    assert listed == {"root": {"cacert": "O=tkm-lab, CN=tkm-lab root"}}
    assert len(client.stream("list-certs", "list-cert")) == 3
    client.ask("clear-creds")
    assert len(client.stream("list-certs", "list-cert")) == 2
    assert client.ask("unload-authority", name="root")["success"] == "yes"
    assert client.ask("unload-authority", name="root")["success"] == "no"


def test_an_authority_that_the_tkm_does_not_know(client: Client) -> None:
    foreign = message.text(trusted.CA("another").root.certificate.der)
    for reply in (
        client.ask("load-cert", type="X509", flag="CA", data=foreign),
        client.ask("load-authority", other={"cacert": foreign}),
    ):
        assert "not among the TKM's" in str(reply["errmsg"])
    assert client.ask("get-authorities") == {"authorities": []}


def test_secrets_are_refused(client: Client) -> None:
    assert "tkm_keymanager" in str(client.ask("load-key", type="any", data="x")["errmsg"])
    assert client.ask("load-shared", type="IKE", data="x")["success"] == "no"


# What happens


def test_monitor(client: Client) -> None:
    monitor, network = Monitor(client.control.engine), client.network
    told: list[tuple[str, Section]] = []

    def run() -> list[str]:
        """Let time pass; the names of what is told, with a plus for what is up."""
        told.clear()
        network.alice.events.clear()
        network.run(5)
        for event in network.alice.events:
            told.extend(monitor.take(event, network.now))
        return [name + ("+" if "up" in section else "") for name, section in told]

    client.ask("initiate", child="net", timeout="-1")
    assert run() == ["ike-updown+", "child-updown+"]
    client.ask("rekey", child="net")
    assert run() == ["child-rekey"]
    rekeyed = told[0][1]["to-bob"]["child-sas"]["net-1"]  # type: ignore[index,call-overload]
    assert (rekeyed["old"]["uniqueid"], rekeyed["new"]["uniqueid"]) == ("1", "2")
    client.ask("rekey", ike="to-bob")
    assert run() == ["ike-rekey"]
    assert told[0][1]["to-bob"]["new"]["uniqueid"] == "2"  # type: ignore[index,call-overload]
    network.bob.engine.terminate("enough", network.now)
    assert run() == ["child-updown", "ike-updown"]


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
