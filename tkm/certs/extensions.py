# SPDX-License-Identifier: GPL-2.0-or-later
"""Extensions of a certificate (RFC 5280, 4.2)."""

from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.asn1 import decode_der
from cryptography.x509.oid import ExtensionOID

from tkm.certs.der import Element, contents

RECOGNIZED: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
"""What path validation processes. Whatever else is critical refuses the certificate (4.2)."""
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


def find(
    whole: x509.Certificate | x509.CertificateRevocationList | x509.RevokedCertificate,
    kind: type[_Kind],
) -> _Kind | None:
    """The value of the extension of a kind in a certificate or CRL; None if there is none."""
    try:
        return whole.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def unrecognized(certificate: x509.Certificate) -> str:
    """The object identifier of a critical extension that is not processed; empty if all are."""
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in RECOGNIZED:
            return str(extension.oid.dotted_string)
    return ""


def policy_mappings(
    certificate: x509.Certificate,
) -> list[tuple[x509.ObjectIdentifier, x509.ObjectIdentifier]]:
    """policyMappings (4.2.1.5): policies as the issuer and as the subject calls them.

    :raises ValueError: it is malformed; :raises IndexError: cut off.
    """
    try:
        value = certificate.extensions.get_extension_for_oid(ExtensionOID.POLICY_MAPPINGS).value
    except x509.ExtensionNotFound:
        return []
    octets = value.public_bytes()  # The library does not read it.
    pairs = (contents(mapping.octets) for mapping in contents(octets))
    return [(_policy(issuer), _policy(subject)) for issuer, subject in pairs]


def _policy(element: Element) -> x509.ObjectIdentifier:
    return decode_der(x509.ObjectIdentifier, element.octets)
