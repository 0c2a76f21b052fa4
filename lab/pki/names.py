# SPDX-License-Identifier: GPL-2.0-or-later
"""From an IKE identity to the names in a certificate.

The certificate states the identity (RFC 7296, section 3.5) in its subjectAltName (RFC 5280, section
4.2.1.6), or as its subject.
"""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.pki.errors import PkiError
from tkm.identity import Kind, parse
from tkm.identity import distinguished_name as parse_dn

ORGANIZATION = "tkm-lab"
COMMON_NAME_MAX = 64
"""ub-common-name (RFC 5280, appendix A.1)."""


_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\Z")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")


def general_names(identity: str) -> list[x509.GeneralName]:
    """The subjectAltName entries of an identity; a distinguished name is the subject, and has none.

    Raises PkiError for what is no identity, and for a key ID, which is not a matter of names.
    """
    if is_distinguished(identity):
        return []
    with suppress(ValueError):
        return [x509.IPAddress(ip_address(identity))]
    local, at, host = identity.removeprefix("@").rpartition("@")
    if (
        not _DNS_NAME.match(host)
        or re.fullmatch("[0-9.]+", host)
        or (at and not _LOCAL_PART.match(local))
    ):
        raise PkiError(
            f"{identity!r} is not an identity: write host.example.test, user@example.test (ASCII), "
            "192.0.2.1 or C=CH, CN=user"
        )
    return [x509.RFC822Name(f"{local}@{host}") if at else x509.DNSName(host)]


def is_distinguished(identity: str) -> bool:
    """An identity is a distinguished name.

    Raises PkiError for one that cannot be read.
    """
    if "=" not in identity.partition("@")[0]:
        return False
    try:
        return parse(identity).kind == Kind.DER_ASN1_DN
    except ValueError as error:
        raise PkiError(str(error)) from error


def subject(name: str) -> x509.Name:
    """The subject of a certificate for an identity: that name itself, or one with it as the CN."""
    return parse_dn(name) if is_distinguished(name) else distinguished_name(name)


def distinguished_name(common_name: str) -> x509.Name:
    """O = tkm-lab, CN = `common_name`.

    A name that is too long for a CN is left out: the subjectAltName has it all the same.
    Raises PkiError for an empty name and for one with control characters.
    """
    if not common_name or not common_name.isprintable():
        raise PkiError(f"{common_name!r} is not a name for a certificate's subject")
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION)]
    if len(common_name) <= COMMON_NAME_MAX:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)
