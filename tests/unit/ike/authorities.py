# SPDX-License-Identifier: GPL-2.0-or-later
"""CAs that share a name: rekeyed, renewed, cross-signed."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from ike.x509 import Certificate
from lab.pki.keys import new_key
from lab.pki.names import distinguished_name, general_names

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@cache
def key(number: int) -> RSAPrivateKey:
    """The key of that number, made once a run."""
    return new_key()


def issue(
    subject: str,
    own: RSAPrivateKey,
    issuer: str,
    signer: RSAPrivateKey,
    *,
    identity: str = "",
    expired: bool = False,
    key_ids: bool = True,
) -> Certificate:
    """A certificate of ``subject``: of a CA, or with an identity of a host."""
    end = NOW - DAY if expired else NOW + DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(subject))
        .issuer_name(distinguished_name(issuer))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 2 * DAY)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=not identity, path_length=None), critical=True)
    )
    if identity:
        names = x509.SubjectAlternativeName(general_names(identity))
        builder = builder.add_extension(names, critical=False)
    if key_ids:
        subject_key = x509.SubjectKeyIdentifier.from_public_key(own.public_key())
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(subject_key, critical=False)
        builder = builder.add_extension(issuer_key, critical=False)
    signed = builder.sign(signer, hashes.SHA256())
    return Certificate.read(signed.public_bytes(Encoding.DER))
