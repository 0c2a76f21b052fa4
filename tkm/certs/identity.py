# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a certificate speak for an identity (RFC 4945, 3.1 and 5.1.3.6)?"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.x509.oid import NameOID

from tkm.identity import Identity, Kind, parse

_NAMES: dict[int, type[x509.RFC822Name] | type[x509.DNSName]] = {
    Kind.FQDN: x509.DNSName,
    Kind.RFC822_ADDR: x509.RFC822Name,
}


def speaks_for(
    certificate: x509.Certificate, identity: str, *, subject_counts: bool = True
) -> bool:
    """The identity equals a name of its own type: a subjectAltName, or for a DN the subject.

    A key ID is the SHA-1 key identifier of the public key (RFC 5280, 4.2.1.2). A certificate that
    has no subjectAltName at all, as old ones do, may have a domain or mail address as the subject's
    common name or e-mail address instead.

    Args:
        certificate: of the peer.
        identity: that it must have, as :func:`tkm.identity.parse` reads it.
        subject_counts: the subject may stand in for a subjectAltName. It must not where a CA of the
            path constrains names: constraints are checked on subjectAltName alone, so a peer would
            bypass them by leaving it out.
    """
    wanted = parse(identity)
    found = _identities(certificate, wanted.kind, subject_counts=subject_counts)
    return any(wanted.matches(Identity(wanted.kind, data)) for data in found)


def _identities(
    certificate: x509.Certificate, kind: int, *, subject_counts: bool
) -> Iterator[bytes]:
    """The data of all identities of one type."""
    if kind == Kind.DER_ASN1_DN:
        yield certificate.subject.public_bytes()
    elif kind == Kind.KEY_ID:
        yield x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    else:
        try:
            extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            if subject_counts and kind in _NAMES:
                yield from _of_subject(certificate.subject)
            return
        if kind in _NAMES:
            for name in extension.value.get_values_for_type(_NAMES[kind]):
                yield name.encode()
        else:
            for address in extension.value.get_values_for_type(x509.IPAddress):
                if isinstance(address, IPv4Address | IPv6Address):  # no network, as constraints are
                    yield address.packed


def _of_subject(subject: x509.Name) -> Iterator[bytes]:
    for oid in (NameOID.COMMON_NAME, NameOID.EMAIL_ADDRESS):
        for name in subject.get_attributes_for_oid(oid):
            yield str(name.value).encode()
