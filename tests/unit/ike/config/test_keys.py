# SPDX-License-Identifier: GPL-2.0-or-later
"""Every setting is read: a value that makes no sense is refused with its line."""

from pathlib import Path

import pytest

from ike.config import swanctl
from ike.config.swanctl import load
from ike.errors import ConfigError
from tests.unit.ike.config.test_config import CONFIG, folder, write

__all__ = ["folder"]

BEGIN = {
    "connection": "conn1 {\n    version",
    "local": "local {",
    "remote": "remote {",
    "child": "conn1 {\n        reqid",
}
"""How the section of each kind begins in `CONFIG`."""
KEYS = [
    (kind, key)
    for kind in BEGIN
    for key in sorted(swanctl._KNOWN[kind][0] | swanctl._FIXED[kind].keys())
]


def with_setting(kind: str, key: str, value: str) -> str:
    """`CONFIG` with a setting in place of, or beside, those that there are."""
    begin, _, rest = BEGIN[kind].partition("{")
    before, _, after = CONFIG.partition(BEGIN[kind])
    kept = (rest + after).split("\n")
    for number, line in enumerate(kept):
        if line.strip().startswith(f"{key} = "):
            kept[number] = "}" * line.endswith("}")
            break
    if key == "auth":
        kept[0] = kept[0].replace("auth = pubkey", "")
    return f"{before}{begin}{{\n{key} = {value}\n" + "\n".join(kept)


@pytest.mark.parametrize(("kind", "key"), [key for key in KEYS if key[1] != "id"])
def test_each_setting_is_read(folder: Path, kind: str, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"({key}: |{key} = banana|banana: No such file)"):
        load(write(folder, with_setting(kind, key, "banana")))


@pytest.mark.parametrize("side", ["local", "remote"])
def test_identities_are_read(folder: Path, side: str) -> None:
    (connection,) = load(write(folder, with_setting(side, "id", "banana.example"))).connections
    assert str(getattr(connection, f"{side}_id")) == "banana.example"


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind in BEGIN for key in swanctl._FIXED[kind]]
)
def test_settings_with_one_meaning(folder: Path, kind: str, key: str) -> None:
    for value in swanctl._FIXED[kind][key][0]:
        for spelled in (value, value.upper()):
            load(write(folder, with_setting(kind, key, f'"{spelled}"')))


@pytest.mark.parametrize("key", ["fragmentation", "encap"])
@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("yes", "true", "enabled", "1", "Yes", "TRUE"), True),
        (("no", "false", "disabled", "0", "No", "FALSE"), False),
    ],
)
def test_switches(folder: Path, key: str, words: tuple[str, ...], meant: bool) -> None:
    for word in words:
        (connection,) = load(write(folder, with_setting("connection", key, word))).connections
        assert getattr(connection, key) is meant


@pytest.mark.parametrize("key", ["vips", "pools", "rekey_time", "over_time", "encap", "proposals"])
def test_a_setting_that_is_cleared_has_its_default(folder: Path, key: str) -> None:
    (cleared,) = load(write(folder, with_setting("connection", key, ""))).connections
    (left_out,) = load(
        write(folder, with_setting("connection", key, "").replace(f"{key} = \n", ""))
    ).connections
    assert cleared == left_out


def test_a_name_that_is_cleared_is_checked_all_the_same(folder: Path) -> None:
    with pytest.raises(ConfigError, match="3: vesrion is not supported in conn1"):
        load(write(folder, CONFIG.replace("version = 2", "vesrion =")))


@pytest.mark.parametrize("name", ["local-1", "local1", "local-cert"])
def test_the_only_round(folder: Path, name: str) -> None:
    load(write(folder, CONFIG.replace("local {", f"{name} {{")))


def test_second_rounds(folder: Path) -> None:
    second = "remote-2 {\n auth = pubkey\n }\n remote-1 {"
    with pytest.raises(ConfigError, match=r":13: remote-1: one authentication is supported"):
        load(write(folder, CONFIG.replace("remote {", second)))


def test_lifetime_of_a_child_by_its_rekey_time(folder: Path) -> None:
    text = CONFIG.replace("        life_time = 7200s\n", "").replace("6900s", "6000s")
    (child,) = load(write(folder, text)).connections[0].children
    assert (child.rekey_time, round(child.life_time)) == (6000, 6600)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("proposals = aes256-sha512-modp4096", "proposals = AES256-SHA512-PRFSHA512-MODP4096"),
        ("proposals = aes256-sha512-modp4096", "proposals = aes256-sha512-prfsha512-modp4096"),
        ("proposals = aes256-sha512-modp4096", "proposals = Aes256-Sha512-Modp4096"),
    ],
)
def test_spellings_of_proposals(folder: Path, before: str, after: str) -> None:
    expected = load(write(folder)).connections
    assert load(write(folder, CONFIG.replace(before, after, 1))).connections == expected


def test_default_proposals(folder: Path) -> None:
    text = CONFIG
    for key in ("    proposals", "        esp_proposals"):
        text = text.replace(f"{key} = aes256-sha512-modp4096\n", "")
    (left_out,) = load(write(folder, text)).connections
    default = CONFIG.replace("aes256-sha512-modp4096", "default")
    (named,) = load(write(folder, default)).connections
    assert left_out == named
    assert named.proposals
    assert named.children[0].proposals


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("secrets {\n private {\n }\n}\n", "1: secrets: private keys are given with -k"),
        ("pools {\n a {\n addrs = 10.0.0.0/24\n }\n}\n", "1: pools: there are no virtual"),
        ("authorities {\n a {\n file = x\n }\n}\n", "3: file is not supported in a"),
        ("authorities {\n a {\n cacert = no.der\n }\n}\n", "x509ca/no.der: No such file"),
        (
            "authorities {\n a {\n cacert = ../x509/aliceCert.der\n }\n}\n",
            "3: cacert: .*not among",
        ),
        ("templates {\n x = 1\n}\n", "1: section templates is not supported here"),
    ],
)
def test_other_sections(folder: Path, text: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        load(write(folder, text + CONFIG))


def test_sections_that_do_no_harm(folder: Path) -> None:
    text = "secrets {\n}\npools {\n}\nauthorities {\n root {\n cacert = ca.der\n }\n}\n"
    assert load(write(folder, text + CONFIG)).connections == load(write(folder)).connections


def test_a_configuration_in_parts(folder: Path) -> None:
    expected = load(write(folder)).connections
    (folder / "conf.d").mkdir()
    child = CONFIG.partition("children {\n      conn1 {\n")[2].partition("      }\n")[0]
    (folder / "conf.d" / "office.conf").write_text(
        "connections {\n conn1 : common {\n  remote_addrs = 192.168.0.2\n"
        "  remote {\n   id = bob@strongswan.org\n  }\n"
        "  children {\n   conn1 : child {\n   }\n  }\n }\n}\n"
        f"child {{\n{child}}}\n"
    )
    text = (
        "include conf.d/*.conf\n"
        "common {\n version = 2\n local_addrs = 192.168.0.1\n proposals = aes256-sha512-modp4096\n"
        " local {\n  auth = pubkey\n  certs = aliceCert.der\n  id = alice@strongswan.org\n }\n}\n"
    )
    assert load(write(folder, text)).connections == expected


def test_errors_name_the_included_file(folder: Path) -> None:
    (folder / "more.conf").write_text("connections {\n conn1 {\n  mobike = banana\n }\n}\n")
    with pytest.raises(ConfigError, match=r"more.conf:3: mobike: 'banana' is not supported, only"):
        load(write(folder, CONFIG + "include more.conf\n"))
