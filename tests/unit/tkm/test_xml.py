# SPDX-License-Identifier: GPL-2.0-or-later
"""The XML schema of the original: what is read, and what is refused at which line."""

from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tkm.config.policy import Config, Lifetime, Local, LocalIdentity, Mode, Policy, Remote
from tkm.errors import ConfigError
from tkm_cfgtool import xml

TUNNEL = """\
<tkmconfig>
  <local_identity id="1">
    <identity>alice@example.org</identity>
    <certificate>aliceCert.pem</certificate>
  </local_identity>
  <policy id="7">
    <mode>tunnel</mode>
    <local>
      <identity_id>1</identity_id>
      <ip>192.168.0.1</ip>
      <net mask="16">10.1.0.0</net>
    </local>
    <remote>
      <identity>gw.example.org</identity>
      <ip>192.168.0.2</ip>
      <net mask="24">10.2.3.0</net>
    </remote>
    <lifetime>
      <soft>30</soft>
      <hard>60</hard>
    </lifetime>
  </policy>
</tkmconfig>
"""
POLICY = TUNNEL[TUNNEL.index("  <policy") : TUNNEL.index("</tkmconfig>")]
# The original's own, as recorded in vici-full/alice/tkm.xml.
RECORDED = b"""<tkmconfig>
    <local_identity id="1">
        <identity>alice@strongswan.org</identity>
        <certificate>aliceCert.pem</certificate>
    </local_identity>
    <policy id="1">
        <mode>transport</mode>
        <local>
            <identity_id>1</identity_id>
            <ip>192.168.0.1</ip>
        </local>
        <remote>
            <identity>bob@strongswan.org</identity>
            <ip>192.168.0.2</ip>
        </remote>
        <lifetime>
            <soft>6900</soft>
            <hard>7200</hard>
        </lifetime>
    </policy>
</tkmconfig>
"""


def test_a_file_of_the_original() -> None:
    assert xml.read(RECORDED) == Config(
        {1: LocalIdentity(1, "alice@strongswan.org", "aliceCert.pem")},
        {
            1: Policy(
                1,
                Mode.TRANSPORT,
                Local(1, ip_address("192.168.0.1")),
                Remote("bob@strongswan.org", ip_address("192.168.0.2")),
                Lifetime(6900, 7200),
            )
        },
    )


def test_tunnel_mode() -> None:
    policy = xml.read(TUNNEL.encode()).policies[7]
    assert policy.mode is Mode.TUNNEL
    assert policy.local.net == ip_network("10.1.0.0/16")
    assert policy.remote == Remote(
        "gw.example.org", ip_address("192.168.0.2"), ip_network("10.2.3.0/24")
    )


def test_ipv6() -> None:
    text = TUNNEL.replace("192.168.0.", "2001:db8::").replace('"16">10.1.0.0', '"64">fd00:1::')
    policy = xml.read(text.replace('"24">10.2.3.0', '"64">fd00:2::').encode()).policies[7]
    assert policy.local.ip == ip_address("2001:db8::1")
    assert policy.remote.net == ip_network("fd00:2::/64")


def test_ids_may_be_in_any_order_and_several() -> None:
    second = POLICY.replace('"7"', '"3"').replace("10.2.3.0", "10.2.4.0")
    config = xml.read(TUNNEL.replace("</tkmconfig>", second + "</tkmconfig>").encode())
    assert list(config.policies) == [7, 3]


BAD = [
    ("tkmconfig>", "config>", 1, "the root element is not <tkmconfig>"),
    ('id="1"', "", 2, "attribute id is missing"),
    ('id="1"', 'id="one"', 2, "'one' is not a whole number"),
    ('id="1"', 'id="-1"', 2, "'-1' is not a whole number"),
    ('id="1"', 'id="٣"', 2, "is not a whole number"),
    ('id="1"', 'id="99999999999"', 2, "is not a whole number"),
    ('id="1"', 'id="0"', 2, "local identity 0: id is not 1 or more"),
    ("alice@example.org", " ", 3, "it is empty"),
    ("alice@example.org", "alice\n} remote { id", 2, "is not an identity of type FQDN"),
    ("aliceCert.pem", "a.pem, b.pem", 2, "is no file name"),
    ("<identity>alice@example.org</identity>", "", 2, "<identity> is missing"),
    ("</certificate>", "</certificate><certificate>b</certificate>", 4, "there is one already"),
    ('"7"', '"0"', 6, "policy 0: id is not in 1 to 4294967295"),
    ('"7"', '"4294967296"', 6, "policy 4294967296: id is not in 1 to 4294967295"),
    ("<mode>tunnel", "<mode>beet", 7, "'beet' is neither transport nor tunnel"),
    ("tunnel", "transport", 6, "net needs mode tunnel"),
    ("<identity_id>1", "<identity_id>2", 6, "there is no local identity 2"),
    ("192.168.0.1", "192.168.0.256", 10, "does not appear to be an IPv4 or IPv6 address"),
    ("192.168.0.1", "192.168.0.2", 6, "both ends have the same address"),
    ("192.168.0.1", "2001:db8::1", 6, "one end is IPv4, the other IPv6"),
    ("192.168.0.1", "fe80::1%eth0", 6, "an address with a zone means nothing to IPsec"),
    ("10.1.0.0", "10.1.0.1", 11, "has host bits set"),
    ('mask="16"', 'mask="33"', 11, "'10.1.0.0/33' does not appear to be"),
    ('mask="16"', "", 11, "attribute mask is missing"),
    ('mask="16">10.1.0.0', 'mask="64">fd00:1::', 6, "one net is IPv4, the other IPv6"),
    ("gw.example.org", "gw example org", 6, "'gw example org' is not an identity"),
    ("<soft>30", "<soft>60", 6, "soft lifetime 60 is not below hard lifetime 60"),
    ("<hard>60", "<hard>4294967296", 6, "a lifetime is not 0 to 4294967295 seconds"),
    ("<soft>30", "<soft>thirty", 19, "'thirty' is not a whole number"),
    ("<mode>", "<mood>happy</mood><mode>", 7, "this element is not known here"),
    ("<soft>", "<firm>1</firm><soft>", 19, "this element is not known here"),
    ("</policy>", "<policy/></policy>", 22, "this element is not known here"),
    ("<tkmconfig>", '<tkmconfig version="2">', 1, "attribute version is not known here"),
    ("<mode>", '<mode strict="1">', 7, "<mode>: attribute strict is not known here"),
    ('mask="16"', 'mask="16" prefix="16"', 11, "attribute prefix is not known here"),
    ("</mode>", "</mode>\n stray", 8, "<policy>: text does not belong here"),
    ("</policy>", "</policy>]]&gt;", 22, "<tkmconfig>: text does not belong here"),
    ("<mode>tunnel", "<mode>tun<!-- -->nel of", 7, "'tunnel of' is neither"),
    ("</policy>", "", 23, "mismatched tag"),
    ("</tkmconfig>", "", 24, "no element found"),
    ("<mode>tunnel", "<mode>&tunnel;", 7, "undefined entity"),
    ("</tkmconfig>", "</tkmconfig><tkmconfig/>", 23, "junk after document element"),
]


@pytest.mark.parametrize(("place", "instead", "line", "reason"), BAD, ids=[row[3] for row in BAD])
def test_bad_input_is_told_with_its_line(place: Any, instead: Any, line: Any, reason: Any) -> None:
    assert place in TUNNEL
    text = TUNNEL.replace(place, instead, -1 if place == "tkmconfig>" else 1)
    with pytest.raises(ConfigError) as caught:
        xml.read(text.encode())
    message = str(caught.value)
    assert message.startswith(f"line {line}")
    assert reason in message
    assert "\n" not in message.replace("alice\n", "")


def test_two_policies_for_the_same_traffic() -> None:
    twice = TUNNEL.replace("</tkmconfig>", POLICY.replace('"7"', '"8"') + "</tkmconfig>")
    with pytest.raises(ConfigError, match=r"line 23: .*policy 8: it protects the same traffic as"):
        xml.read(twice.encode())


@pytest.mark.parametrize(
    ("element", "again"),
    [("local_identity", '<local_identity id="1">'), ("policy", '<policy id="7">')],
)
def test_an_id_is_used_once(element: str, again: str) -> None:
    start = TUNNEL.index(f"  {again}")
    end = TUNNEL.index(f"</{element}>\n") + len(f"</{element}>\n")
    row = TUNNEL[start:end]
    with pytest.raises(ConfigError, match=r"line \d+: .*: id . is used twice"):
        xml.read(TUNNEL.replace(row, row + row).encode())


DOCTYPES = [
    '<!DOCTYPE tkmconfig SYSTEM "file:///etc/passwd">',
    '<!DOCTYPE tkmconfig [<!ENTITY file SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]>',
    "<!DOCTYPE a [<!ENTITY % a SYSTEM 'http://localhost/a'> %a;]>",
    "<!DOCTYPE tkmconfig>",
]


@pytest.mark.parametrize("doctype", DOCTYPES)
def test_no_document_type_and_so_no_entity(doctype: Any) -> None:
    text = doctype + TUNNEL.replace("alice@example.org", "&file;&c;")
    with pytest.raises(ConfigError, match="line 1: a document type is not accepted"):
        xml.read(text.encode())


def test_depth_is_bounded() -> None:
    with pytest.raises(ConfigError, match="nested too deep"):
        xml.read(b"<a>" * 100_000)


@pytest.mark.parametrize("octets", [b"", b"\0", b"\xff\xfe", b"text", b"<a", b"<a>\xff</a>"])
def test_what_is_no_xml(octets: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^line \d+, column \d+: "):
        xml.read(octets)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_change_is_read_or_refused(data: Any) -> None:
    octets = bytearray(TUNNEL.encode())
    for place in data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=3)):
        octets[place] = data.draw(st.integers(0, 255))
    with suppress(ConfigError):
        assert isinstance(xml.read(bytes(octets)), Config)
