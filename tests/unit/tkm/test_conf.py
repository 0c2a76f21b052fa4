# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm.conf and swanctl.conf: what is written is read back; what is not known is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tests.unit.tkm.configs import configs, tunnel
from tests.unit.trusted import config_of
from tkm.config import conf
from tkm.config.policy import Lifetime, Proposals, faults
from tkm.errors import ConfigError
from tkm_cfgtool import ipsec, swanctl

TUNNEL = conf.render(tunnel())


@settings(max_examples=80, deadline=None)
@given(config=configs())
def test_what_is_written_is_read_back(config: Any) -> None:
    assert faults(config) == []
    text = conf.render(config)
    assert conf.parse(text) == config
    assert text.isascii()


def test_it_reads_well() -> None:
    assert (
        TUNNEL
        == """\
# What this host's Trusted Key Manager allows. Written by tkm_cfgtool.

version = 1

[[local_identity]]
id = 1
identity = "alice@example.org"
certificate = "certs/aliceCert.pem"

[[policy]]
id = 7
mode = "tunnel"
[policy.local]
identity_id = 1
ip = "192.168.0.1"
net = "10.1.0.0/16"
[policy.remote]
identity = "gw.example.org"
ip = "192.168.0.2"
net = "10.2.0.0/16"
[policy.lifetime]
soft = 30
hard = 60
"""
    )


BAD = [
    ("version = 1", "", "version None is unknown, this program reads 1"),
    ("version = 1", "version = 2", "version 2 is unknown"),
    ("version = 1", 'version = "1"', "version '1' is unknown"),
    ("version = 1", "version = true", "version is not of type int"),
    ("version = 1", "version = 1\nolder = 1", "unknown key older"),
    ("[[local_identity]]", "[[local_identities]]", "unknown key local_identities"),
    ("id = 1\n", "id = 1\nname = 1\n", "local_identity 1: unknown key name"),
    ("id = 1\n", "", "local_identity 1: id is missing"),
    ("id = 1\n", "id = true\n", "local_identity 1: id is not of type int"),
    ("id = 1\n", "id = 1.0\n", "local_identity 1: id is not of type int"),
    ("id = 1\n", "id = 0\n", "local identity 0: id is not 1 or more"),
    ('"alice@example.org"', '""', "local identity 1: '' is not an identity of type FQDN"),
    ('"alice@example.org"', "7", "local_identity 1: identity is not of type str"),
    ('"certs/aliceCert.pem"', '"a b"', "local identity 1: 'a b' is no file name"),
    ("id = 7", "id = 4294967296", "policy 4294967296: id is not in 1 to 4294967295"),
    ('"tunnel"', '"beet"', "policy 1: mode: 'beet' is not a valid Mode"),
    ('"tunnel"', '"transport"', "policy 7: net needs mode tunnel"),
    ("identity_id = 1", "identity_id = 3", "policy 7: there is no local identity 3"),
    ("identity_id = 1", "identity_id = 1\nport = 5", "policy 1, local: unknown key port"),
    ('"192.168.0.1"', '"192.168.0.1/24"', "policy 1, local: ip: '192.168.0.1/24' does not appear"),
    ('"10.1.0.0/16"', '"10.1.0.1/16"', "policy 1, local: net: 10.1.0.1/16 has host bits set"),
    ('"10.1.0.0/16"', "16", "policy 1, local: net is not of type str"),
    ('"gw.example.org"', '"gw\\n"', "policy 7: 'gw\\n' is not an identity of type FQDN"),
    ("soft = 30", "soft = -1", "policy 7: a lifetime is not 0 to 4294967295 seconds"),
    ("soft = 30", "soft = 61", "policy 7: soft lifetime 61 is not below hard lifetime 60 seconds"),
    ("hard = 60", "hard = 9999999999", "policy 7: a lifetime is not 0 to 4294967295 seconds"),
    ("hard = 60", "", "policy 1, lifetime: hard is missing"),
    ("hard = 60", "hard = 60\nhard = 60", "Cannot overwrite a value"),
    ("hard = 60", "hard = 60\nsoft_bytes = 5\nhard_bytes = 5", "hard lifetime 5 bytes"),
    ("hard = 60", "hard = 60\nhard_packets = -1", "a lifetime is not 0 to"),
    ("hard = 60", "hard = 60\n[policy.proposals]\nike = 5", "ike is not of type str"),
    (
        "hard = 60",
        'hard = 60\n[policy.proposals]\nike = "des-md5-modp768"',
        "'des' is not supported",
    ),
    ("hard = 60", 'hard = 60\n[policy.proposals]\nesp = "null"', "'null' is not supported"),
    ("[policy.lifetime]", "[policy.life]", "policy 1: unknown key life"),
    ("[[policy]]", "policy = 5\n[x]", "unknown key x"),
]


@pytest.mark.parametrize(("place", "instead", "reason"), BAD)
def test_it_is_strict(place: Any, instead: Any, reason: Any) -> None:
    assert place in TUNNEL
    with pytest.raises(ConfigError) as caught:
        conf.parse(TUNNEL.replace(place, instead, 1))
    assert reason in str(caught.value)


@pytest.mark.parametrize("text", ["version = 1\nlocal_identity = [1]\npolicy = []", "a", "= ="])
def test_what_is_no_configuration(text: str) -> None:
    with pytest.raises(ConfigError):
        conf.parse(text)


@pytest.mark.parametrize("table", ["local_identity", "policy"])
def test_an_id_is_used_once(table: str) -> None:
    start = TUNNEL.index(f"[[{table}]]")
    end = TUNNEL.index("[[policy]]") if table == "local_identity" else len(TUNNEL)
    with pytest.raises(ConfigError, match="an id is used twice"):
        conf.parse(TUNNEL + TUNNEL[start:end])


def test_loading(tmp_path: Path) -> None:
    file = tmp_path / "tkm.conf"
    with pytest.raises(ConfigError, match=f"^{file}: No such file"):
        conf.load(file)
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=f"^{file}: it is not UTF-8"):
        conf.load(file)
    file.write_text("version = 3")
    with pytest.raises(ConfigError, match=f"^{file}: version 3 is unknown"):
        conf.load(file)
    file.write_text(TUNNEL)
    assert conf.load(file) == tunnel()


def test_swanctl_in_transport_mode() -> None:
    assert (
        swanctl.render(config_of("alice"))
        == """\
# Written by tkm_cfgtool.

connections {
  conn1 {
    version = 2
    local_addrs = 192.168.0.1
    remote_addrs = 192.168.0.2
    proposals = aes256-sha512-modp4096,aes256-sha512-modp3072
    local {
      auth = pubkey
      certs = aliceCert.pem
      id = alice@tkm-lab.test
    }
    remote {
      auth = pubkey
      id = bob@tkm-lab.test
    }
    children {
      conn1 {
        reqid = 1
        mode = transport
        esp_proposals = aes256-sha512-modp4096-esn-noesn,aes256-sha512-modp3072-esn-noesn
        start_action = trap
        rekey_time = 30s
        life_time = 60s
      }
    }
  }
}
"""
    )


def test_swanctl_in_tunnel_mode() -> None:
    lines = [line.strip() for line in swanctl.render(tunnel()).splitlines()]
    for line in (
        "conn7 {",
        "certs = aliceCert.pem",
        "id = gw.example.org",
        "reqid = 7",
        "mode = tunnel",
        "local_ts = 10.1.0.0/16",
        "remote_ts = 10.2.0.0/16",
    ):
        assert line in lines


def test_ipsec_conf() -> None:
    config = tunnel()
    lifetime = Lifetime(30, 60, 0, 1000, 5, 0)
    config.policies[7] = dataclasses.replace(config.policies[7], lifetime=lifetime)
    assert (
        ipsec.render(config)
        == """\
# Written by tkm_cfgtool.

conn %default
    keyexchange=ikev2

conn conn7
    reqid=7
    left=192.168.0.1
    leftid=alice@example.org
    leftcert=aliceCert.pem
    leftsubnet=10.1.0.0/16
    right=192.168.0.2
    rightid=gw.example.org
    rightsubnet=10.2.0.0/16
    lifetime=60
    margintime=30
    lifebytes=1000
    type=tunnel
    ike=aes256-sha512-modp4096,aes256-sha512-modp3072!
    esp=aes256-sha512-modp4096,aes256-sha512-modp3072!
    auto=route
"""
    )


def test_proposals_and_lifetimes_of_a_policys_own() -> None:
    config = config_of("alice")
    config.policies[1] = dataclasses.replace(
        config.policies[1],
        lifetime=Lifetime(30, 60, 7, 8, 0, 9),
        proposals=Proposals("aes256-sha512-modp3072-ke1_modp4096", "aes256-sha512"),
    )
    lines = [line.strip() for line in swanctl.render(config).splitlines()]
    for line in (
        "proposals = aes256-sha512-modp3072-ke1_modp4096",
        "esp_proposals = aes256-sha512",
        "rekey_time = 30s",
        "rekey_bytes = 7",
        "life_bytes = 8",
        "life_packets = 9",
    ):
        assert line in lines
    assert not any(line.startswith("rekey_packets") for line in lines)
    assert "ike=aes256-sha512-modp3072-ke1_modp4096!" in ipsec.render(config)


@settings(max_examples=50, deadline=None)
@given(config=configs())
def test_no_name_breaks_out_of_its_line(config: Any) -> None:
    text = swanctl.render(config)
    assert text.count("{") == text.count("}") == 1 + 5 * len(config.policies)
    assert text.count("reqid = ") == len(config.policies)
    assert "#" not in text[2:]
    text = ipsec.render(config)
    assert all(
        line.startswith(("conn ", "    ")) and line.count("=") == (line[0] == " ")
        for line in text.splitlines()[1:]
        if line
    )
