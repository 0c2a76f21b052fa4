# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificate files, the folder ``x509ca``, and the certificates that we send."""

import base64
import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from ike.config.files import Files
from ike.errors import ConfigError
from ike.x509 import Certificate, comparable

log = logging.getLogger("ike")

_LONGEST = 1 << 20
"""Octets of a file in ``x509ca`` that is read, whatever it may be."""
_BACKUPS = re.compile(r"\..*|.*(~|\.bak|\.old|\.orig|\.sw[op])")
"""Names of files that editors and people leave."""


def certificate(path: Path, files: Files, most: int | None = None) -> Certificate:
    """A certificate file, DER or PEM.

    Raises:
        ConfigError: It is not readable, longer than ``most`` octets, or none.
    """
    octets = files.read(path, most)
    try:
        return parse_certificate(octets)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_certificate(octets: bytes) -> Certificate:
    """A certificate, DER or PEM.

    Raises:
        ValueError: It is none.
    """
    pem = re.search(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", octets, re.S)
    try:
        return Certificate.read(base64.b64decode(pem[1]) if pem else octets)
    except ValueError as error:
        raise ValueError(f"no certificate, neither DER nor PEM ({error})") from error


def authorities_in(folder: Path, files: Files) -> dict[Certificate, Path]:
    """The certificates of CAs in a folder, by the name of their files.

    What else lies there, as a README, a CRL or a backup, is warned of and passed over.
    """
    found: dict[Certificate, Path] = {}
    for path in files.folder(folder):
        try:
            if _BACKUPS.fullmatch(path.name):
                raise ConfigError(f"{path}: a backup or hidden file")
            found.setdefault(certificate(path, files, _LONGEST), path)
        except ConfigError as error:
            log.warning("%s; it is passed over", error)
    return found


def has_signed(certificate: Certificate, signature: bytes) -> bool:
    """The key of a certificate verifies a signature (PKCS #1 v1.5, SHA-256), of whatever octets."""
    key = _read(certificate).public_key()
    if not isinstance(key, RSAPublicKey):
        return False
    try:
        key.recover_data_from_signature(signature, PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def is_root(authority: Certificate) -> bool:
    """A CA has signed its certificate with the very key that is in it."""
    return has_issued(authority, authority)


def has_issued(issuer: Certificate, certificate: Certificate) -> bool:
    """The key of ``issuer`` verifies the signature of ``certificate``, and the names match."""
    try:
        if comparable(issuer.subject) != comparable(certificate.issuer):
            return False
        _verify(_read(certificate), _read(issuer).public_key())
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _verify(certificate: x509.Certificate, key: Any) -> None:
    """Verify a certificate's signature, whoever it names as its issuer.

    Raises:
        InvalidSignature: It is not the key's.
        TypeError: The key is of another kind.
    """
    how: list[Any] = [certificate.signature_algorithm_parameters]
    if isinstance(key, RSAPublicKey):
        how.append(certificate.signature_hash_algorithm)
    key.verify(certificate.signature, certificate.tbs_certificate_bytes, *how)


def issuers_of(own: Certificate, known: Iterable[Certificate]) -> Iterator[Certificate]:
    """The CAs that lead from our certificate up to below a root, the nearest first.

    All that have really signed are among them, such as those that two roots have cross-signed. One
    that has expired is left out where another one is valid.
    """
    candidates = [ca for ca in known if ca != own]
    passed = {own}
    waiting = [own]
    for certificate in waiting:
        signed = [ca for ca in candidates if ca not in passed and has_issued(ca, certificate)]
        below_roots = [ca for ca in signed if not is_root(ca)]
        issuers = [ca for ca in below_roots if _is_valid(ca)] or below_roots
        passed.update(signed)
        waiting += issuers
        yield from issuers


def _is_valid(authority: Certificate) -> bool:
    now = datetime.now(UTC)
    certificate = _read(authority)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _read(certificate: Certificate) -> x509.Certificate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about serial numbers, which do not matter here
        return x509.load_der_x509_certificate(certificate.der)
