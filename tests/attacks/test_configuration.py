# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations that are hostile, absurd, or that others could have changed."""

import os
import random
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tkm.configs import tunnel
from tests.unit.tkm.keymanager_files import OWN, key_der
from tests.unit.trusted import config_of, pki
from tkm.config import conf, files
from tkm.config.keys import load_ca, load_private_key
from tkm.config.policy import Config, Lifetime, Local, LocalIdentity, Mode, faults, warnings
from tkm.errors import ConfigError
from tkm_cfgtool import main, xml

TUNNEL = conf.render(tunnel())
EXAMPLE = (Path(main.__file__).parent / "example.xml").read_bytes()
XML = (
    b'<tkmconfig><local_identity id="1"><identity>a@x</identity><certificate>%s</certificate>'
    b"</local_identity></tkmconfig>"
)
HOSTILE_XML = {
    "utf-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-tkmconfig/+AD4-',
    "an encoding that python has": b'<?xml version="1.0" encoding="idna"?><tkmconfig/>',
    "an encoding that is none": b'<?xml version="1.0" encoding="rot13"?><tkmconfig/>',
    "an encoding that nobody has": b'<?xml version="1.0" encoding="x-none"?><tkmconfig/>',
    "a shift encoding": b'<?xml version="1.0" encoding="shift_jis"?><tkmconfig/>',
    "nul": XML % b"a\0b",
    "only nul": bytes(1000),
    "nothing": b"",
    "deep": b"<a>" * 100_000,
    "open": b"<tkmconfig>",
    "a number of 5,000 digits": XML.replace(b'"1"', b'"%s"' % (b"9" * 5000)),
    "digits of another script": XML.replace(b'"1"', '"\u0661"'.encode()),
    "too long": b"<tkmconfig>" + b" " * files.LONGEST + b"</tkmconfig>",
    "a bomb": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "not utf-8": b"<tkmconfig>\xff</tkmconfig>",
    "half of utf-16": b"\xff\xfe<\0t",
    "a line feed in a name": XML % b"a\nb",
}
HOSTILE_CONF = {
    "brackets": b"a = " + b"[" * 100_000,
    "tables": b"a = " + b"{a=" * 100_000,
    "a number of 5,000 digits": b"version = " + b"9" * 5000,
    "a hexadecimal number of 5,000 digits": b"version = 0x" + b"f" * 5000,
    "a long id": TUNNEL.replace("id = 7", f"id = 0x{'f' * 5000}").encode(),
    "a long lifetime": TUNNEL.replace("soft = 30", f"soft = {1 << 64}").encode(),
    "nul": TUNNEL.encode() + b"\0",
    "an escaped nul": TUNNEL.replace("gw.example.org", "gw\\u0000").encode(),
    "not utf-8": b"\xff\xfe",
    "a line feed in a key": TUNNEL.encode() + b'\n"a\\nb" = 1\n',
    "a key of a megabyte": b'"' + b"k" * 900_000 + b'" = 1\nversion = 1\n',
    "too long": b"#" * (files.LONGEST + 1),
    "an absurd date": b"version = 9999-99-99",
    "a date": b"version = 2020-01-01",
    "a time in a policy": TUNNEL.replace("id = 7", "id = 07:32:00").encode(),
    "infinity": b"version = inf",
}


def told(error: ConfigError) -> None:
    """One line, of a bearable length."""
    assert str(error).isprintable()
    assert 0 < len(str(error)) < 1200


@pytest.mark.parametrize("octets", HOSTILE_XML.values(), ids=HOSTILE_XML)
def test_hostile_xml(octets: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.xml"
    file.write_bytes(octets)
    out = [str(tmp_path / name) for name in ("ike", "tkm")]
    assert main.main(["-c", str(file), "-i", out[0], "-t", out[1]]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("tkm_cfgtool: ")
    assert captured.err.count("\n") == 1
    assert not any(map(Path.exists, map(Path, out)))


@pytest.mark.parametrize("octets", HOSTILE_CONF.values(), ids=HOSTILE_CONF)
def test_hostile_conf(octets: Any, tmp_path: Path) -> None:
    file = tmp_path / "tkm.conf"
    file.write_bytes(octets)
    with pytest.raises(ConfigError) as caught:
        conf.load(file)
    told(caught.value)


@pytest.mark.parametrize("seed", range(3))
def test_forged_configurations(seed: int, tmp_path: Path) -> None:
    chance, file = random.Random(seed), tmp_path / "tkm.conf"
    readers = ((EXAMPLE, xml.read), (TUNNEL.encode(), None))
    for _ in range(300):
        for octets, read in readers:
            forged = forge(chance, octets)
            try:
                if read:
                    read(forged)
                else:
                    file.write_bytes(forged)
                    conf.load(file)
            except ConfigError as error:
                told(error)


def forge(chance: random.Random, octets: bytes) -> bytes:
    forged = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(forged))
        piece = chance.choice(
            [b"", chance.randbytes(3), b"[" * 3000, b"9" * 5000, b"\0", b"<a>" * 50, b"{x=" * 2000]
        )
        forged[at : at + chance.choice([0, 1, 20])] = piece
    return bytes(forged)


def alice(**changes: Any) -> list[str]:
    """Faults of alice's configuration with these parts of its policy changed."""
    config = config_of("alice")
    policy = config.policies[1]
    for name, value in changes.items():
        part, _, field = name.partition("__")
        inside = replace(getattr(policy, part), **{field: value}) if field else value
        policy = replace(policy, **{part: inside})
    return faults(replace(config, policies={1: policy}))


@pytest.mark.parametrize(
    ("identity", "good"),
    [
        *((each, False) for each in ("@", "a@", "@@a", "..", ".", "a.", ".a", "a..b", "a@b..c")),
        *((each, False) for each in ("a@.b", "a@b.", "a@b@c", ".a@b", "a.@b", "a..b@c", "", "a b")),
        *((each, True) for each in ("a", "a.b", "a@b", "@a", "a.b@c.d", "a+b/c@d-e.f", "a_b.c")),
    ],
)
def test_identities(identity: Any, good: Any) -> None:
    found = [*alice(remote__identity=identity)]
    found += faults(Config({1: LocalIdentity(1, identity, "c.pem")}, {}))
    assert len(found) == (0 if good else 2)
    assert all(f"'{identity}' is not an identity of type" in fault for fault in found)


@pytest.mark.parametrize("file", [".", "..", "a/..", "a/", "/", "a/.", ""])
def test_file_names(file: str) -> None:
    (fault,) = faults(Config({1: LocalIdentity(1, "a", file)}, {}))
    assert fault == f"local identity 1: '{file}' is no file name"


@pytest.mark.parametrize("ip", ["0.0.0.0", "224.0.0.1", "239.1.2.3", "255.255.255.255"])
@pytest.mark.parametrize("end", ["local", "remote"])
def test_addresses_of_no_host(end: str, ip: str) -> None:
    assert alice(**{f"{end}__ip": ip_address(ip)}) == [
        f"policy 1: {ip} is not the address of one host"
    ]


@pytest.mark.parametrize("ip", ["::", "ff02::1", "ff0e::1"])
def test_ipv6_addresses_of_no_host(ip: str) -> None:
    ends = {"local__ip": ip_address("2001:db8::1"), "remote__ip": ip_address(ip)}
    assert alice(**ends) == [f"policy 1: {ip} is not the address of one host"]


def test_nets() -> None:
    for net, count in (("224.0.0.0/4", 1), ("239.1.0.0/16", 1), ("0.0.0.0/0", 0)):
        found = alice(mode=Mode.TUNNEL, remote__net=ip_network(net))
        assert len(found) == count
        assert all("multicast" in fault for fault in found)


@pytest.mark.parametrize("identity", ["alice@tkm-lab.test", "alice@TKM-LAB.test"])
def test_a_peer_with_our_identity(identity: str) -> None:
    assert alice(remote__identity=identity) == [
        f"policy 1: the peer's identity '{identity}' is one of ours"
    ]


def test_a_peer_with_our_address() -> None:
    assert alice(remote__ip=ip_address("192.168.0.1")) == [
        "policy 1: both ends have the same address"
    ]
    config = config_of("alice")
    other = replace(
        config.policies[1],
        id=2,
        local=Local(1, ip_address("192.168.0.9")),
        remote=replace(config.policies[1].remote, ip=ip_address("192.168.0.1")),
    )
    found = faults(replace(config, policies={1: config.policies[1], 2: other}))
    assert found == [
        "policy 2: the peer's address 192.168.0.1 is an address of ours in another policy"
    ]


@pytest.mark.parametrize(
    ("offer", "good"),
    [
        ("aes256-sha512-modp4096-ke1_modp4096", False),
        ("aes256-sha512-modp3072-ke1_modp4096-ke2_modp3072", False),
        ("aes256-sha512-modp3072,aes256-sha512-modp4096-ke1_modp4096", False),
        ("aes256-sha512-modp3072-ke1_modp4096", True),
        ("aes256-sha512-modp3072,aes256-sha512-modp3072-ke1_modp4096", True),
    ],
)
def test_one_group_twice(offer: str, good: bool) -> None:
    for kind in ("ike", "esp"):
        found = alice(**{f"proposals__{kind}": offer})
        assert (found == []) is good
        assert all("has one group twice" in fault for fault in found)


def test_lifetimes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for soft, hard, words in (
        (0, 0, "its keys are used for ever"),
        (5, 0, "its keys are used for ever"),
        (0, 9, "nothing takes the place of a Child SA before it ends"),
    ):
        config = config_of("alice")
        config.policies[1] = replace(config.policies[1], lifetime=Lifetime(soft, hard))
        (doubt,) = warnings(config)
        assert words in doubt
        (tmp_path / "tkm.conf").write_text(conf.render(config))
        caplog.clear()
        conf.load(tmp_path / "tkm.conf")
        assert doubt in caplog.text
    assert warnings(config_of("alice")) == []
    for soft, hard in ((5, 5), (6, 5)):
        assert "is not below hard" in alice(lifetime=Lifetime(soft, hard))[0]
    assert "authentication" in alice(lifetime=Lifetime(1, 2, authentication=1 << 32))[0]


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """Files of a TKM in a folder of their own."""
    made = tmp_path / "etc"
    made.mkdir(mode=0o755)
    (made / "tkm.conf").write_text(TUNNEL)
    (made / "ca.der").write_bytes(pki().ca.root.certificate.der)
    key = made / "key.der"
    key.touch(OWN)
    key.write_bytes(key_der(pki().keys["alice"]))
    return made


LOADS = {"tkm.conf": conf.load, "ca.der": load_ca, "key.der": load_private_key}
NAMES = pytest.mark.parametrize("name", LOADS)


@NAMES
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_folder_that_others_may_write(folder: Path, name: Any, mode: int) -> None:
    LOADS[name](folder / name)
    folder.chmod(mode)
    with pytest.raises(ConfigError, match=rf"'{folder}' is writable by others: chmod go-w"):
        LOADS[name](folder / name)
    folder.chmod(mode | 0o1000)
    LOADS[name](folder / name)


@pytest.mark.parametrize("name", ["tkm.conf", "ca.der"])
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    with pytest.raises(ConfigError, match=rf"{name}' is writable by others: chmod go-w"):
        LOADS[name](folder / name)


@NAMES
@pytest.mark.parametrize("where", ["", "file"])
def test_an_owner_who_is_neither_root_nor_us(
    folder: Path, name: Any, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder / name if where else folder
    real = Path.stat

    def stat(self: Path, **options: bool) -> object:
        found = real(self, **options)
        return _Owned(found) if self == place else found

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(ConfigError, match=rf"'{place}' belongs to user 1234, .*: chown \d+ "):
        LOADS[name](folder / name)


class _Owned:
    """A file's status with another owner, whom only root could give it."""

    st_uid = 1234

    def __init__(self, status: os.stat_result) -> None:
        self.st_mode = status.st_mode


@NAMES
def test_a_link_is_followed_and_its_own_folder_counts_too(
    folder: Path, name: Any, tmp_path: Path
) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    link = open_folder / name
    link.symlink_to(folder / name)
    with pytest.raises(ConfigError, match=rf"'{open_folder}' is writable"):
        LOADS[name](link)
    open_folder.chmod(0o755)
    LOADS[name](link)
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match=rf"'{folder}' is writable"):
        LOADS[name](link)
