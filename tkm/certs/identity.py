# SPDX-License-Identifier: GPL-2.0-or-later
"""Does a certificate speak for an identity (RFC 4945, 5.1.3.6)?"""

from cryptography import x509
from cryptography.x509.oid import NameOID


def speaks_for(certificate: x509.Certificate, identity: str) -> bool:
    """The identity equals a subjectAltName of its own type.

    A certificate that has none at all, as old ones do, may have it as the subject's common name or
    e-mail address instead. A domain, and the domain of an address, compare without case.
    """
    kind = x509.RFC822Name if "@" in identity else x509.DNSName
    return _canonical(identity) in map(_canonical, _names(certificate, kind))


def _names(
    certificate: x509.Certificate, kind: type[x509.RFC822Name] | type[x509.DNSName]
) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
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
