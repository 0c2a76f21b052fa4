# SPDX-License-Identifier: GPL-2.0-or-later
"""Identities of all types: written, sent, compared, and found in certificates."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from lab.pki import CA
from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.trusted import Host, config_of, host, identity, pki, transport_to
from tkm.certs.identity import speaks_for
from tkm.certs.path import load
from tkm.core.manager import KeyManager
from tkm.identity import Identity, Kind, distinguished_name, parse
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.result import Refused, Result

BOB_DN = "C=CH, O=tkm-lab, CN=bob"


@pytest.mark.parametrize(
    ("text", "kind", "data"),
    [
        ("bob.example", Kind.FQDN, b"bob.example"),
        ("@bob.example", Kind.FQDN, b"bob.example"),
        ("fqdn:bob.example", Kind.FQDN, b"bob.example"),
        ("DNS:bob.example", Kind.FQDN, b"bob.example"),
        ("bob", Kind.FQDN, b"bob"),
        ("bob@example.org", Kind.RFC822_ADDR, b"bob@example.org"),
        ("@@bob@example.org", Kind.RFC822_ADDR, b"bob@example.org"),
        ("email:bob@example.org", Kind.RFC822_ADDR, b"bob@example.org"),
        ("rfc822:bob@example.org", Kind.RFC822_ADDR, b"bob@example.org"),
        ("userfqdn:bob@example.org", Kind.RFC822_ADDR, b"bob@example.org"),
        ("192.0.2.1", Kind.IPV4_ADDR, b"\xc0\0\2\1"),
        ("ipv4:192.0.2.1", Kind.IPV4_ADDR, b"\xc0\0\2\1"),
        ("2001:db8::1", Kind.IPV6_ADDR, b"\x20\1\x0d\xb8" + bytes(11) + b"\1"),
        ("ipv6:2001:db8::1", Kind.IPV6_ADDR, b"\x20\1\x0d\xb8" + bytes(11) + b"\1"),
        ("2001:DB8:0::1", Kind.IPV6_ADDR, b"\x20\1\x0d\xb8" + bytes(11) + b"\1"),
        ("::ffff:192.0.2.1", Kind.IPV6_ADDR, bytes(10) + b"\xff\xff\xc0\0\2\1"),
        ("@#0123cdef", Kind.KEY_ID, b"\x01\x23\xcd\xef"),
        ("keyid:#0123CDEF", Kind.KEY_ID, b"\x01\x23\xcd\xef"),
        ("keyid:0x12", Kind.KEY_ID, b"\x12"),
    ],
)
def test_written(text: str, kind: Kind, data: bytes) -> None:
    assert parse(text) == (kind, data)
    assert parse(text).payload == bytes((kind, 0, 0, 0)) + data
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text",
    ["C=CH, O=tkm-lab, CN=bob", "/C=CH/O=tkm-lab/CN=bob", " C = CH ,O= tkm-lab ,CN=bob ",
     "c=CH,o=tkm-lab,cn=bob"],
)  # fmt: skip
def test_distinguished_names(text: str) -> None:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "tkm-lab"),
            x509.NameAttribute(NameOID.COMMON_NAME, "bob"),
        ]
    )
    assert parse(text) == (Kind.DER_ASN1_DN, name.public_bytes())
    assert str(parse(text)) == "C=CH, O=tkm-lab, CN=bob"


@pytest.mark.parametrize(
    "text",
    ["E=bob@example.org, CN=bob", "emailAddress=bob@example.org, CN=bob", "DC=org, DC=example",
     "O=Größe, CN=b", "UID=7", "serialNumber=12", "CN=a + b", "ST=ZH, L=Z, OU=x, CN=y"],
)  # fmt: skip
def test_attributes(text: str) -> None:
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((each, "is anybody") for each in ("%any", "%any6", "0.0.0.0", "::", "*")),
        *((each, "not an identity of type FQDN") for each in
          ("", "@", "..", ".", "a.", ".a", "a..b", "a b", "fqdn:", "fqdn:a@b", "a" * 64, "%dynamic",
           "{1}", "bob/x", "b\u00fccher.example", "a\0b", "*.example.org", "a\n")),
        *((each, "not an identity of type RFC822_ADDR") for each in
          ("a@", "@@a", "@@", "a@b@c", ".a@b", "a@b..c", "email:a", "*@example.org", "a b@c")),
        *((each, "not an identity of type IPV4_ADDR") for each in
          ("1.2.3", "1.2.3.4.5", "256.0.0.1", "0.", "224.0.0.1", "ipv4:bob", "ipv4:::1",
           "01.2.3.4")),
        *((each, "not an identity of type IPV6_ADDR") for each in
          ("fe80::1%eth0", "2001:db8::g", "ff02::1", "ipv6:1.2.3.4", "{2}:x", "dn:x", "ipv4net:x",
           "1:2")),
        *((each, "in hexadecimal") for each in ("@#", "@#1", "@#xy", "keyid:bob", "keyid:")),
        *((each, "is not an attribute such as CN=bob") for each in
          ("CN=", "=bob", "CN=*", "C=CH, O=*, CN=bob", "XY=1", "CN=a, bob", "CN=bob,", ", CN=bob",
           'CN="a, b"', "CN=a#b", "/CN=a/b", "2.5.4.3=bob", "CN=%any")),
        ("a" * 63 + ".b" * 100, "longer than 255"),
        ("@#" + "00" * 200, "longer than 255"),
        ("C=Schweiz, CN=x", "'C=Schweiz' in 'C=Schweiz, CN=x': Attribute's length"),
    ],
)  # fmt: skip
def test_what_is_none(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    assert found.matches(found)
    assert parse(str(found)).matches(found)


@given(st.sampled_from(list(Kind)), st.binary(max_size=60))
def test_any_octets_are_shown_and_compared(kind: Kind, data: bytes) -> None:
    sent = Identity(kind, data)
    assert str(sent).isprintable() or not str(sent)
    assert not sent.matches(parse(BOB_DN))


def printable(*values: tuple[int, bytes]) -> bytes:
    """A name whose attributes are common names of a string type each."""
    rdns = b""
    for tag, value in values:
        attribute = b"\x06\x03\x55\x04\x03" + bytes((tag, len(value))) + value
        sequence = b"\x30" + bytes((len(attribute),)) + attribute
        rdns += b"\x31" + bytes((len(sequence),)) + sequence
    return b"\x30" + bytes((len(rdns),)) + rdns


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (parse("Bob.Example"), parse("bob.example"), True),
        (parse("bob@Example.ORG"), parse("bob@example.org"), True),
        (parse("Bob@example.org"), parse("bob@example.org"), False),
        (parse("bob.example"), parse("bob.example.org"), False),
        (parse("CN=Bob"), parse("CN=bob"), True),
        (parse("CN=Bob   B"), parse("CN=bob b"), True),
        (parse("C=CH, CN=bob"), parse("CN=bob, C=CH"), False),
        (parse("C=CH, CN=bob"), parse("CN=bob"), False),
        (parse("O=bob"), parse("CN=bob"), False),
        (Identity(9, printable((19, b"bob"))), parse("CN=bob"), True),
        (Identity(9, printable((12, b" BOB "))), parse("CN=bob"), True),
        (Identity(9, printable((30, "bob".encode("utf-16-be")))), parse("CN=bob"), True),
        (Identity(9, printable((20, b"bob"))), parse("CN=bob"), True),
        (Identity(9, printable((12, b"bob\0"))), parse("CN=bob"), False),
        (Identity(9, printable((12, b"\xff"))), parse("CN=bob"), False),
        (Identity(9, printable((19, b"bob"), (19, b"x"))), parse("CN=bob"), False),
        (Identity(9, printable((19, b"bob"))[:-1]), parse("CN=bob"), False),
        (Identity(9, printable((19, b"bob")) + b"\0"), parse("CN=bob"), False),
        (Identity(9, b""), parse("CN=bob"), False),
        (Identity(Kind.KEY_ID, b"bob.example"), parse("bob.example"), False),
        (Identity(Kind.RFC822_ADDR, b"bob.example"), parse("bob.example"), False),
        (Identity(Kind.FQDN, b"bob.example\0"), parse("bob.example"), False),
        (Identity(Kind.FQDN, b"192.0.2.1"), parse("192.0.2.1"), False),
        (parse("@#00"), parse("@#0000"), False),
    ],
)
def test_compared(one: Identity, other: Identity, same: bool) -> None:
    assert one.matches(other) is other.matches(one) is same


CERTIFICATES = {
    name: load(pki().ca.issue_cert(*names, key=pki().keys["bob"]).certificate.der)
    for name, names in {
        "domain": ("bob.example",),
        "mail": ("bob@example.org",),
        "addresses": ("192.0.2.1", "2001:db8::1"),
        "name": (BOB_DN,),
    }.items()
}


@pytest.mark.parametrize(
    ("certificate", "text", "speaks"),
    [
        ("domain", "Bob.Example", True),
        ("domain", "@bob.example", True),
        ("domain", "bob@bob.example", False),
        ("domain", "C=CH, CN=bob.example", False),
        ("domain", "O=tkm-lab, CN=bob.example", True),
        ("mail", "email:bob@EXAMPLE.org", True),
        ("mail", "example.org", False),
        ("addresses", "192.0.2.1", True),
        ("addresses", "192.0.2.2", False),
        ("addresses", "2001:db8:0:0::1", True),
        ("addresses", "fqdn:a192.0.2.1", False),
        ("name", "c=ch, o=TKM-LAB, cn=Bob", True),
        ("name", "CN=bob, O=tkm-lab, C=CH", False),
        ("name", "bob", True),
    ],
)
def test_found_in_a_certificate(certificate: str, text: str, speaks: bool) -> None:
    assert speaks_for(CERTIFICATES[certificate], text) is speaks


def test_key_identifiers() -> None:
    certificate = CERTIFICATES["domain"]
    own = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex()
    assert speaks_for(certificate, f"@#{own}")
    assert not speaks_for(certificate, f"@#{own[:-2]}")
    assert not speaks_for(certificate, f"@#{'00' * 20}")


# Authentication


def alice_expecting(text: str) -> Host:
    """Alice, whose policy 1 names bob so."""
    config = config_of("alice")
    policy = config.policies[1]
    config.policies[1] = replace(policy, remote=replace(policy.remote, identity=text))
    made = host("alice")
    rules = made.manager._rules
    made.manager = KeyManager(config, rules.keys, rules.anchors, made.kernel)
    made.client = Client(rpc2.RPC2, transport_to(made.manager.dispatcher()))
    return made


def authenticate(alice: Host, own: str, payload: bytes) -> Result | None:
    """Bob signs as ``own`` with a certificate that has it: how alice's TKM takes that."""
    config = config_of("bob")
    config.local_identities[1] = replace(config.local_identities[1], identity=own)
    bob = host("bob", config)
    bob.certificate = pki().ca.issue_cert(own, key=pki().keys["bob"]).certificate.der
    talk = Conversation(alice, bob)
    talk.ike_sa_init(MODP_3072)
    talk.sign(talk.initiator)
    signature = talk.sign(talk.responder)
    talk.check_chain(talk.initiator, talk.responder)
    request = rpc2.IsaAuth(
        isa=1, cc=1, method=signature.method, signature=signature.signature,
        init_message=talk.responder.init_message, identity=payload,
    )  # fmt: skip
    try:
        alice.client.call(request)
    except Refused as refusal:
        return refusal.result
    return None


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (BOB_DN, BOB_DN),
        ("C=CH, O=TKM-lab, CN=Bob", BOB_DN),
        ("Bob.Example", "bob.example"),
        ("bob@EXAMPLE.org", "bob@example.org"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "ipv6:2001:db8:0::1"),
    ],
)
def test_the_identity_that_was_sent_is_what_auth_covers(own: str, expected: str) -> None:
    assert authenticate(alice_expecting(expected), own, parse(own).payload) is None
    if parse(own) != parse(expected):
        assert authenticate(alice_expecting(expected), own, b"") is Result.AUTH_FAILURE


@pytest.mark.parametrize(
    "payload",
    [
        parse("carol.example").payload,
        bytes((Kind.KEY_ID, 0, 0, 0)) + b"bob.example",
        bytes((Kind.FQDN, 0, 0, 1)) + b"bob.example",
        bytes((Kind.FQDN, 0, 0, 0)) + b"bob.example\0",
        b"\2\0\0\0",
        b"\2",
    ],
)
def test_another_identity_is_refused(payload: bytes) -> None:
    alice = alice_expecting("bob.example")
    assert authenticate(alice, "bob.example", payload) is Result.AUTH_FAILURE


def test_a_name_in_the_common_name_alone_is_no_address() -> None:
    """Nor is a mail address in the subject a distinguished name's only proof."""
    certificate = load(CA("other").issue_cert("a.example", common_name="192.0.2.1").certificate.der)
    assert not speaks_for(certificate, "192.0.2.1")


def test_names_are_built_once() -> None:
    assert distinguished_name(BOB_DN).public_bytes() == parse(BOB_DN).data
    assert identity("bob") == str(parse(identity("bob")))
