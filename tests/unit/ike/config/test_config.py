# SPDX-License-Identifier: GPL-2.0-or-later
"""swanctl.conf: what tkm_cfgtool writes is understood, everything else is refused with its line."""

import base64
from pathlib import Path

import pytest

from ike.address import Network
from ike.config import proposals, settings
from ike.config.model import Mode
from ike.config.swanctl import load
from ike.errors import ConfigError
from ike.identity import Identity
from ike.message.numbers import Protocol
from ike.message.substructures import Transform
from lab.pki import CA
from tests.unit.trusted import pki

CONFIG = """\
connections {
  conn1 {
    version = 2
    local_addrs = 192.168.0.1
    remote_addrs = 192.168.0.2
    proposals = aes256-sha512-modp4096
    local { auth = pubkey
      certs = aliceCert.der
      id = alice@strongswan.org }
    remote { auth = pubkey
      id = bob@strongswan.org }
    children {
      conn1 {
        reqid = 1
        mode = transport
        esp_proposals = aes256-sha512-modp4096
        start_action = trap
        life_time = 7200s
        rekey_time = 6900s
      }
    }
  }
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, file, octets in (
        ("x509", "aliceCert.der", pki().certificates["alice"]),
        ("x509ca", "ca.der", pki().ca.root.certificate.der),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(octets)
    return tmp_path


def write(folder: Path, text: str = CONFIG) -> Path:
    path = folder / "swanctl.conf"
    path.write_text(text)
    return path


def test_what_cfgtool_writes(folder: Path) -> None:
    configuration = load(write(folder))
    (connection,) = configuration.connections
    assert connection.name == "conn1"
    assert connection.local_addrs == ("192.168.0.1",)
    assert connection.remote_addrs == ("192.168.0.2",)
    assert connection.local_id == Identity(3, b"alice@strongswan.org")
    assert connection.remote_id == Identity(3, b"bob@strongswan.org")
    assert connection.certificates[0].der == pki().certificates["alice"]
    assert proposals.groups(connection.proposals[0]) == [16]
    (child,) = connection.children
    assert (child.name, child.reqid, child.mode) == ("conn1", 1, Mode.TRANSPORT)
    assert child.start_action == "trap"
    assert connection.fragmentation
    assert (child.local_ts, child.remote_ts) == (None, None)
    (authority,) = configuration.authorities
    assert (authority.number, authority.certificate.der) == (1, pki().ca.root.certificate.der)
    assert configuration.child(1) == (connection, child)
    assert configuration.child(2) is None


def test_options(folder: Path) -> None:
    options = "rekey_time = 2h\ndpd_delay = 30\nfragmentation = no"
    text = CONFIG.replace("version = 2", f"version = 2\n{options}")
    text = text.replace("mode = transport", "mode = tunnel\nlocal_ts = 10.1.0.0/16, 10.2.0.1")
    (connection,) = load(write(folder, text)).connections
    assert (connection.rekey_time, connection.dpd_delay) == (7200.0, 30.0)
    assert not connection.fragmentation
    networks = (
        Network(bytes((10, 1, 0, 0)), bytes((10, 1, 255, 255))),
        Network(bytes((10, 2, 0, 1)), bytes((10, 2, 0, 1))),
    )
    assert connection.children[0].local_ts == networks


@pytest.mark.parametrize(
    ("options", "times"),
    [
        ("", (14400.0, 0.0, None, None)),
        ("reauth_time = 3h", (0.0, 10800.0, None, None)),
        ("reauth_time = 3h\nrekey_time = 1h", (3600.0, 10800.0, None, None)),
        ("rekey_time = 0\nover_time = 1m\nrand_time = 5", (0.0, 0.0, 60.0, 5.0)),
    ],
)
def test_lifetimes(folder: Path, options: str, times: tuple[float | None, ...]) -> None:
    text = CONFIG.replace("version = 2", f"version = 2\n{options}")
    (connection,) = load(write(folder, text)).connections
    found = (
        connection.rekey_time,
        connection.reauth_time,
        connection.over_time,
        connection.rand_time,
    )
    assert found == times
    (child,) = connection.children
    assert (child.rekey_time, child.life_time) == (6900.0, 7200.0)


@pytest.mark.parametrize(("word", "meant"), [("trap", "trap"), ("clear", "none"), ("none", "none")])
def test_actions_that_the_policies_take_anyway(folder: Path, word: str, meant: str) -> None:
    text = CONFIG.replace("reqid = 1", f"reqid = 1\ndpd_action = {word}\nclose_action = {word}")
    (child,) = load(write(folder, text)).connections[0].children
    assert (child.dpd_action, child.close_action) == (meant, meant)


def test_intermediate_cas_are_sent_along(folder: Path) -> None:
    research = pki().ca.root.create_child_ca("research", key=pki().ca.key.rsa)
    branch = research.create_child_ca("branch", key=pki().ca.key.rsa)
    own = branch.issue_cert("alice@strongswan.org", key=pki().keys["alice"])
    other = pki().ca.root.create_child_ca("sales", key=pki().ca.key.rsa)
    (folder / "x509" / "aliceCert.der").write_bytes(own.certificate.der)
    for name, ca in {"a": research, "b": branch, "c": other}.items():
        (folder / "x509ca" / f"{name}.der").write_bytes(ca.certificate.der)
    configuration = load(write(folder), [(folder / "x509ca" / "ca.der", 1)])
    sent = [certificate.der for certificate in configuration.connections[0].certificates]
    assert sent == [own.certificate.der, *(certificate.der for certificate in own.chain)]
    assert len(sent) == 3


def test_certificates_as_pem_and_numbered_authorities(folder: Path) -> None:
    own = folder / "x509" / "aliceCert.der"
    body = base64.encodebytes(own.read_bytes()).decode()
    own.write_text(f"text\n-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
    configuration = load(write(folder), [(folder / "x509ca" / "ca.der", 7)])
    assert configuration.connections[0].certificates[0].der == pki().certificates["alice"]
    assert configuration.authorities[0].number == 7


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("version = 2", "version = 1", "3: version: '1' is not supported"),
        ("version = 2", "vesrion = 2", "3: vesrion is not supported in conn1"),
        ("version = 2", "version = 2\n version = 2", "4: version is there twice"),
        ("192.168.0.1", "alice", "4: local_addrs: alice: not an address"),
        ("remote_addrs = 192.168.0.2\n", "\n", "2: conn1 has no remote_addrs"),
        ("aes256-sha512-modp4096", "aes192-sha512-modp4096", "6: proposals: .*'aes192'"),
        ("aes256-sha512-modp4096\n", "aes256-sha512\n", "6: proposals: .*type KE"),
        ("auth = pubkey", "auth = psk", "7: auth: 'psk' is not supported"),
        ("aliceCert.der", "nobody.der", "nobody.der: No such file"),
        ("reqid = 1", "reqid = 4294967296", "14: reqid: '4294967296' is not 1 to 4294967295"),
        ("reqid = 1", "reqid = x", "14: reqid: 'x' is not 1 to 4294967295"),
        ("mode = transport", "mode = beet", "15: mode: 'beet' is not supported"),
        ("version = 2", "unique = replace", "3: unique: 'replace' is not supported, only no"),
        (
            "reqid = 1",
            "reqid = 1\n dpd_action = restart",
            "15: dpd_action: 'restart' is not supported",
        ),
        ("version = 2", "fragmentation = force", "3: fragmentation: 'force' is not supported"),
        ("version = 2", "dpd_delay = soon", "3: dpd_delay: 'soon' is not a time"),
        ("mode = transport", "local_ts = 10.0.0.1/8", "15: local_ts: .*bits after"),
        ("mode = transport", "local_ts = 10.0.0.0/33", "15: local_ts: .*33 bits"),
        ("children {", "kids {", "12: section kids is not supported"),
        ("remote { auth = pubkey\n      id = bob@strongswan.org }", "", "2: conn1 has no section"),
        ("version = 2", "{", "3: a key or a section expected"),
        ("version = 2", "version", "3: '=' or '{' expected after version"),
        ("192.168.0.1", "fe80::1%eth0", r"4: local_addrs: .*not an address without a zone"),
        ("bob@", "b" * 250 + "@", "11: id: an identity of 265 octets is longer"),
        ("alice@strongswan.org", '""', "9: id: '' is not an identity of type FQDN"),
        ("mode = transport", f"local_ts = {','.join(['10.0.0.1'] * 256)}", "256 are too many"),
        ("-modp4096", "-modp4096" * 2, "6: proposals: .*an algorithm is there twice"),
        ("version = 2", "version = {", "3: '{' cannot be in a value"),
        ("version = 2", 'version = "2', '3: " is not understood'),
    ],
)
def test_refused_with_its_line(folder: Path, before: str, after: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load(write(folder, CONFIG.replace(before, after, 1)))


def padded(der: bytes, length: int) -> bytes:
    """A certificate of that many octets more: something follows in its outer sequence."""
    filler = b"\x04\x84" + length.to_bytes(4) + bytes(length)
    inner = der[4:] + filler
    return b"\x30\x84" + len(inner).to_bytes(4) + inner


@pytest.mark.parametrize(("length", "fits"), [(50_000, True), (60_000, False), (1 << 20, False)])
def test_certificates_that_no_message_has_room_for(folder: Path, length: int, fits: bool) -> None:
    path = folder / "x509" / "aliceCert.der"
    path.write_bytes(padded(path.read_bytes(), length))
    if fits:
        load(write(folder))
        return
    with pytest.raises(ConfigError, match=r":7: certs: \d+ octets do not fit an IKE message"):
        load(write(folder))


def test_section_that_is_not_closed(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"swanctl.conf:23: section connections is not closed"):
        load(write(folder, CONFIG.rstrip()[:-1]))


def test_reqid_that_is_used_twice(folder: Path) -> None:
    twice = CONFIG.replace("conn1 {\n    version", "conn0 {\n    version")
    text = twice.rstrip()[:-1] + CONFIG.partition("\n")[2]
    with pytest.raises(ConfigError, match=r"conn0\.conn1 and conn1\.conn1 share reqid 1"):
        load(write(folder, text))


def test_several_authorities_need_numbers(folder: Path) -> None:
    other = CA("other", key=pki().ca.key.rsa)
    (folder / "x509ca" / "other.der").write_bytes(other.certificate.der)
    with pytest.raises(ConfigError, match="2 CA certificates; list those of the TKM with -r"):
        load(write(folder))


def test_file_that_is_no_certificate(folder: Path) -> None:
    (folder / "x509" / "aliceCert.der").write_bytes(b"\x30\x03\x02\x01\x01")
    with pytest.raises(ConfigError, match=r"aliceCert.der: no certificate"):
        load(write(folder))


def test_settings_syntax() -> None:
    root = settings.parse(
        'a = 1 # one\nb = "x # y\\n\\"z" c\nempty =\ns { k=v }\n# end\nt {\n  u { w = 2 }\n}\n', "f"
    )
    assert {key: entry.value for key, entry in root.values.items()} == {
        "a": "1",
        "b": 'x # y\n"z c',
        "empty": "",
    }
    assert root.values["empty"].cleared
    assert root.sections["s"].values["k"] == ("v", 4, "f", False)
    assert root.sections["t"].sections["u"].values["w"] == ("2", 7, "f", False)


def test_esp_proposals() -> None:
    aes, sha, no_esn = Transform(1, 12, 256), Transform(3, 14), Transform(5, 0)
    with_pfs, without = proposals.parse("aes256-sha512-modp3072, aes256-sha512", Protocol.ESP)
    assert with_pfs == (aes, sha, Transform(4, 15), no_esn)
    assert without == (aes, sha, no_esn)
    assert proposals.without_key_exchange(with_pfs) == without
    assert proposals.spell(with_pfs) == "AES_CBC_256/HMAC_SHA2_512_256/MODP_3072"


@pytest.mark.parametrize(
    ("words", "esn"),
    [("", [0]), ("-noesn", [0]), ("-esn", [1]), ("-esn-noesn", [1, 0]), ("-noesn-esn", [0, 1])],
)
def test_extended_sequence_numbers_in_the_order_of_preference(words: str, esn: list[int]) -> None:
    (suite,) = proposals.parse(f"aes256-sha512-modp3072{words}", Protocol.ESP)
    assert [transform.id for transform in suite if transform.kind == 5] == esn
    assert proposals.has_esn(suite) == (1 in esn)


def test_extended_sequence_numbers_are_for_esp() -> None:
    with pytest.raises(ValueError, match="'esn' is not supported"):
        proposals.parse("aes256-sha512-modp3072-esn", Protocol.IKE)


def test_udp_encapsulation(folder: Path) -> None:
    for options, encap in (("", False), ("encap = no", False), ("encap = yes", True)):
        text = CONFIG.replace("version = 2", f"version = 2\n{options}")
        (connection,) = load(write(folder, text)).connections
        assert connection.encap is encap


@pytest.mark.parametrize(("text", "kind"), [("a@b.c", 3), ("moon.strongswan.org", 2), ("Alice", 2)])
def test_identities(text: str, kind: int) -> None:
    identity = Identity.parse(text)
    assert (identity.kind, str(identity)) == (kind, text)


def test_identities_of_other_types_are_shown() -> None:
    assert str(Identity(1, bytes((10, 0, 0, 1)))) == "10.0.0.1"
    assert str(Identity(11, b"\x01")) == "@#01"
    assert str(Identity(2, b"\xff")) == "\\xff"
