# SPDX-License-Identifier: GPL-2.0-or-later
"""Back ends: who is asked for, whether they are there, and what lies on their hosts' disks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ike.config import settings
from ike.config.section import Section
from lab.build import builder
from lab.build.backends import BACKENDS, assign, backend_of, check
from lab.build.backends.charon import CONF
from lab.build.files import CERTIFICATES, FOLDER, KEY, SWANCTL_CONF, XML, File
from lab.client.lab import Lab
from lab.client.node_socket import VICI
from lab.errors import UsageError
from lab.topology import Topology, load, parse
from tests.unit.frames import cut
from tests.unit.tkm.vectors import frames
from tests.unit.trusted import identity, pki
from tkm.generation1 import rpc1
from tkm.rpc.interface import FixedFrames
from tkm.rpc.paths import ORIGINAL_EES_SOCKET, ORIGINAL_IKE_SOCKET
from tkm_cfgtool import swanctl, xml

RECORDED = Path(__file__).parents[3] / "vectors" / "charon-tkm-swanctl.conf"
HOST = """
title = "as recorded"
[links.wire]
[nodes.alice]
addresses = { wire = "192.168.0.1/24" }
identity = "alice@strongswan.org"
[nodes.bob]
addresses = { wire = "192.168.0.2/24" }
identity = "bob@strongswan.org"
[[policies]]
between = ["alice", "bob"]
lifetime = { soft = 6900, hard = 7200 }
"""


def files(topology: Topology, name: str, backend: str) -> Mapping[str, File]:
    """What lies on a node's disk."""
    own = pki().ca.issue_cert(identity("alice"), key=pki().keys["alice"])
    return BACKENDS[backend].files(topology, topology.node(name), pki().ca, own)


def tree(section: Section) -> dict[str, Any]:
    """A configuration as plain dictionaries."""
    values = {key: entry.value for key, entry in section.values.items()}
    return values | {name: tree(inner) for name, inner in section.sections.items()}


def read(text: bytes | str) -> dict[str, Any]:
    text = text if isinstance(text, str) else text.decode()
    return tree(settings.parse(text, "a file"))


def test_assigned() -> None:
    topology = assign(load("two-hosts"), ["bob=strongswan"])
    backends = [backend_of(node).name for node in topology.nodes.values()]
    assert backends == ["builtin", "strongswan"]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("carol=builtin", "no node 'carol' here, only alice, moon, sun, bob"),
        ("sun=racoon", "no back end 'racoon'; write builtin, charon-tkm, strongswan, none"),
        ("sun", "no back end ''; write builtin"),
        ("alice=builtin", "no policy names alice"),
    ],
)
def test_not_assigned(choice: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        assign(load("net-to-net"), [choice])


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("lab.build.backends.model.FOLDERS", ())
    return tmp_path


@pytest.mark.parametrize(
    ("backend", "remedy"),
    [
        ("strongswan", "strongSwan is not installed: sudo apt-get install charon-systemd"),
        ("charon-tkm", "charon-tkm is not installed, and no package has it: build strongSwan"),
    ],
)
def test_what_is_not_installed_is_not_built(empty: Path, backend: str, remedy: str) -> None:
    plan = assign(load("two-hosts"), [f"bob={backend}"])
    with pytest.raises(UsageError, match=f"bob cannot have IKE by {backend}: {remedy}") as told:
        builder.up(plan, "never-built")
    assert "\n" not in str(told.value)
    assert "never-built" not in [lab.name for lab in Lab.all()]


def test_what_is_installed_is_found(empty: Path) -> None:
    for name in ("charon-tkm", "charon", "swanctl"):
        (empty / name).touch(0o755)
    check(assign(load("two-hosts"), ["alice=charon-tkm", "bob=strongswan"]))
    (daemon,) = BACKENDS["strongswan"].daemons
    assert daemon.argv[-1] == "/run/strongswan/charon"


@pytest.mark.parametrize("choice", ["alice=charon-tkm", "sun=charon-tkm"])
def test_charon_tkm_is_refused_where_a_nat_gateway_lies_between(choice: str, empty: Path) -> None:
    node = choice.partition("=")[0]
    with pytest.raises(UsageError) as refused:
        builder.up(assign(load("nat"), [choice]), "never-built")
    assert str(refused.value) == (
        f"{node} cannot have IKE by charon-tkm: a NAT gateway lies between alice and sun, "
        f"and charon-tkm does not put ESP into UDP; take --ike {node}=builtin"
    )
    assert "never-built" not in [lab.name for lab in Lab.all()]


def test_charon_tkm_is_not_refused_beside_a_nat_gateway(empty: Path) -> None:
    for name in ("charon-tkm", "swanctl"):
        (empty / name).touch(0o755)
    check(load("nat"))
    check(assign(load("net-to-net"), ["moon=charon-tkm"]))


def test_charon_tkm_reads_all_settings_in_its_own_section() -> None:
    found = read(files(parse("recorded", HOST), "alice", "charon-tkm")[CONF].octets)
    assert set(found) == {"charon-tkm", "swanctl"}
    own = found["charon-tkm"]
    assert own["load_modular"] == "yes"
    its_plugins = "kernel-netlink pem pkcs1 random sha1 x509 socket-default openssl vici"
    assert " ".join(own["plugins"]) == its_plugins
    assert {plugin["load"] for plugin in own["plugins"].values()} == {"yes"}
    assert own["plugins"]["vici"]["socket"] == f"unix://{VICI}"
    assert "swanctl --load-all" in own["start-scripts"]["load"]
    assert own["filelog"]["stderr"]["default"] == "1"


@pytest.mark.parametrize(
    ("backend", "section"), [("strongswan", "charon"), ("charon-tkm", "charon-tkm")]
)
def test_strongswan_repeats_a_request_soon_and_gives_up_as_late_as_by_default(
    backend: str, section: str
) -> None:
    found = read(files(load("two-hosts"), "bob", backend)[CONF].octets)[section]
    timeout, base = float(found["retransmit_timeout"]), float(found["retransmit_base"])
    waits = [timeout * base**tried for tried in range(int(found["retransmit_tries"]) + 1)]
    assert waits[0] <= 0.5
    assert sum(waits) == pytest.approx(165, rel=0.1)


def test_strongswan_has_its_own_key_and_connections() -> None:
    topology = load("net-to-net")
    found = files(topology, "sun", "strongswan")
    assert found[f"{FOLDER}/private/own.der"].mode == 0o600
    assert XML not in found
    assert KEY not in found
    connection = read(found[SWANCTL_CONF].octets)["connections"]["conn1"]
    assert connection["local_addrs"] == "192.168.0.2"
    assert connection["remote_addrs"] == "192.168.0.1"
    assert connection["remote"]["id"] == "moon@tkm-lab.test"
    child = connection["children"]["conn1"]
    assert (child["local_ts"], child["remote_ts"]) == ("10.2.0.0/16", "10.1.0.0/16")
    assert (child["rekey_time"], child["life_time"], child["rand_time"]) == ("6900s", "7200s", "0s")
    assert (child["mode"], child["start_action"]) == ("tunnel", "trap")


@pytest.mark.parametrize(
    ("offer", "connections"),
    [("", [["conn1", "conn2"]]), ("aes256-sha512-modp3072", [["conn1"], ["conn2"]])],
)
def test_strongswan_has_one_connection_for_the_policies_with_a_peer_and_an_ike_offer(
    offer: str, connections: list[list[str]]
) -> None:
    (policy,) = load("net-to-net").policies
    policies = policy, replace(policy, id=2, ike=offer)
    topology = replace(load("net-to-net"), policies=policies)
    found = read(files(topology, "sun", "strongswan")[SWANCTL_CONF].octets)["connections"]
    assert [list(connection["children"]) for connection in found.values()] == connections


def test_strongswan_behind_nat_is_known_by_the_gateway() -> None:
    found = files(load("nat"), "sun", "strongswan")
    connection = read(found[SWANCTL_CONF].octets)["connections"]["conn1"]
    assert connection["remote_addrs"] == "192.168.0.1"
    assert connection["children"]["conn1"]["remote_ts"] == "10.1.0.10/32"


def test_charon_tkm_gets_what_it_took_in_the_recording() -> None:
    """tkm_cfgtool writes for it what the recorded daemon ran with, and the key is the TKM's."""
    found = files(parse("recorded", HOST), "alice", "charon-tkm")
    ours = read(swanctl.render(xml.read(found[XML].octets), esn=False))["connections"]["conn1"]
    theirs = read(RECORDED.read_text())["connections"]["conn1"]
    for section, name in ((theirs, "proposals"), (theirs["children"]["conn1"], "esp_proposals")):
        its = ours if section is theirs else ours["children"]["conn1"]
        assert its[name].split(",")[0] == section[name]
        its[name] = section[name]
    assert ours == theirs
    assert found[f"{CERTIFICATES}/{theirs['local']['certs']}"].octets[:1] == b"\x30"
    assert not [path for path in found if "private" in path]


def test_charon_tkm_calls_groups_and_cas_as_recorded() -> None:
    found = files(parse("recorded", HOST), "alice", "charon-tkm")
    settings = read(found[CONF].octets)["charon-tkm"]
    requests = [_request(row) for row in frames() if row["interface"] == "ike"]
    groups = {request.dha for request in requests if isinstance(request, rpc1.DhCreate)}
    assert groups == {int(settings["dh_mapping"]["16"])}  # all of them were MODP-4096
    (ca,) = {request.ca for request in requests if isinstance(request, rpc1.CcCheckCa)}
    root = settings["ca_mapping"]["root"]
    assert int(root["id"]) == ca
    key = pki().ca.certificate.x509.public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert root["fingerprint"] == hashlib.sha1(octets).hexdigest()


def _request(row: Mapping[str, str]) -> Any:
    octets = bytes.fromhex(row["request"]).ljust(FixedFrames.REQUEST, b"\0")
    header, body = cut(FixedFrames(), octets)
    return rpc1.RPC1.operations[header.operation].decode(body, padded=True)


def test_charon_tkm_comes_between_manager_and_proxy(empty: Path) -> None:
    for name in ("charon-tkm", "swanctl"):
        (empty / name).touch(0o755)
    manager, charon, proxy = BACKENDS["charon-tkm"].daemons
    assert manager.argv[0] == "tkm_keymanager"
    assert manager.argv[-4:] == ("--rpc", "1", "--socket", ORIGINAL_IKE_SOCKET)
    assert manager.socket == ORIGINAL_IKE_SOCKET
    assert manager.argv[1:7] == (
        *("-c", "/etc/tkm/tkm.conf", "-k", "/etc/tkm/key.der"),
        *("-r", "/etc/tkm/ca.der:1"),
    )
    assert charon.argv == (
        "env",
        "STRONGSWAN_CONF=/etc/tkm/strongswan.conf",
        "SWANCTL_DIR=/etc/tkm",
        str(empty / "charon-tkm"),
    )
    assert proxy.argv == ("xfrm_proxy", "--socket", ORIGINAL_EES_SOCKET)
    cfgtool, copy, _ = BACKENDS["charon-tkm"].configure()
    assert cfgtool[-2:] == ("--rpc", "1")
    assert str(empty / "swanctl") in copy
