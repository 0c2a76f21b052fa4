# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking what there is."""

from typing import Any, TypeVar

import pytest

from ike.config.model import Configuration
from ike.daemon.service import Service
from ike.value import Value
from ike.vici import message
from ike.vici.message import Section
from tests.unit import trusted
from tests.unit.ike.network import Network
from tests.unit.ike.vici.client import Client

V = TypeVar("V", bound=Value)


def copied(value: V, **changes: Any) -> V:
    """A value with some of its fields changed."""
    return type(value)(**{name: getattr(value, name) for name in value._fields} | changes)


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


def test_list_conns_and_policies(client: Client) -> None:
    (listed,) = client.stream("list-conns", "list-conn")
    connection = listed["to-bob"]
    assert isinstance(connection, dict)
    assert connection == {  # what charon 5.9.8 says of the same configuration
        "local_addrs": ["192.168.0.1"],
        "remote_addrs": ["192.168.0.2"],
        "version": "IKEv2",
        "reauth_time": "0",
        "rekey_time": "0",
        "unique": "UNIQUE_NO",
        "local-1": {
            "id": "alice@tkm-lab.test",
            "class": "public key",
            "groups": [],
            "cert_policy": [],
            "certs": ["O=tkm-lab, CN=alice@tkm-lab.test"],
            "cacerts": [],
        },
        "remote-1": {
            "id": "bob@tkm-lab.test",
            "class": "public key",
            "groups": [],
            "cert_policy": [],
            "certs": [],
            "cacerts": [],
        },
        "children": {
            "net": {
                "mode": "TRANSPORT",
                "rekey_time": "0",
                "rekey_bytes": "0",
                "rekey_packets": "0",
                "dpd_action": "none",
                "close_action": "none",
                "local-ts": ["dynamic"],
                "remote-ts": ["dynamic"],
            }
        },
    }
    assert client.stream("list-conns", "list-conn", ike="nix") == []
    (policy,) = client.stream("list-policies", "list-policy", trap="yes")
    assert policy == {
        "to-bob/net": {
            "child": "net",
            "ike": "to-bob",
            "mode": "TRANSPORT",
            "local-ts": ["192.168.0.1/32"],
            "remote-ts": ["192.168.0.2/32"],
        }
    }
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


def test_times_to_come(client: Client) -> None:
    (connection,) = client.control.configuration.connections
    (child,) = connection.children
    aged = copied(child, rekey_time=100.0, life_time=120.0)
    whole = copied(connection, children=(aged,), rekey_time=300.0, reauth_time=900.0, rand_time=0.0)
    host = client.control.engine.context
    host.configuration = Configuration((whole,), host.configuration.authorities)
    client.begin("initiate", child="net")
    client.wait()
    (listed,) = client.stream("list-sas", "list-sa")
    sa: dict[str, Any] = dict(listed["to-bob"])  # type: ignore[arg-type]
    assert [int(sa[key]) for key in ("established", "rekey-time", "reauth-time")] == [4, 295, 895]
    (listed_child,) = sa["child-sas"].values()
    assert [listed_child[key] for key in ("rekey-time", "life-time")] == ["95", "115"]
    (conn,) = client.stream("list-conns", "list-conn")
    configured: dict[str, Any] = dict(conn["to-bob"])  # type: ignore[arg-type]
    assert (configured["rekey_time"], configured["reauth_time"]) == ("300", "900")
    assert configured["children"]["net"]["rekey_time"] == "100"
