# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a certificate speak for an identity (RFC 4945, 5.1.3.6)?"""

from cryptography import x509
from cryptography.x509.oid import NameOID


def speaks_for(
    certificate: x509.Certificate, identity: str, *, subject_counts: bool = True
) -> bool:
    """The identity equals a subjectAltName of its own type.

    A certificate that has none at all, as old ones do, may have it as the subject's common name or
    e-mail address instead. A domain, and the domain of an address, compare without case.

    Args:
        certificate: of the peer.
        identity: that it must have.
        subject_counts: the subject may stand in for a subjectAltName. It must not where a CA of the
            path constrains names: constraints are checked on subjectAltName alone, so a peer would
            bypass them by leaving it out.
    """
    kind = x509.RFC822Name if "@" in identity else x509.DNSName
    names = _names(certificate, kind, subject_counts=subject_counts)
    return _canonical(identity) in map(_canonical, names)


def _names(
    certificate: x509.Certificate,
    kind: type[x509.RFC822Name] | type[x509.DNSName],
    *,
    subject_counts: bool,
) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        if not subject_counts:
            return []
        oids = (NameOID.COMMON_NAME, NameOID.EMAIL_ADDRESS)
        return [
            str(name.value)
            for oid in oids
            for name in certificate.subject.get_attributes_for_oid(oid)
        ]
    return names.get_values_for_type(kind)


def _canonical(name: str) -> str:
    user, at, domain = name.rpartition("@")
    return user + at + domain.lower()
