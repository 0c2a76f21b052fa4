# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates from a CA that may not issue them: each rule of RFC 5280, 6.1, is kept.

A CA below the root is the attacker, or has lost its key. What its own certificate, or one above it,
does not permit is refused by the TKM.
"""

from ipaddress import ip_address, ip_network
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.attacks.issuers import CA_FLAG, Extensions, chain, dn, issue, mappings, policies
from tests.attacks.odd import tlv
from tests.unit.tkm.chains import BOB, NOW, judge
from tests.unit.tkm.pkits import check
from tests.unit.trusted import pki
from tkm.certs import names
from tkm.certs.policies import MOST, Wanted
from tkm.errors import CertificateError

GOOD: Final = "1.3.6.1.4.1.99999.1"
OTHER: Final = "1.3.6.1.4.1.99999.2"
ANY: Final = "2.5.29.32.0"
MAIL: Final = x509.RFC822Name(BOB)


def is_refused(path: list[bytes], reason: str) -> bool:
    """Whether alice's TKM refuses it, and for that reason."""
    refusal = ""
    try:
        judge(*path)
    except CertificateError as error:
        refusal = str(error)
    assert not refusal or reason in refusal
    return bool(refusal)


def constraints(
    permitted: x509.GeneralName | None = None, excluded: x509.GeneralName | None = None
) -> x509.NameConstraints:
    return x509.NameConstraints(
        [permitted] if permitted else None, [excluded] if excluded else None
    )


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


NAMES: Final[dict[str, tuple[x509.GeneralName, x509.GeneralName, bool]]] = {
    "its domain": (x509.DNSName("a.test"), x509.DNSName("a.test"), True),
    "a domain below": (x509.DNSName("b.a.test"), x509.DNSName("A.test"), True),
    "a domain beside": (x509.DNSName("ba.test"), x509.DNSName("a.test"), False),
    "a domain above": (x509.DNSName("test"), x509.DNSName("a.test"), False),
    "any domain": (x509.DNSName("a.test"), x509.DNSName(""), True),
    "its mailbox": (x509.RFC822Name("b@a.test"), x509.RFC822Name("b@A.test"), True),
    "another's mailbox": (x509.RFC822Name("c@a.test"), x509.RFC822Name("b@a.test"), False),
    "a user in another case": (x509.RFC822Name("B@a.test"), x509.RFC822Name("b@a.test"), False),
    "a host's mailbox": (x509.RFC822Name("b@a.test"), x509.RFC822Name("a.test"), True),
    "a mailbox of a host below": (x509.RFC822Name("b@c.a.test"), x509.RFC822Name("a.test"), False),
    "a domain's mailbox": (x509.RFC822Name("b@c.a.test"), x509.RFC822Name(".a.test"), True),
    "the domain's own mailbox": (x509.RFC822Name("b@a.test"), x509.RFC822Name(".a.test"), False),
    "an address": (
        x509.IPAddress(ip_address("192.0.2.9")),
        x509.IPAddress(ip_network("192.0.2.0/28")),
        True,
    ),
    "an address beside": (
        x509.IPAddress(ip_address("192.0.2.16")),
        x509.IPAddress(ip_network("192.0.2.0/28")),
        False,
    ),
    "an address of another version": (
        x509.IPAddress(ip_address("2001:db8::1")),
        x509.IPAddress(ip_network("0.0.0.0/0")),
        False,
    ),
    "a URI's host": (uri("https://u@A.test:8/x"), uri("a.test"), True),
    "a URI's host below": (uri("ldap://b.a.test"), uri(".a.test"), True),
    "a URI's host beside": (uri("https://b.a.test/"), uri("a.test"), False),
    "a URI with the host in its path": (uri("https://evil.test/@a.test"), uri("a.test"), False),
    "a URI with the host as its user": (uri("https://a.test@evil.test/"), uri("a.test"), False),
    "a name": (
        x509.DirectoryName(dn("b", organization="A")),
        x509.DirectoryName(dn(organization="a ")),
        True,
    ),
    "a name beside": (
        x509.DirectoryName(dn("b", organization="AB")),
        x509.DirectoryName(dn(organization="A")),
        False,
    ),
    "a longer base": (
        x509.DirectoryName(dn(organization="A")),
        x509.DirectoryName(dn("b", organization="A")),
        False,
    ),
}
"""A name, a base, and whether it is within."""


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("level", [0, 1, 2])
def test_names_that_a_ca_does_not_permit_or_excludes(what: str, level: int) -> None:
    name, base, is_within = NAMES[what]
    san = [x509.SubjectAlternativeName([MAIL, name])]
    for kind in ("permitted", "excluded"):
        levels: list[Extensions] = [[], [], []]
        levels[level] = [constraints(**{kind: base})]
        if kind == "permitted":
            # What the chain has beside the name must be permitted, too.
            others = [x509.DirectoryName(dn("bob"))]
            others += [x509.DirectoryName(dn(f"CA {number}")) for number in range(level + 1, 3)]
            levels[level] = [x509.NameConstraints([base, MAIL, *others], None)]
        refused = is_refused(chain(*levels, peer=san), "the name '")
        assert refused is (is_within is (kind == "excluded"))


@pytest.mark.parametrize("what", [each for each in NAMES if "name" in each or "longer" in each])
def test_names_of_a_subject(what: str) -> None:
    name, base, is_within = NAMES[what]
    root = issue(dn("root"), pki().keys["alice"], dn("root"), pki().keys["alice"],
                 [CA_FLAG, constraints(permitted=base)])  # fmt: skip
    assert isinstance(name, x509.DirectoryName)
    peer = issue(name.value, pki().keys["bob"], dn("root"), pki().keys["alice"],
                 [x509.SubjectAlternativeName([MAIL])])  # fmt: skip
    assert is_refused([root, peer], "does not permit the name") is not is_within


@pytest.mark.parametrize(
    ("name", "base"),
    [
        (uri("urn:a.test"), uri("a.test")),
        (uri("https://192.0.2.1/"), uri("a.test")),
        (uri("https://[2001:db8::1]/"), uri("a.test")),
        (x509.RFC822Name("a.test"), x509.RFC822Name("a.test")),
        (x509.RFC822Name._init_without_validation("b@c@a.test"), x509.RFC822Name("a.test")),
        (x509.DNSName(".a.test"), x509.DNSName("a.test")),
        (
            x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\5\0"),
            x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\5\0"),
        ),
        (
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
            x509.RegisteredID(x509.ObjectIdentifier("1.2")),
        ),
    ],
    ids=lambda name: str(name.value),
)
def test_names_that_cannot_be_compared(name: x509.GeneralName, base: x509.GeneralName) -> None:
    san = [x509.SubjectAlternativeName([x509.DNSName("x.test"), name])]
    good = [x509.SubjectAlternativeName([MAIL])]
    excluding = [[], [constraints(excluded=base)]]
    assert is_refused(chain(*excluding, peer=san), "constrain")
    assert not is_refused(chain(*excluding, peer=good), "")


def test_the_constraints_of_all_cas_count() -> None:
    wide, narrow = (constraints(x509.RFC822Name(base)) for base in (".test", "tkm-lab.test"))
    assert not is_refused(chain([narrow], [x509.NameConstraints([MAIL], None)]), "")
    assert is_refused(chain([constraints(x509.RFC822Name("evil.test"))], [wide]), "permit")
    assert is_refused(chain([wide], [constraints(x509.RFC822Name("evil.test"))]), "permit")


def test_the_subject_s_mail_address_is_a_name_where_there_is_no_other() -> None:
    mail = x509.NameAttribute(x509.NameOID.EMAIL_ADDRESS, BOB)
    key = pki().keys["alice"]
    limits = [CA_FLAG, constraints(excluded=x509.RFC822Name("tkm-lab.test"))]
    root = issue(dn("root"), key, dn("root"), key, limits)
    peer = issue(x509.Name([mail]), pki().keys["bob"], dn("root"), key, [])
    assert is_refused([root, peer], "excludes the name 'bob@tkm-lab.test'")


def test_a_self_issued_ca_is_not_bound_by_names_but_its_peers_are() -> None:
    """RFC 5280, 6.1.3 b."""
    only = [constraints(x509.DirectoryName(dn("bob")))]
    assert not is_refused(chain(only, [], names=["CA", "CA"]), "")
    assert is_refused(chain(only, [], names=["CA", "other"]), "does not permit the name 'CN=other'")


def test_too_many_names_end_soon() -> None:
    """Work is counted, not time: 65,536 comparisons, whatever the certificates."""
    bases = [x509.DNSName(f"{number}.test") for number in range(400)]
    san = [MAIL, *(x509.DNSName(f"x{number}.test") for number in range(400))]
    path = chain([x509.NameConstraints(None, bases)], peer=[x509.SubjectAlternativeName(san)])
    assert is_refused(path, "too many names and name constraints")
    assert names.MOST_COMPARISONS == 1 << 16
    few = chain([x509.NameConstraints(None, bases)], peer=[x509.SubjectAlternativeName(san[:99])])
    assert not is_refused(few, "")


def test_a_long_name_is_taken_apart_once_not_for_each_constraint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    of_product = names.canonical

    def noting(name: x509.Name) -> names.CanonicalName:
        made.append(name)
        return of_product(name)

    monkeypatch.setattr(names, "canonical", noting)
    bases = [x509.DirectoryName(dn(f"base {number}")) for number in range(400)]
    long = x509.DirectoryName(dn(*map(str, range(200))))
    san = x509.SubjectAlternativeName([MAIL, long])
    assert not is_refused(chain([x509.NameConstraints(None, bases)], peer=[san]), "")
    assert len(made) < 420


@pytest.mark.parametrize(
    ("levels", "is_good"),
    [
        ([[x509.BasicConstraints(True, 1)], [], []], False),
        ([[x509.BasicConstraints(True, 2)], [], []], True),
        ([[], [x509.BasicConstraints(True, 0)], []], False),
        ([[], [x509.BasicConstraints(True, 0)], [x509.BasicConstraints(True, 5)]], False),
        ([[], [], [x509.BasicConstraints(True, 0)]], True),
    ],
)
def test_more_cas_than_one_permits(levels: Any, is_good: bool) -> None:
    called = [f"CA {level}" for level in range(len(levels))]
    key = pki().keys["alice"]
    made = []
    for level, some in enumerate(levels):
        above = called[max(level - 1, 0)]
        made.append(issue(dn(called[level]), key, dn(above), key, some or [CA_FLAG]))
    san = [x509.SubjectAlternativeName([MAIL])]
    made.append(issue(dn("bob"), pki().keys["bob"], dn(called[-1]), key, san))
    assert is_refused(made, "so many CAs") is not is_good


def test_self_issued_cas_do_not_count() -> None:
    key = pki().keys["alice"]
    root = issue(dn("root"), key, dn("root"), key, [x509.BasicConstraints(True, 0)])
    first, second = (
        issue(dn("root"), key, dn("root"), key, [CA_FLAG], serial=serial) for serial in (8, 9)
    )
    peer = issue(
        dn("bob"), pki().keys["bob"], dn("root"), key, [x509.SubjectAlternativeName([MAIL])]
    )
    assert not is_refused([root, first, second, peer], "")


REQUIRED: Final = x509.PolicyConstraints(0, None)
NO_MAPPING: Final = x509.PolicyConstraints(None, 0)
NO_ANY: Final = x509.InhibitAnyPolicy(0)


@pytest.mark.parametrize(
    ("levels", "peer", "is_good"),
    [
        ([[], []], [], True),
        ([[], [policies(GOOD)]], [policies(OTHER)], True),
        ([[], [policies(GOOD), REQUIRED]], [], False),
        ([[], [policies(GOOD), REQUIRED]], [policies(OTHER)], False),
        ([[], [policies(GOOD), REQUIRED]], [policies(GOOD)], True),
        ([[REQUIRED], [policies(GOOD)]], [policies(GOOD)], True),
        ([[REQUIRED], [policies(GOOD)]], [], False),
        ([[REQUIRED], []], [policies(GOOD)], False),
        ([[], [policies(GOOD), x509.PolicyConstraints(3, None)], [policies(GOOD)]], [], True),
        ([[], [policies(GOOD), x509.PolicyConstraints(2, None)], [policies(GOOD)]], [], False),
        ([[], [policies(ANY), REQUIRED]], [policies(GOOD)], True),
        ([[], [policies(ANY), REQUIRED, NO_ANY]], [policies(ANY)], False),
        ([[NO_ANY], [policies(ANY), REQUIRED]], [policies(GOOD)], False),
        ([[], [policies(GOOD), REQUIRED, mappings((GOOD, OTHER))]], [policies(OTHER)], True),
        ([[], [policies(GOOD), REQUIRED, mappings((GOOD, OTHER))]], [policies(GOOD)], False),
        ([[], [policies(ANY), REQUIRED, mappings((GOOD, OTHER))]], [policies(OTHER)], True),
        (
            [[NO_MAPPING], [policies(GOOD), REQUIRED, mappings((GOOD, OTHER))]],
            [policies(OTHER)],
            False,
        ),
        ([[], [mappings((ANY, OTHER))]], [], False),
        ([[], [mappings((GOOD, ANY))]], [], False),
        ([[], []], [REQUIRED], False),
        ([[], [policies(GOOD)]], [policies(GOOD), REQUIRED], True),
    ],
)
def test_policies(levels: Any, peer: Any, is_good: bool) -> None:
    assert is_refused(chain(*levels, peer=peer), "") is not is_good


def test_policies_that_are_wanted() -> None:
    """PKITS has more; what counts is what the first CA calls it."""
    path = chain([], [policies(GOOD), mappings((GOOD, OTHER))], peer=[policies(OTHER)])
    wanted = {each: frozenset({x509.ObjectIdentifier(each)}) for each in (GOOD, OTHER)}
    check(path, NOW, wanted=Wanted(wanted[GOOD], explicit=True))
    for refused in (
        Wanted(wanted[OTHER], explicit=True),
        Wanted(wanted[GOOD], explicit=True, inhibit_mapping=True),
    ):
        with pytest.raises(CertificateError, match="valid for none"):
            check(path, NOW, wanted=refused)


def test_policies_that_multiply_end_soon() -> None:
    """Trees of policies grow exponentially (RFC 9618); here each is kept once a certificate."""
    few = [f"1.2.3.{number}" for number in range(MOST)]
    level = [
        policies(*few),
        mappings(*((above, below) for above in few[:16] for below in few[:16])),
    ]
    assert not is_refused(chain([], *[level] * 8, peer=[policies(*few)]), "")
    many = [*few, "1.2.3.4.5"]
    assert is_refused(chain([], [policies(*many)]), "more than 256 policies")
    pairs = [(GOOD, f"1.2.3.{number}") for number in range(MOST + 1)]
    assert is_refused(chain([], [mappings(*pairs)]), "more than 256 policy mappings")


@pytest.mark.parametrize(
    "octets", [b"", b"\x30", b"\x30\x02\x30\x00", tlv(0x30, tlv(0x30, b"\5\0"))]
)
def test_mappings_of_noise(octets: bytes) -> None:
    noise = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.33"), octets)
    assert is_refused(chain([], [noise]), "")


UNKNOWN: Final = x509.ObjectIdentifier("1.2.3.4")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_critical_extension_that_nobody_knows(level: int) -> None:
    for critical in (True, False):
        key = pki().keys["alice"]
        made = []
        for place in range(3):
            builder = [CA_FLAG] if place < 2 else [x509.SubjectAlternativeName([MAIL])]
            made.append(unknown(place, key, builder, critical=critical and place == level))
        assert is_refused(made, "unknown critical extension 1.2.3.4") is critical


def unknown(place: int, key: Any, extensions: Any, *, critical: bool) -> bytes:
    """A certificate with an extension that nobody knows."""
    certificate = x509.load_der_x509_certificate(
        issue(dn(f"{place}"), key, dn(f"{max(place - 1, 0)}"), key, extensions)
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .public_key(certificate.public_key())
        .serial_number(certificate.serial_number)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
        .add_extension(x509.UnrecognizedExtension(UNKNOWN, b"\5\0"), critical)
    )
    for each in certificate.extensions:
        builder = builder.add_extension(each.value, each.critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_ca_s_key_that_may_not_sign_certificates() -> None:
    bits = [False] * 9
    for certificates, is_good in ((True, True), (False, False)):
        bits[5], bits[6] = certificates, True
        usage = x509.KeyUsage(*bits)
        assert is_refused(chain([], [usage]), "may not sign certificates") is not is_good
        assert is_refused(chain([usage]), "may not sign certificates") is not is_good
