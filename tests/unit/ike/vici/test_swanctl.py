# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's ``swanctl`` drives a running daemon: every command that people use."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit import trusted
from tests.unit.ike.daemon.test_reload import reload
from tests.unit.ike.daemons import DEADLINE, Node, wait_for

Swanctl = Callable[..., str]
Daemons = list[subprocess.Popen[bytes]]


class Refused(Exception):
    """swanctl says no; its output."""


def at(node: Node) -> list[str]:
    """What makes swanctl find a daemon."""
    return ["--uri", f"unix://{node.folder}/vici"]


@pytest.fixture
def swanctl(nodes: list[Node], daemons: Daemons) -> Swanctl:
    """Runs a command at alice's and gives what it prints."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["swanctl", *arguments, *at(nodes[0])],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return done.stdout + done.stderr

    return run


def test_what_there_is(swanctl: Swanctl) -> None:
    assert "tkm_iked" in swanctl("--version", "--daemon")
    assert "IKE_SAs: 0 total, 0 half-open" in swanctl("--stats")
    assert "net: IKEv2, no reauthentication, rekeying every 14400s" in swanctl("--list-conns")
    assert "pubkey:    RSA 3072 bits, has private key" in swanctl("--list-certs")
    assert "net/net, TRANSPORT\n  local:  127.0.0.1/32\n" in swanctl("--list-pols")
    assert "AES_CBC[tkm]" in swanctl("--list-algs")
    assert "list-sas reply {}" in swanctl("--list-sas", "--raw")


def test_a_whole_life(swanctl: Swanctl) -> None:
    assert "initiate completed successfully" in swanctl("--initiate", "--child", "net")
    listed = swanctl("--list-sas")
    assert "net: #1, ESTABLISHED, IKEv2" in listed
    assert "net: #1, reqid 1, INSTALLED, TRANSPORT, ESP:AES_CBC-256/HMAC_SHA2_512_256" in listed
    assert "(null)" not in listed
    swanctl("--rekey", "--child", "net")
    wait_for(lambda: "net: #2, reqid 1, INSTALLED" in swanctl("--list-sas"))
    swanctl("--rekey", "--ike", "net")
    wait_for(lambda: "net: #2, ESTABLISHED" in swanctl("--list-sas"))
    swanctl("--rekey", "--ike", "net", "--reauth")
    wait_for(lambda: "net: #3, reqid 1, INSTALLED" in swanctl("--list-sas"))
    raw = swanctl("--list-sas", "--raw")
    assert "list-sa event {net {uniqueid=3 version=2 state=ESTABLISHED local-host=127.0.0.1" in raw
    assert "terminate completed successfully" in swanctl("--terminate", "--child", "net")
    assert "reqid" not in swanctl("--list-sas")
    assert "terminate completed successfully" in swanctl("--terminate", "--ike", "net")
    assert "ESTABLISHED" not in swanctl("--list-sas")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--initiate", "--child", "nix"), "CHILD_SA config 'nix' not found"),
        (("--terminate", "--ike", "nix"), "no matching SAs to terminate found"),
        (("--rekey", "--child", "nix"), "no matching SAs to rekey found"),
        (("--install", "--child", "net"), "the TKM installs all policies"),
    ],
)
def test_refusals(swanctl: Swanctl, arguments: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        swanctl(*arguments)


def test_load_all(swanctl: Swanctl, nodes: list[Node]) -> None:
    path = nodes[0].folder / "swanctl.conf"
    path.write_text(path.read_text() + "authorities {\n root {\n cacert = ca.der\n }\n}\n")
    said = swanctl("--load-all", "--file", str(path))
    assert "loaded authority 'root'" in said
    assert "successfully loaded 1 connections, 0 unloaded" in said
    assert "cacert: O=tkm-lab, CN=tkm-lab root" in swanctl("--list-authorities")
    assert "initiate completed successfully" in swanctl("--initiate", "--child", "net")


def test_a_connection_gets_another_name(swanctl: Swanctl, nodes: list[Node]) -> None:
    path = nodes[0].folder / "swanctl.conf"
    text = path.read_text()
    for name, unloaded in (("net", 0), ("office", 1), ("home", 1)):
        path.write_text(text.replace("net {", f"{name} {{", 1))
        said = swanctl("--load-conns", "--file", str(path))
        assert f"successfully loaded 1 connections, {unloaded} unloaded" in said
        assert f"{name}: IKEv2" in swanctl("--list-conns")
    assert "initiate completed successfully" in swanctl("--initiate", "--child", "net")
    assert "initiate completed successfully" in swanctl("--initiate", "--child", "net")
    assert swanctl("--list-sas").count("INSTALLED") == 1


PARTS = {
    "swanctl.conf": (
        "include conf.d/*.conf\ntemplates {\n conn {\n  version = 2\n  dpd_delay = 11s\n"
        "  rekey_time = 3h\n  vips =\n"
        "  local {\n   certs = own.der\n   id = LOCAL\n  }\n }\n}\n"
        "ids : templates.conn {\n remote_addrs = 127.0.0.2\n rekey_time = 2h\n"
        " remote {\n  id = REMOTE\n }\n}\n"
    ),
    "conf.d/1.conf": (
        "connections {\n net : ids, late {\n  rekey_time =\n  dpd_delay = 12s\n"
        "  children {\n   net : child {\n    mode = transport\n   }\n  }\n }\n}\n"
    ),
    "conf.d/2.conf": "include parts/more.conf\nconnections {\n net {\n  dpd_delay = 13s\n }\n}\n",
    "conf.d/parts/more.conf": (
        "late {\n dpd_delay = 14s\n encap = yes\n local_addrs = 127.0.0.1\n}\n"
        "child {\n reqid = 1\n mode = tunnel\n esp_proposals = AES256-SHA512\n rekey_time = 1h\n}\n"
    ),
}
"""A connection in pieces; what counts is not always what is read last."""


def test_files_in_parts_mean_what_they_mean_to_swanctl(
    swanctl: Swanctl, nodes: list[Node], daemons: Daemons
) -> None:
    local, remote = trusted.identity("alice"), trusted.identity("bob")
    (nodes[0].folder / "conf.d" / "parts").mkdir(parents=True)
    for name, text in PARTS.items():
        own = text.replace("LOCAL", local).replace("REMOTE", remote)
        (nodes[0].folder / name).write_text(own)
    reload(nodes[0], daemons[0], "the configuration was read again")
    ours = swanctl("--list-conns")
    assert "net: IKEv2, no reauthentication, rekeying every 14400s, dpd delay 13s" in ours
    assert "successfully loaded 1 connections" in swanctl(
        "--load-conns", "--file", str(nodes[0].folder / "swanctl.conf")
    )
    assert swanctl("--list-conns") == ours


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--log", "[IKE] initiating IKE_SA net["),
        ("--monitor-sa", "ESTABLISHED, IKEv2"),
    ],
)
def test_listening(
    swanctl: Swanctl, nodes: list[Node], tmp_path: Path, option: str, line: str
) -> None:
    heard = tmp_path / "heard"
    with heard.open("wb") as out:
        listener = subprocess.Popen(
            ["stdbuf", "-oL", "swanctl", option, *at(nodes[0])], stdout=out, stderr=out
        )

    def is_heard() -> bool:
        """Sooner or later; nobody says when swanctl has begun to listen."""
        swanctl("--initiate", "--child", "net")
        swanctl("--terminate", "--ike", "net")
        return line in heard.read_text()

    try:
        wait_for(is_heard)
    finally:
        listener.kill()
        listener.wait()
