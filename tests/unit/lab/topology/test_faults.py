# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with a topology is told in one line, with its place and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import UsageError
from lab.topology import Topology, TopologyError, load, parse, shipped
from tests.unit.lab.topology.test_topology import NAT, PAIR, SITES


def refusal(name: str, text: str, old: str, new: str) -> str:
    """What is said of a text after a change of it."""
    assert text.count(old) == 1, old
    with pytest.raises(TopologyError) as caught:
        parse(name, text.replace(old, new))
    assert "\n" not in str(caught.value)
    return str(caught.value)


ROUTE = 'routes = { "10.1.0.0/16" = "192.0.2.1" }'
BETWEEN = 'between = ["alice", "bob"]'


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('title = "a pair"', "", "1: title is missing"),
        ('title = "a pair"', "title = 3", "2: title must be a text"),
        ("[links.wire]", "", "1: links is missing"),
        ("[links.wire]", "[links.wire]\nspeed = 1", "4: links.wire: unknown key 'speed'"),
        ("[nodes.alice]", "[nodes.Alice]", "4: nodes.Alice: node 'Alice': a name has"),
        ('{ wire = "192.0.2.1/24" }', "{}", "5: nodes.alice: it has no address; write addresses"),
        ('wire = "192.0.2.1/24"', 'wir = "192.0.2.1/24"', "5: nodes.alice: there is no link 'wir'"),
        ('wire = "192.0.2.1/24"', "wire = 3", "an address is a text"),
        ('wire = "192.0.2.1/24"', "wire = []", "an address is a text"),
        ("192.0.2.1/24", "192.0.2.1", "no prefix length; write 192.0.2.1/24"),
        ("192.0.2.1/24", "192.0.2.300/24", "192.0.2.300"),
        ("192.0.2.1/24", "192.0.2.2/24", "7: nodes.bob: 192.0.2.2 is alice's already"),
        ("192.0.2.1/24", "192.0.2.0/24", "192.0.2.0 means all of 192.0.2.0/24; write a host's, as"),
        ("192.0.2.1/24", "192.0.2.255/24", "192.0.2.255 means all of"),
        ("192.0.2.1/24", "224.0.0.1/24", "224.0.0.1 can't be a host's"),
        ("192.0.2.2/24", "192.0.3.2/24", "is not in 192.0.2.0/24, alice's network on wire"),
        (BETWEEN, 'between = ["alice", "carol"]', "10: policies 1: there is no node 'carol'; wr"),
        (BETWEEN, 'between = ["alice"]', "between needs the names of two nodes"),
        (BETWEEN, 'between = ["alice", "alice"]', "between needs the names of two nodes"),
        (BETWEEN, 'between = ["alice", 2]', "between needs the names of two nodes"),
        ("soft = 30", "soft = 90", "11: policies 1: soft lifetime 90 s must be below hard 60 s"),
        ("soft = 30", "soft = -1", "soft lifetime -1 s"),
        ("soft = 30", 'soft = "30"', "soft must be a whole number"),
        ("lifetime =", 'mode = "pigeon"\nlifetime =', "mode 'pigeon' is unknown; write transport"),
        ("lifetime =", 'esp = "AES; x"\nlifetime =', "'AES; x' is not a proposal"),
        ("lifetime =", 'networks = { alice = "10.0.0.0/8" }\nlifetime =', "need tunnel mode"),
        ("identity =", 'run = "x"\nidentity =', "8: nodes.bob: run must be a list"),
        (
            "identity =",
            'run = ["a", 3]\nidentity =',
            "8: nodes.bob: a command is a text; write",
        ),
        ("identity =", "run = ['a \"b']\nidentity =", "No closing quotation; write one such as"),
        ("identity =", 'run = [" "]\nidentity =', "8: nodes.bob: ' ' is not a command; write one"),
        ("identity =", "files = 3\nidentity =", "8: nodes.bob: files must be a table"),
        ("identity =", 'files = { "/tmp/a" = 3 }\nidentity =', "content of /tmp/a must be a text"),
        ("identity =", 'files = { "/usr/a" = "" }\nidentity =', "not a path below /etc, /run or"),
        ("identity =", 'files = { "/tmp/../usr" = "" }\nidentity =', "not a path below /etc, /run"),
        ("identity =", 'files = { "/etc/hosts" = "" }\nidentity =', "is written by the lab itself"),
        ("identity =", 'files = { "/etc/tkm" = "" }\nidentity =', "is written by the lab itself"),
        ("identity =", 'files = { "/etc/tkm/a" = "" }\nidentity =', "is written by the lab itself"),
        ("identity =", 'ike = "magic"\nidentity =', "8: nodes.bob: ike 'magic' is unknown; write"),
        ("identity =", 'ike = "none"\nidentity =', "11: policies 1: bob does no IKE; take ike"),
        (
            "identity =",
            'ca = "other"\nidentity =',
            "no authority 'other'; write [authorities.other]",
        ),
        ("bob.example.org", "bob and co", "'bob and co' is not an identity of type FQDN; write"),
        ("[links.wire]", "[links.wire", "3: Expected ']' at the end of a table declaration"),
        (
            "hard = 60 }",
            "hard = 60 }\n" + "[[policies]]\n" + BETWEEN,
            "13: policies 2: policy 1 pro",
        ),
        ("hard = 60 }", "hard = 60 }\n[authorities.root]", "12: authorities.root: it is there by"),
        (
            "hard = 60 }",
            'hard = 60 }\n[authorities.a]\nissuer = "b"',
            "there is no 'b'; write [aut",
        ),
        (
            "192.0.2.2/24",
            "2001:db8::2/64",
            "no addresses of the same IP version; write one more in",
        ),
    ],
)
def test_tells_what_is_wrong_with_a_pair(old: str, new: str, told: str) -> None:
    said = refusal("pair", PAIR, old, new)
    assert said.startswith("pair.toml:")
    assert told in said.removeprefix("pair.toml:")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('default = "10.1.0.1"', 'default = "10.1.0.7"', "11: nodes.alice: nobody on left has the"),
        ('default = "10.1.0.1"', 'default = "10.1.0.10"', "next hop 10.1.0.10 is alice's own; wr"),
        ('default = "10.1.0.1"', 'default = "10.9.0.1"', "is in no network of alice; write one in"),
        ('default = "10.1.0.1"', 'default = "moon"', "'moon' is not a next hop"),
        (
            'default = "10.1.0.1"',
            '"10.2.0.1/16" = "10.1.0.1"',
            "has host bits set; write a network",
        ),
        ('default = "10.1.0.1"', '"fd01::/64" = "10.1.0.1"', "are of different IP versions"),
        (
            'forward = true\nca = "branch"',
            'ca = "branch"',
            "moon, which does not forward; write for",
        ),
        ('forward = true\nike = "strongswan"', 'nat = "right"', "nat is for what it passes on"),
        ('ike = "strongswan"', 'nat = "left"', "21: nodes.sun: it has no IPv4 address on 'left'"),
        ('issuer = "research"', 'issuer = "x"', "8: authorities.branch: there is no 'x'; write ["),
        ('sun = "10.2.0.0/16"', 'sun = "10.3.0.0/16"', "10.3.0.0/16 is not at sun, which is in"),
        ('sun = "10.2.0.0/16"', 'sun = "10.1.1.0/24"', "10.1.0.0/16 and 10.1.1.0/24 overlap"),
        ('sun = "10.2.0.0/16"', 'sun = "fd02::/64"', "one network is IPv4, the other IPv6"),
        ('sun = "10.2.0.0/16"', 'bob = "10.2.0.0/16"', "networks of 'bob': this policy is between"),
        ('sun = "10.2.0.0/16"', 'sun = "everything"', "networks of sun: "),
        (
            'sun = "10.2.0.0/16"',
            'sun = "192.0.2.0/24"',
            "sends ESP from 192.0.2.1, in the protected",
        ),
        ('"10.2.0.1/16"', '"10.1.0.2/16"', "overlaps with 10.1.0.0/16 of alice on left; write a"),
        (
            'mode = "tunnel"',
            'mode = "tunnel"\naddresses = { sun = "192.0.2.9" }',
            "25: policies 1: 192.0.2.9 is not sun's; write 192.0.2.2, fd00::2, 10.2.0.1",
        ),
    ],
)
def test_tells_what_is_wrong_with_sites(old: str, new: str, told: str) -> None:
    assert told in refusal("sites", SITES, old, new)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('mode = "tunnel"', 'mode = "transport"', "17: policies 1: alice is behind a NAT gateway"),
        (ROUTE, "", "15: policies 1: sun has no route to 10.1.0.10/32; write routes = {"),
        ("forward = true", "", "moon, which does not forward"),
        ('routes = { default = "10.1.0.1" }', "", "has no route to"),
    ],
)
def test_tells_what_is_wrong_behind_nat(old: str, new: str, told: str) -> None:
    if old == "forward = true":
        text = NAT.replace('nat = "wire"\n', "")
        assert told in refusal("nat", text, old, new)
    else:
        assert told in refusal("nat", NAT, old, new)


def test_without_nat_both_need_a_route() -> None:
    said = refusal("nat", NAT.replace('nat = "wire"', ""), ROUTE, "")
    assert "sun has no route to 10.1.0.10; write routes = { default" in said


def test_hosts_behind_gateways_need_a_route() -> None:
    said = refusal("sites", SITES, 'routes = { default = "10.1.0.1" }', "")
    assert said.startswith("sites.toml:25: policies 1: alice has no route to 10.2.0.0/16; write")


def test_authorities_in_a_circle() -> None:
    text = PAIR + '[authorities.a]\nissuer = "b"\n[authorities.b]\nissuer = "a"\n'
    with pytest.raises(TopologyError, match=r"pair\.toml:12: authorities\.a: .* in a circle"):
        parse("pair", text)


def test_an_authority_may_be_its_own_issuer() -> None:
    text = PAIR + '[authorities.foreign]\nissuer = "foreign"\n'
    assert parse("pair", text).authorities == {"foreign": "foreign"}


def test_routes_in_a_circle() -> None:
    text = NAT.replace('nat = "wire"', 'routes = { "203.0.113.0/24" = "192.0.2.2" }')
    text = text.replace(ROUTE, 'forward = true\nroutes = { default = "192.0.2.1" }')
    far = """
[links.far]
[nodes.far]
addresses = { far = "203.0.113.1/24" }
[[policies]]
between = ["alice", "far"]
"""
    with pytest.raises(TopologyError, match=r"routes to 203.0.113.1 lead in a circle through moon"):
        parse("far", text + far)


def test_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(PAIR.replace("wire =", "wir =", 1))
    with pytest.raises(TopologyError) as caught:
        load(str(file))
    remedy = "there is no link 'wir'; write [links.wir]"
    assert str(caught.value) == f"{file}:5: nodes.alice: {remedy}"
    file.write_bytes(b"\xff")
    with pytest.raises(TopologyError, match=r"mine\.toml: it is not UTF-8"):
        load(str(file))
    with pytest.raises(TopologyError, match="No such file"):
        load(str(tmp_path / "other.toml"))


def test_unknown_name_says_what_there_is() -> None:
    with pytest.raises(TopologyError, match=r"try .*two-hosts"):
        load("three-hosts")


def test_unknown_node() -> None:
    with pytest.raises(UsageError, match="no node 'carol' here, only alice, bob"):
        parse("pair", PAIR).node("carol")


def test_too_many_policies() -> None:
    text = """
title = "too many"
[links.wire]
[nodes.hub]
addresses = { wire = "10.0.0.1/16" }
[nodes."client{n}"]
repeat = 101
addresses = { wire = "10.0.1.{n}/16" }
[[policies]]
repeat = 101
between = ["hub", "client{n}"]
"""
    with pytest.raises(TopologyError, match=r"many\.toml:9: policies 101: there can be 100"):
        parse("many", text)


def links_between(topology: Topology) -> set[str]:
    return {link for node in topology.nodes.values() for link in node.addresses}


@pytest.mark.parametrize("name", shipped())
def test_every_link_has_somebody(name: str) -> None:
    topology = load(name)
    assert links_between(topology) == set(topology.links)


PIECE = re.compile(r'"[^"\n]*"|\w+|[\[\]{}=,.]|\n')
STRANGE = [
    *("", '""', "3", "-1", "1.5", "true", "[]", "{}", '["a"]', "{ a = 1 }", "nan", "1979-05-27"),
    *('"{n}"', '"10.0.0.0/8"', '"::1/64"', '"fd00::1/128"', '"0.0.0.0/0"', '"fe80::1%eth0/64"'),
    *('"10.1.0.1/33"', '"::ffff:10.0.0.1/96"', '"alice"', '"moon"', '"wire"', '"root"', "[[x]]"),
]


@given(st.sampled_from([PAIR, SITES, NAT]), st.data())
def test_whatever_is_wrong_is_told_with_its_line(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        pieces = list(PIECE.finditer(text))
        old = data.draw(st.sampled_from(pieces))
        new = data.draw(st.sampled_from([*STRANGE, *sorted({piece[0] for piece in pieces})]))
        text = text[: old.start()] + new + text[old.end() :]
    assert re.fullmatch(r"any\.toml:[0-9]+: [^\n]+|fine", verdict(text)), text


def verdict(text: str) -> str:
    try:
        parse("any", text)
    except TopologyError as trouble:
        return str(trouble)
    return "fine"
