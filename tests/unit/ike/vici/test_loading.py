# SPDX-License-Identifier: GPL-2.0-or-later
"""Bringing connections, certificates, CAs, and what is refused."""

import pytest

from ike.engine.route import Ports
from ike.vici import message, packet
from ike.vici.message import Section
from ike.vici.packet import Packet, PacketType
from lab.pki import CA
from tests.unit import trusted
from tests.unit.ike.authorities import issue, key
from tests.unit.ike.vici.client import Client

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
    client.control.engine.context.ports = Ports(0, 0)
    assert client.ask("load-conn", again=changed) == {"success": "yes"}
    assert client.network.alice.ike_sas() == ["CONNECTING"]
    (listed,) = client.stream("list-conns", "list-conn", ike="again")
    assert list(listed["again"]["children"]) == ["other"]  # type: ignore[index,call-overload]


@pytest.fixture
def reloading(connected: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a daemon that listens where it should, as the addresses are not ours."""
    monkeypatch.setattr(connected.control.service, "listen", lambda host: None)
    return connected


def test_running_sas_are_kept_and_used_by_what_is_loaded_in_their_place(
    reloading: Client,
) -> None:
    connected = reloading
    changed = section(dpd_delay="30", children={"other": {**CHILD, "start_action": "trap"}})
    assert connected.ask("load-conn", **{"to-bob": changed})["success"] == "yes"
    assert connected.network.alice.ike_sas() == ["ESTABLISHED"]
    connected.network.run(60)
    connected.control.engine.acquire(1, connected.network.now)
    connected.network.run(5)
    assert connected.network.alice.ike_sas() == connected.network.bob.ike_sas() == ["ESTABLISHED"]
    assert connected.ask("initiate", child="other") == {"success": "yes"}, "under another name"
    connected.network.run(5)
    assert connected.network.alice.ike_sas() == ["ESTABLISHED"]
    assert len(connected.network.alice.states()) == 4


def test_under_another_name_too(reloading: Client) -> None:
    connected = reloading
    connected.ask("load-conn", **{"to-bob": section()})
    connected.ask("unload-conn", name="to-bob")
    assert connected.ask("load-conn", renamed=section())["success"] == "yes"
    connected.control.engine.acquire(1, connected.network.now + 60)
    connected.network.run(5)
    assert connected.network.alice.ike_sas() == ["ESTABLISHED"]
    assert connected.ask("rekey", ike="to-bob", reauth="yes")["success"] == "yes"
    connected.network.run(5)
    assert connected.network.alice.ike_sas() == ["ESTABLISHED"]
    (listed,) = connected.stream("list-sas", "list-sa")
    assert list(listed) == ["renamed"], "it is set up as it is configured now"


def swanctl_loads(client: Client, **connections: Section) -> dict[str, object]:
    """What swanctl does with a file: ask what there is, load, and then unload the rest.

    :return: what the daemon says to each connection.
    """
    before = client.ask("get-conns")["conns"]
    said = {name: client.ask("load-conn", **{name: each}) for name, each in connections.items()}
    for name in before:
        if name not in connections:
            assert client.ask("unload-conn", name=name) == {"success": "yes"}
    return {name: reply.get("errmsg", "") for name, reply in said.items()}


def policies(client: Client) -> dict[str, list[int]]:
    """The reqids of each connection."""
    connections = client.control.configuration.connections
    return {each.name: [child.reqid for child in each.children] for each in connections}


def children(*reqids: int) -> Section:
    return section(children={f"net{one}": {**CHILD, "reqid": str(one)} for one in reqids})


@pytest.mark.parametrize("by_client", [False, True])
def test_a_file_may_name_a_connection_anew(reloading: Client, *, by_client: bool) -> None:
    """Case 10: swanctl loads first, and unloads then; nobody unloads what the daemon began with."""
    client = reloading
    if by_client:
        swanctl_loads(client, **{"to-bob": section()})
    for name in ("office", "office", "home"):
        assert swanctl_loads(client, **{name: section()}) == {name: ""}
        assert policies(client) == {name: [1]}
        assert client.ask("get-conns") == {"conns": [name]}
    assert client.network.alice.ike_sas() == ["ESTABLISHED"]


@pytest.mark.parametrize(
    "turns",
    [
        ({"a": (1,), "b": (2,)}, {"a": (2,), "b": (1,)}),
        ({"a": (1,), "b": (2,), "c": (3,)}, {"a": (2,), "b": (3,), "c": (1,)}),
        ({"a": (1, 2), "b": (3,)}, {"a": (1,), "b": (2, 3)}),
        ({"a": (1, 2)}, {"b": (1,), "c": (2,)}),
        ({"b": (1,), "c": (2,)}, {"a": (1, 2)}),
    ],
)
def test_connections_exchange_their_reqids(
    reloading: Client, turns: tuple[dict[str, tuple[int, ...]], ...]
) -> None:
    reloading.ask("load-conn", **{"to-bob": section()})
    for turn in (*turns, *turns):
        made = {name: children(*reqids) for name, reqids in turn.items()}
        assert set(swanctl_loads(reloading, **made).values()) == {""}
        assert policies(reloading) == {name: list(reqids) for name, reqids in turn.items()}


def test_two_connections_of_a_file_never_share_a_reqid(reloading: Client) -> None:
    said = swanctl_loads(reloading, a=children(1), b=children(1))
    assert said == {"a": "", "b": "a.net1 has reqid 1 already"}
    assert policies(reloading) == {"a": [1]}


def test_a_connection_that_is_not_asked_for_keeps_its_reqids(reloading: Client) -> None:
    """A client that loads one connection does not mean the others."""
    swanctl_loads(reloading, a=children(1), b=children(2))
    reply = reloading.ask("load-conn", c=children(2))
    assert reply["errmsg"] == "b.net2 has reqid 2 already"
    assert policies(reloading) == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("to-bob", {"version": "1"}, "version: '1' is not supported"),
        (
            "to-bob",
            {"vips": ["0.0.0.0"]},
            "vips: '0.0.0.0' is not supported, nothing: ",
        ),
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
    assert listed == {
        "root": {"cacert": "O=tkm-lab, CN=tkm-lab root", "crl_uris": [], "ocsp_uris": []}
    }
    assert len(client.stream("list-certs", "list-cert")) == 3
    client.ask("clear-creds")
    assert len(client.stream("list-certs", "list-cert")) == 2
    assert client.ask("unload-authority", name="root")["success"] == "yes"
    assert client.ask("unload-authority", name="root")["success"] == "no"


def test_an_authority_that_the_tkm_does_not_know(client: Client) -> None:
    foreign = message.text(CA("another").root.certificate.der)
    for reply in (
        client.ask("load-cert", type="X509", flag="CA", data=foreign),
        client.ask("load-authority", other={"cacert": foreign}),
    ):
        assert "not among the TKM's" in str(reply["errmsg"])
    assert client.ask("get-authorities") == {"authorities": []}


def test_cas_below_the_tkms_help_with_paths_until_credentials_are_cleared(
    reloading: Client,
) -> None:
    client, pki = reloading, trusted.pki()
    issuing = pki.ca.root.create_child_ca("issuing", key=pki.ca.key.rsa)
    bridge = issue("root", key(1), "root", key(0))  # self-issued, and not self-signed
    for brought in (issuing.certificate.der, bridge.der):
        reply = client.ask("load-cert", type="X509", flag="CA", data=message.text(brought))
        assert reply["success"] == "yes"
    issuers = client.control.configuration.issuers
    assert [each.der for each in issuers] == [issuing.certificate.der, bridge.der]
    own = issuing.issue_cert("alice@tkm-lab.test", key=pki.keys["alice"]).certificate.der
    local: Section = {"id": "alice@tkm-lab.test", "certs": [message.text(own)]}
    assert client.ask("load-conn", **{"to-bob": section(local=local)})["success"] == "yes"
    (connection,) = client.control.configuration.connections
    assert [each.der for each in connection.certificates] == [own, issuing.certificate.der]
    client.ask("clear-creds")
    assert client.control.configuration.issuers == ()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("load-key", "private keys belong to the TKM: give it to tkm_keymanager with -k"),
        ("load-token", "private keys belong to the TKM: give it to tkm_keymanager with -k"),
        ("load-shared", "shared secrets are not supported: peers authenticate with certificates"),
    ],
)
def test_secrets_are_refused_and_wiped(client: Client, command: str, reason: str) -> None:
    secret = message.encode({"type": "any", "data": "x" * 1000})
    received = bytearray(Packet(PacketType.CMD_REQUEST, command, secret).encode())
    with memoryview(received), pytest.raises(BufferError):
        packet.cut(received)  # it shrinks, which a view forbids: before that it was wiped
    assert b"x" not in received
    assert client.ask(command, type="any", data="x") == {"success": "no", "errmsg": reason}
    assert client.ask("version")["daemon"] == "tkm_iked"
