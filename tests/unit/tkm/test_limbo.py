# SPDX-License-Identifier: GPL-2.0-or-later
"""Path validation against x509-limbo: where we disagree, and why that is right for IPsec."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.unit.tkm import limbo

_FORM: Final = "the form of a certificate binds its CA; validation (RFC 5280, 6.1) does not ask"
_HARMLESS: Final = "critical or not, we process it all the same"
_WEB: Final = "a rule for web servers (CA/Browser Forum), not for IPsec"
_COMMON_NAME: Final = "the subject does not count where there is a subjectAltName"
_SERIAL: Final = "serial numbers only name certificates; other IKE daemons take odd ones, too"
_KEY_USAGE: Final = "stricter: a peer must be able to sign (RFC 4945, 5.1.3.2)"
_WILDCARD: Final = "stricter: identities of IKE have no wildcards"
_DEPTH: Final = "the longest path is 10 certificates, for everybody"

ACCEPTED: Final = {
    "crl::crlnumber-critical": _HARMLESS,
    "crl::crlnumber-missing": "a CRL's number is for deltas alone, and without one there are none",
    "pathlen::max-chain-depth-0-exhausted": _DEPTH,
    "pathlen::max-chain-depth-1-exhausted": _DEPTH,
    "rfc5280::aki::cross-signed-root-missing-aki": _FORM,
    "rfc5280::aki::intermediate-missing-aki": _FORM,
    "rfc5280::aki::leaf-missing-aki": _FORM,
    "rfc5280::leaf-ku-keycertsign": "its CA flag is not set, so it issues nothing that we take",
    "rfc5280::nc::permitted-dns-match-noncritical": _HARMLESS,
    "rfc5280::pc::ica-noncritical-pc": _HARMLESS,
    "rfc5280::root-non-critical-basic-constraints": _HARMLESS,
    "rfc5280::san::ip-in-dns": "it speaks for the domain '8.8.8.8', which is not an address",
    "rfc5280::san::noncritical-with-empty-subject": _HARMLESS,
    "rfc5280::san::underscore-dns": "it speaks for that name, and no other",
    "rfc5280::serial::too-long": _SERIAL,
    "rfc5280::serial::zero": _SERIAL,
    "rfc5280::ski::intermediate-missing-ski": _FORM,
    "rfc5280::ski::root-missing-ski": _FORM,
    "webpki::aki::root-with-aki-all-fields": _WEB,
    "webpki::aki::root-with-aki-missing-keyidentifier": _WEB,
    "webpki::aki::root-with-aki-ski-mismatch": _WEB,
    "webpki::cn::case-mismatch": _COMMON_NAME,
    "webpki::cn::ipv4-hex-mismatch": _COMMON_NAME,
    "webpki::cn::ipv4-leading-zeros-mismatch": _COMMON_NAME,
    "webpki::cn::ipv6-non-rfc5952-mismatch": _COMMON_NAME,
    "webpki::cn::ipv6-uncompressed-mismatch": _COMMON_NAME,
    "webpki::cn::ipv6-uppercase-mismatch": _COMMON_NAME,
    "webpki::cn::not-in-san": _COMMON_NAME,
    "webpki::cn::punycode-not-in-san": _COMMON_NAME,
    "webpki::cn::utf8-vs-punycode-mismatch": _COMMON_NAME,
    "webpki::ee-basicconstraints-ca": "a CA may be a peer, too (RFC 5280, 6.1.5)",
    "webpki::eku::ee-anyeku": "anyExtendedKeyUsage is enough (RFC 4945, 5.1.3.12)",
    "webpki::eku::ee-critical-eku": _WEB,
    "webpki::eku::ee-without-eku": "extendedKeyUsage is not needed (RFC 4945, 5.1.3.12)",
    "webpki::eku::root-has-eku": _WEB,
    "webpki::explicit-curve": "the library takes it only if it is one of the named curves",
    "webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf": _WEB,
    "webpki::forbidden-rsa-not-divisible-by-8-in-root": _WEB,
    "webpki::san::san-critical-with-nonempty-subject": _HARMLESS,
}
"""What limbo refuses, and we do not."""
REFUSED: Final = {
    "pathlen::validation-ignores-pathlen-in-leaf": _KEY_USAGE,
    "rfc5280::ca-as-leaf": _KEY_USAGE,
    "rfc5280::validity::notafter-fractional": "stricter: it ends at the second that it names",
    "webpki::nc::nc-permits-dns-san-pattern": _WILDCARD,
    "webpki::san::leftmost-wildcard-san": _WILDCARD,
}
"""What limbo accepts, and we do not."""


@pytest.mark.parametrize("name", limbo.cases())
def test_a_case(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = limbo.cases()[name]
    reason = limbo.refusal(case, monkeypatch)
    is_good = case["expected_result"] == "SUCCESS"
    expected = is_good is not (name in ACCEPTED or name in REFUSED)
    assert bool(reason) is not expected, reason


def test_every_disagreement_is_of_the_right_kind() -> None:
    assert len(limbo.cases()) == 194
    results = {name: case["expected_result"] for name, case in limbo.cases().items()}
    assert {results[name] for name in ACCEPTED} == {"FAILURE"}
    assert {results[name] for name in REFUSED} == {"SUCCESS"}


def test_the_docs_list_what_is_different() -> None:
    text = (Path(__file__).parents[3] / "docs" / "certificates.md").read_text(encoding="utf-8")
    for name, reason in (ACCEPTED | REFUSED).items():
        assert re.search(rf"`{re.escape(name)}`.*\| {re.escape(reason)} \|", text), name
