# SPDX-License-Identifier: GPL-2.0-or-later
"""Throw-away identities for a lab: a root CA, intermediate CAs, host certificates.

    ca = CA("tkm-lab root")
    issuing = ca.create_child_ca("tkm-lab issuing")
    alice = issuing.issue_cert("alice@tkm-lab.test")
    alice.certificate.der, alice.key.der, [c.der for c in alice.chain], ca.certificate.pem

Keys are RSA-3072, signatures RSASSA-PKCS1-v1_5 with SHA-256, as the TKM wants them
(RFC 7296, section 2.15). Nothing here touches a file: a lab hands the octets to its nodes. The
keyword options make certificates that a relying party must refuse: expired, not yet valid,
without the CA flag, of another identity.
"""

from lab.pki.authority import CA, Identity, Validity
from lab.pki.errors import PkiError
from lab.pki.keys import KeyStock, new_key
from lab.pki.material import Certificate, PrivateKey

__all__ = [
    "CA",
    "Certificate",
    "Identity",
    "KeyStock",
    "PkiError",
    "PrivateKey",
    "Validity",
    "new_key",
]
