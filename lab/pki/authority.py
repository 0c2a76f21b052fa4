# SPDX-License-Identifier: GPL-2.0-or-later
"""Certification authorities and what they issue (RFC 5280, section 4)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from lab.pki.errors import PkiError
from lab.pki.keys import new_key
from lab.pki.material import Certificate, PrivateKey
from lab.pki.names import COMMON_NAME_MAX, distinguished_name, general_names, subject


@dataclass(frozen=True)
class Validity:
    """From when until when a certificate is valid, both ends included; aware datetimes, UTC."""

    not_before: dt.datetime
    not_after: dt.datetime

    def __post_init__(self) -> None:
        for instant in (self.not_before, self.not_after):
            if instant.tzinfo is None:
                raise PkiError("a validity needs datetimes with a time zone, e.g. datetime.UTC")
        if self.not_after < self.not_before:
            raise PkiError(f"not_after {self.not_after} is before not_before {self.not_before}")

    @classmethod
    def of(
        cls,
        days: int,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
    ) -> Validity:
        """`days` from an hour ago (a guest's clock may be behind), or as the caller says."""
        start = not_before or dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        return cls(start, not_after or start + dt.timedelta(days=days))


@dataclass(frozen=True)
class Identity:
    """A host's certificate, its private key and the intermediates up to below the root."""

    names: tuple[str, ...]
    """What the certificate's subjectAltName says, in its order."""
    certificate: Certificate
    key: PrivateKey
    chain: tuple[Certificate, ...]
    """The intermediate CAs, the issuer first; empty when the root issued the certificate."""


class CA:
    """A certification authority: a self-signed root, or (`create_child_ca`) a CA below one.

    `key` is the CA's RSA key; without it one is made, which takes a moment (see KeyStock).
    `not_before` and `not_after` bound its validity, ten years from now unless said. `ca=False`
    makes what a relying party must refuse as an issuer: neither the CA flag nor keyCertSign.
    `path_length` limits how many CAs may follow it below. Raises PkiError for a bad name or
    validity.
    """

    CERTIFICATE_DAYS = 365
    CA_DAYS = 3650

    def __init__(
        self,
        name: str,
        *,
        key: RSAPrivateKey | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        ca: bool = True,
        path_length: int | None = None,
        parent: CA | None = None,
    ) -> None:
        validity = Validity.of(self.CA_DAYS, not_before, not_after)
        self.name = name
        self.parent = parent
        self.subject = distinguished_name(_ca_name(name))
        self.key = PrivateKey(key or new_key())
        public = self.key.rsa.public_key()
        usage = _CA_USAGE if ca else _HOST_USAGE
        builder = _builder(self.subject, public, validity, usage).add_extension(
            x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True
        )
        self.certificate = (parent or self)._sign(builder)

    def __repr__(self) -> str:
        return f"CA({self.name!r})"

    @cached_property
    def chain(self) -> tuple[Certificate, ...]:
        """This CA and those above it, without the root; empty for a root."""
        return (self.certificate, *self.parent.chain) if self.parent else ()

    @property
    def root(self) -> CA:
        """The CA at the top."""
        return self.parent.root if self.parent else self

    def create_child_ca(
        self,
        name: str,
        *,
        key: RSAPrivateKey | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        ca: bool = True,
        path_length: int | None = None,
    ) -> CA:
        """An intermediate CA that this one certifies; the options are those of CA."""
        return CA(
            name,
            key=key,
            not_before=not_before,
            not_after=not_after,
            ca=ca,
            path_length=path_length,
            parent=self,
        )

    def issue_cert(
        self,
        *names: str,
        key: RSAPrivateKey | None = None,
        common_name: str | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
    ) -> Identity:
        """A host certificate with `names` as its subjectAltName.

        A mail address becomes an rfc822Name, a domain a dNSName, an address an iPAddress. The
        subject's CN is `common_name` or else the first name; a distinguished name is the subject
        itself. Valid for a year from now unless said. Raises
        PkiError for no name, a name that is not an identity, or a bad validity.
        """
        if not names:
            raise PkiError("a host certificate needs at least one name")
        alternatives = [entry for name in names for entry in general_names(name)]
        subject_name = subject(common_name or names[0])
        validity = Validity.of(self.CERTIFICATE_DAYS, not_before, not_after)
        private = PrivateKey(key or new_key())
        builder = _builder(
            subject_name, private.rsa.public_key(), validity, _HOST_USAGE
        ).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        return Identity(names, self._sign(builder), private, self.chain)

    def _sign(self, builder: x509.CertificateBuilder) -> Certificate:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.rsa.public_key())
        return Certificate(
            builder.issuer_name(self.subject)
            .add_extension(authority, critical=False)
            .sign(self.key.rsa, hashes.SHA256())
        )


def _ca_name(name: str) -> str:
    # Only a host's certificate has a second place for a name that the CN can't hold.
    if len(name) > COMMON_NAME_MAX:
        raise PkiError(f"a CA's name has at most {COMMON_NAME_MAX} characters: {name!r}")
    return name


def _builder(
    subject: x509.Name, public: RSAPublicKey, validity: Validity, usage: x509.KeyUsage
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, digital_signature: bool = False, issues: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )


_CA_USAGE = _key_usage(issues=True)
_HOST_USAGE = _key_usage(digital_signature=True)
