# SPDX-License-Identifier: GPL-2.0-or-later
"""From an IKE identity to the names in a certificate.

The TKM knows two kinds (RFC 7296, section 3.5): ID_RFC822_ADDR when the identity has an "@",
else ID_FQDN. The certificate states the same in its subjectAltName (RFC 5280, section 4.2.1.6).
"""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.pki.errors import PkiError

ORGANIZATION = "tkm-lab"
COMMON_NAME_MAX = 64
"""ub-common-name (RFC 5280, appendix A.1)."""

_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\Z")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_IPV4 = re.compile(r"\d+(\.\d+){3}\Z")


def general_name(identity: str) -> x509.GeneralName:
    """The subjectAltName entry of an identity: rfc822Name with an "@", else dNSName.

    Raises PkiError for what is neither a mail address nor a host name in ASCII.
    """
    local, at, host = identity.rpartition("@")
    if not _DNS_NAME.match(host) or _IPV4.match(host) or (at and not _LOCAL_PART.match(local)):
        raise PkiError(
            f"{identity!r} is not an identity: write host.example.test or user@example.test (ASCII)"
        )
    return x509.RFC822Name(identity) if at else x509.DNSName(identity)


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
