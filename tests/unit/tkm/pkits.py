# SPDX-License-Identifier: GPL-2.0-or-later
"""NIST's Public Key Interoperability Test Suite, version 1.0.1: certificates and what is right."""

import base64
import json
import lzma
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from cryptography.x509 import ObjectIdentifier

from ike.engine.path_building import PathBuilder
from ike.x509 import Certificate
from tkm.certs import crls, path
from tkm.certs.crls import NOTHING_REVOKED, Revocation
from tkm.certs.issuing import check_issued
from tkm.certs.policies import ANYTHING, Wanted
from tkm.errors import CertificateError

FILE: Final = Path(__file__).parents[2] / "vectors" / "pkits.json.xz"
NOW: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""All that is meant to be valid is, from 2010 to 2030."""

CRL_SIGNERS: Final = {
    "BasicSelfIssuedCRLSigningKeyCRLCert.crt",
    "BasicSelfIssuedNewKeyOldWithNewCACert.crt",
    "BasicSelfIssuedOldKeyNewWithOldCACert.crt",
    "SeparateCertificateandCRLKeysCRLSigningCert.crt",
    "SeparateCertificateandCRLKeysCA2CRLSigningCert.crt",
}
"""What an administrator would configure beside the CRLs: keys of the same CA that sign them."""


@cache
def suite() -> Any:
    """``cases`` (section, certificates of a peer, what is right), ``certificates``, ``crls``."""
    return json.loads(lzma.decompress(FILE.read_bytes()))


def der(name: str) -> bytes:
    """A certificate of the suite."""
    return base64.b64decode(suite()["certificates"][name])


def cases() -> dict[str, Any]:
    """All cases by section and name."""
    return {f"{case['section']} {case['name']}": case for case in suite()["cases"]}


def refusal(case: Any) -> str:
    """Why the product refuses the peer of a case; empty if it accepts it."""
    wanted = wanted_of(case["parameters"])
    names = [case["certificate"], *case["others"]]
    anchor = der("TrustAnchorRootCertificate.crt")
    received = [der(name) for name in names]
    try:
        revocation = revocation_of(case)
    except CertificateError as error:
        return str(error)
    return refusal_of(received, [anchor], NOW, revocation, wanted)


def revocation_of(case: Any) -> Revocation:
    """Its CRLs, and the trust anchor's, which goes with all.

    :raises CertificateError: a CRL is not accepted, so that a TKM would not start.
    """
    if not case["revocation"]:
        return NOTHING_REVOKED
    files = {*case["crls"], "TrustAnchorRootCRL.crl"}
    read = [crls.load(base64.b64decode(suite()["crls"][name])) for name in files]
    return Revocation(
        read, [path.load(der(name)) for name in case["others"] if name in CRL_SIGNERS]
    )


def wanted_of(parameters: dict[str, Any]) -> Wanted:
    """The inputs of path validation (RFC 5280, 6.1.1)."""
    policies = frozenset(map(ObjectIdentifier, parameters.get("user_initial_policy_set", ())))
    return Wanted(
        policies or ANYTHING.policies,
        parameters.get("initial_explicit_policy", False),
        parameters.get("initial_policy_mapping_inhibit", False),
        parameters.get("initial_any_policy_inhibit", False),
    )


def refusal_of(
    received: Sequence[bytes],
    anchors: Sequence[bytes],
    now: datetime,
    revocation: Revocation = NOTHING_REVOKED,
    wanted: Wanted = ANYTHING,
) -> str:
    """What tkm_iked and the TKM do with a peer's certificates, its own first."""
    try:
        read = [[Certificate.read(each) for each in some] for some in (received, anchors)]
        builder = PathBuilder(read[0], [], read[1])
    except ValueError as error:
        return str(error)
    reason = "no path"
    for candidate in builder.paths():
        try:
            check([each.der for each in candidate], now, revocation, wanted)
        except CertificateError as error:
            reason = str(error)
        else:
            return ""
    return reason


def check(
    chain: Sequence[bytes],
    now: datetime,
    revocation: Revocation = NOTHING_REVOKED,
    wanted: Wanted = ANYTHING,
) -> None:
    """What the TKM does with one path, trust anchor first.

    :raises CertificateError: it refuses it.
    """
    certificates = [path.load(each) for each in chain]
    for issuer, certificate in pairwise(certificates):
        check_issued(certificate, issuer)
    path.validate(certificates, now, revocation, wanted)
