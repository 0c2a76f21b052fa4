# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate and a private key, each as the octets that programs read."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True)
class Certificate:
    """An X.509 certificate (RFC 5280)."""

    x509: x509.Certificate
    """The parsed certificate."""

    @cached_property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.x509.public_bytes(Encoding.DER)

    @cached_property
    def pem(self) -> bytes:
        """The certificate in PEM, with a final line feed."""
        return self.x509.public_bytes(Encoding.PEM)

    @property
    def subject(self) -> str:
        """The subject's distinguished name (RFC 4514)."""
        return self.x509.subject.rfc4514_string()


@dataclass(frozen=True)
class PrivateKey:
    """An RSA private key. Its octets are made on demand and never shown by repr."""

    rsa: RSAPrivateKey = field(repr=False)
    """The key as `cryptography` holds it."""

    @property
    def der(self) -> bytes:
        """RSAPrivateKey in DER (RFC 8017, appendix A.1.2), unencrypted.

        This is what `tkm_keymanager -k` and strongSwan read, and not a PKCS#8 PrivateKeyInfo.
        """
        return self._octets(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The same in PEM ("BEGIN RSA PRIVATE KEY")."""
        return self._octets(Encoding.PEM)

    def _octets(self, encoding: Encoding) -> bytes:
        return self.rsa.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, NoEncryption())
