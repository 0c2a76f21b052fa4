# SPDX-License-Identifier: GPL-2.0-or-later
"""Distinguished names for people, as in ``C=CH, O=Linux strongSwan, CN=alice``."""

from cryptography import x509


def subject(der: bytes) -> str:
    """The subject of a certificate, the most general part first; empty if it cannot be read."""
    try:
        name = x509.load_der_x509_certificate(der).subject
    except ValueError:
        return ""
    return ", ".join(part.rfc4514_string() for part in name.rdns)
