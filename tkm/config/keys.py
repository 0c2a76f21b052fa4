# SPDX-License-Identifier: GPL-2.0-or-later
"""Private keys and CA certificates, from their files."""

import logging
import os
import re
import stat
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509 import Certificate

from tkm.certs import issuing, path, strength
from tkm.config import files
from tkm.config.files import Opener
from tkm.crypto.secret import Secret
from tkm.errors import CertificateError, ConfigError

log = logging.getLogger(__name__)

TrustAnchors = Mapping[int, Certificate]
"""CA certificates by their number."""

PrivateKeys = Mapping[int, RSAPrivateKey]
"""Private keys by the number of the local identity that they are for, or :data:`ANY_IDENTITY`."""
ANY_IDENTITY: Final = 0
"""Every local identity that has no key of its own."""


def load_private_key(file: Path, opener: Opener = files.open_trusted) -> RSAPrivateKey:
    """An RSA private key, DER, without a password; nobody but its owner may read the file.

    :raises ConfigError: it is none, or too many may read or change it.
    """
    log.info("Loading RSA private key '%s'", file)
    try:
        with os.fdopen(opener(file), "rb") as stream:
            if os.fstat(stream.fileno()).st_mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise ConfigError(f"private key '{file}' is open to others: chmod 600 {file}")
            octets = stream.read()
        with Secret.take(octets) as der:
            # The library's own check proves the primality of the factors, for 0.2 s and more.
            key = load_der_private_key(der.octets, None, unsafe_skip_rsa_key_validation=True)
    except OSError as error:
        raise ConfigError(f"private key '{file}': {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(f"'{file}' is no private key in DER without password") from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(f"private key '{file}' is not RSA")
    if fault := strength.key_fault(key.public_key()):
        raise ConfigError(f"private key '{file}' {fault}: take one of at least 3072 bits")
    if not _signs(key):
        raise ConfigError(f"private key '{file}' makes signatures that its public key refuses")
    log.info("RSA private key '%s' loaded, key size %d bits", file, key.key_size)
    return key


def _signs(key: RSAPrivateKey) -> bool:
    """Whether a signature of the key verifies, as that of no key with a damaged part does."""
    padding, digest = PKCS1v15(), SHA256()
    try:
        key.public_key().verify(key.sign(b"", padding, digest), b"", padding, digest)
    except (InvalidSignature, InternalError, ValueError):
        return False
    return True


def load_ca(file: Path, opener: Opener = files.open_trusted) -> Certificate:
    """A CA certificate, DER or PEM; white space behind it does not matter.

    :raises ConfigError: it is none, or others may change it.
    """
    log.info("Loading CA certificate '%s'", file)
    try:
        certificate = path.load_file(files.read(file, opener))
        path.check_issuer(certificate, datetime.now(UTC))
    except OSError as error:
        raise ConfigError(f"CA certificate '{file}': {error.strerror}") from error
    except CertificateError as error:
        raise ConfigError(f"CA certificate '{file}': {error}") from error
    log.info("CA certificate '%s' loaded", issuing.subject(certificate))
    return certificate


def load_private_keys(
    specification: str, identities: Collection[int], opener: Opener = files.open_trusted
) -> PrivateKeys:
    """Keys from ``file[:identity][,file:identity …]``; without a number it is for all the others.

    :param identities: the local identities that there are.
    :raises ConfigError: a file is no private key, a number is not one, or used twice, or one of the
        local identities has no key.
    """
    by_number = _numbered(specification, "local identity", left_out=ANY_IDENTITY)
    for number in by_number:
        if number != ANY_IDENTITY and number not in identities:
            raise ConfigError(f"private key '{by_number[number]}': no local identity {number}")
    if ANY_IDENTITY not in by_number and (bare := set(identities) - set(by_number)):
        number = min(bare)
        raise ConfigError(f"local identity {number} has no private key: add KEY.DER:{number}")
    return {number: load_private_key(file, opener) for number, file in by_number.items()}


def load_anchors(specification: str, opener: Opener = files.open_trusted) -> TrustAnchors:
    """CAs from ``file[:number][,file:number …]``; a number left out is 1.

    :raises ConfigError: a file is no CA certificate, or a number is not one, or used twice.
    """
    by_number = _numbered(specification, "CA", left_out=1)
    return {number: load_ca(file, opener) for number, file in by_number.items()}


def named(specification: str) -> set[Path]:
    """The files that a specification names."""
    return {Path(re.sub(r":[0-9]+$", "", part)) for part in specification.split(",")}


def _numbered(specification: str, what: str, *, left_out: int) -> dict[int, Path]:
    numbered: dict[int, Path] = {}
    for part in specification.split(","):
        name, colon, digits = part.rpartition(":")
        if colon and not (digits.isdecimal() and int(digits)):
            raise ConfigError(f"{what} number '{digits}' is not a number from 1 up")
        number = int(digits) if colon else left_out
        if number in numbered:
            raise ConfigError(f"{what} number {number or 'of all others'} is given twice")
        numbered[number] = Path(name if colon else part)
    return numbered
