# SPDX-License-Identifier: GPL-2.0-or-later
"""x509-limbo: paths that other validators got wrong, and what a TKM makes of them.

They are for web servers, most with keys on curves; so here a certificate may be for a web server,
and may have such a key. All else is as in the product.
"""

import gzip
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.unit.tkm.pkits import refusal_of
from tkm.certs import crls, der, extensions, path, strength
from tkm.certs.crls import Revocation
from tkm.errors import CertificateError

FILE: Final = Path(__file__).parents[2] / "vectors" / "limbo.json.gz"
PURPOSES: Final = {
    "SERVER": ExtendedKeyUsageOID.SERVER_AUTH,
    "CLIENT": ExtendedKeyUsageOID.CLIENT_AUTH,
}
CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@cache
def cases() -> dict[str, Any]:
    """All cases by id."""
    return {case["id"]: case for case in json.loads(gzip.decompress(FILE.read_bytes()))}


def refusal(case: Any, patch: pytest.MonkeyPatch) -> str:
    """Why a TKM that is for web servers would refuse the peer; empty if it accepts it."""
    patch.setattr(path, "_PURPOSES", path._PURPOSES | {PURPOSES[case["validation_kind"]]})
    of_product = strength.certificate_fault
    patch.setattr(
        strength,
        "certificate_fault",
        lambda certificate: "" if has_curve(certificate) else of_product(certificate),
    )
    time = case["validation_time"]
    now = datetime.fromisoformat(time) if time else datetime.now(UTC)
    peer, *others = map(octets, [case["peer_certificate"], *case["untrusted_intermediates"]])
    try:
        revocation = Revocation(crls.load(octets(crl)) for crl in case["crls"])
    except CertificateError as error:
        return str(error)
    reason = refusal_of([peer, *others], [*map(octets, case["trusted_certs"])], now, revocation)
    wanted = case["expected_peer_name"]
    if not reason and wanted and wanted["value"].lower() not in names(peer):
        return "another name"
    return reason


def octets(pem: str) -> bytes:
    return der.of_file(pem.encode())


def has_curve(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES)


def names(peer: bytes) -> set[str]:
    """All of a certificate's subjectAltName, in lower case."""
    found = extensions.find(path.load(peer), x509.SubjectAlternativeName) or ()
    return {str(name.value).lower() for name in found}
