# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificate revocation lists, from their files."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.x509 import Certificate

from tkm.certs import crls, der, path
from tkm.certs.crls import Crl, Revocation
from tkm.config import files
from tkm.errors import CertificateError, ConfigError

log = logging.getLogger(__name__)

_VERSION: Final = b"\xa0"
"""How certificates begin and CRLs do not."""


def load_crls(specification: str, opener: files.Opener = files.open_trusted) -> Revocation:
    """CRLs from ``file[,file …]``, and certificates of CAs for other keys that sign CRLs.

    :raises ConfigError: a file is neither, or a CRL is stale or not one that is used.
    """
    found, signers = [], []
    for name in specification.split(","):
        log.info("Loading CRL '%s'", name)
        try:
            read = _read(files.read(Path(name), opener))
        except OSError as error:
            raise ConfigError(f"CRL '{name}': {error.strerror}") from error
        except CertificateError as error:
            raise ConfigError(f"CRL '{name}': {error}") from error
        if isinstance(read, Certificate):
            signers.append(read)
        elif not crls.is_fresh(read, datetime.now(UTC)):
            when = f"{read.last_update_utc} to {read.next_update_utc}"
            raise ConfigError(f"CRL '{name}' is stale or not yet valid: it is of {when}")
        else:
            found.append(read)
    return Revocation(found, signers)


def _read(octets: bytes) -> Crl | Certificate:
    """A CRL, or the certificate of a key that signs CRLs; DER or PEM.

    :raises CertificateError: it is neither.
    """
    try:
        octets = der.of_file(octets)
        tbs = der.contents(octets)[0]
        is_certificate = der.contents(tbs.octets)[0].octets.startswith(_VERSION)
    except (ValueError, IndexError, StopIteration):
        raise CertificateError("neither one CRL nor one certificate, DER or PEM") from None
    return path.load(octets) if is_certificate else crls.load(octets)
