# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder x509ca, and the chain that we send."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ike.config.certificates import authorities_in, issuers_of
from ike.config.files import Files
from ike.config.swanctl import load
from lab.pki.names import distinguished_name
from tests.unit.ike.authorities import DAY, NOW, issue, key
from tests.unit.ike.config.test_config import folder, write
from tests.unit.trusted import pki

__all__ = ["folder"]

ROOT, OTHER_ROOT, OLD, NEW = range(4)


def crl() -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(distinguished_name("root"))
        .last_update(NOW)
        .next_update(NOW + DAY)
        .add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(7).revocation_date(NOW).build()
        )
    )
    return builder.sign(key(ROOT), hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("README", b"The CAs of our branches.\n"),
        ("root.crl", crl),
        ("ca.der~", lambda: pki().ca.root.certificate.der[:-9]),
        ("ca.pem.bak", lambda: issue("old", key(OLD), "old", key(OLD)).der),
        (".ca.der.swp", b"b0VIM"),
        ("empty.der", b""),
        ("key.pem", b"-----BEGIN PRIVATE KEY-----\n"),
        ("folder", None),
    ],
)
def test_stray_files_are_warned_of(
    folder: Path, caplog: pytest.LogCaptureFixture, name: str, octets: object
) -> None:
    stray = folder / "x509ca" / name
    if octets is None:
        stray.mkdir()
    else:
        content = octets() if callable(octets) else octets
        assert isinstance(content, bytes)
        stray.write_bytes(content)
    (authority,) = load(write(folder)).authorities
    assert authority.certificate.der == pki().ca.root.certificate.der
    (warning,) = caplog.messages
    assert warning.startswith(f"{stray}: ")
    assert warning.endswith("; it is passed over")


def test_a_link_that_leads_nowhere_is_warned_of(folder: Path) -> None:
    (folder / "x509ca" / "gone.der").symlink_to(folder / "nothing")
    assert len(authorities_in(folder / "x509ca", Files())) == 1


def test_the_only_root_is_the_authority_whatever_is_below_it(folder: Path) -> None:
    below = pki().ca.root.create_child_ca("issuing", key=pki().ca.key.rsa)
    (folder / "x509ca" / "a.der").write_bytes(below.certificate.der + b"\n")
    configuration = load(write(folder))
    (authority,) = configuration.authorities
    assert authority.certificate.der == pki().ca.root.certificate.der
    assert below.certificate.der in {each.der for each in configuration.issuers}


def test_a_ca_whose_name_our_certificate_writes_differently_is_sent() -> None:
    """RFC 5280, 7.1."""
    own = issue("alice", key(1), "ISSUING", key(0), identity="alice@tkm-lab.test")
    issuing, other = (issue("issuing", key(each), "root", key(3)) for each in (0, 2))
    assert list(issuers_of(own, [other, issuing])) == [issuing]


@pytest.mark.parametrize("key_ids", [True, False])
def test_the_ca_that_has_issued_our_certificate_is_sent(key_ids: bool) -> None:
    cas = {
        number: issue("issuing", key(number), "root", key(ROOT), key_ids=key_ids)
        for number in (OLD, NEW)
    }
    root = issue("root", key(ROOT), "root", key(ROOT), key_ids=key_ids)
    for number, right in cas.items():
        own = issue(
            "alice",
            pki().keys["alice"],
            "issuing",
            key(number),
            identity="alice@tkm-lab.test",
            key_ids=key_ids,
        )
        for known in ([*cas.values(), root], [root, *reversed(cas.values())]):
            assert list(issuers_of(own, known)) == [right]


def test_renewed_cross_signed_and_rolled_over_cas_are_sent() -> None:
    own = issue("alice", key(OLD), "issuing", key(NEW), identity="alice@tkm-lab.test")
    renewed = issue("issuing", key(NEW), "root", key(ROOT))
    expired = issue("issuing", key(NEW), "root", key(ROOT), expired=True)
    crossed = issue("issuing", key(NEW), "root", key(OTHER_ROOT))
    rollover = issue("root", key(OTHER_ROOT), "root", key(ROOT))
    roots = [issue("root", key(each), "root", key(each)) for each in (ROOT, OTHER_ROOT)]
    sent = list(issuers_of(own, [*roots, expired, renewed, crossed, rollover]))
    assert sent == [renewed, crossed, rollover]
    assert list(issuers_of(own, [expired])) == [expired]
