# SPDX-License-Identifier: GPL-2.0-or-later
"""A revoked certificate, and whoever tries to keep the TKM from learning of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.attacks.issuers import DAY, KEYS, chain, crl, dn, issue, loaded
from tests.attacks.odd import SHA1_RSA, SHA256_RSA
from tests.unit.tkm.chains import BOB, NOW, judge, manager
from tkm.certs import crls, path
from tkm.certs.crls import Revocation
from tkm.config.crls import load_crls
from tkm.errors import CertificateError, ConfigError
from tkm.generation1 import rpc1
from tkm.generation1.translation import Generation1

ROOT, CA, KEY = dn("CA 0"), dn("CA 1"), KEYS["ca"]
SERIAL: Final = 7
"""Of all certificates here."""
OF_ROOT: Final = crl(ROOT, KEYS["root"])
MISSING: Final = "CRL is missing, stale or not signed by it"
REASON = x509.ReasonFlags
NUMBER, BASE = (x509.CRLNumber(9), False), (x509.DeltaCRLIndicator(9), True)
OLDER, NEWER = (x509.CRLNumber(8), False), (x509.CRLNumber(10), False)


def refusal(*of_ca: bytes, of_root: bytes = OF_ROOT, signers: Any = (), levels: Any = None) -> str:
    """Why alice's TKM refuses bob below a CA, with these CRLs of it; empty if it does not."""
    revocation = Revocation(loaded(of_root, *of_ca), map(path.load, signers))
    try:
        judge(*chain(*(levels or [[], []])), revocation=revocation)
    except CertificateError as error:
        return str(error)
    return ""


def scope(**options: Any) -> tuple[x509.ExtensionType, bool]:
    names = ("only_contains_user_certs", "only_contains_ca_certs")
    flags: dict[str, Any] = dict.fromkeys(names, False)
    flags |= {"indirect_crl": False, "only_contains_attribute_certs": False}
    flags |= {"full_name": None, "relative_name": None, "only_some_reasons": None}
    return x509.IssuingDistributionPoint(**(flags | options)), True


def test_without_crls_nothing_is_asked() -> None:
    judge(*chain([], []))
    judge(*chain([], []), revocation=Revocation())


def test_what_is_on_no_crl() -> None:
    assert refusal(crl(CA, KEY)) == ""
    assert refusal(crl(CA, KEY, [1, 8, 700])) == ""


def test_a_revoked_peer_and_a_revoked_ca() -> None:
    assert refusal(crl(CA, KEY, [SERIAL])) == "'CN=bob': it is revoked"
    assert refusal(crl(CA, KEY), of_root=crl(ROOT, KEYS["root"], [SERIAL])).startswith("'CN=CA 1'")


def test_a_revoked_peer_in_generation_1() -> None:
    top, ca, peer = chain([], [])
    for revoked, is_good in (([], True), ([SERIAL], False)):
        revocation = Revocation(loaded(OF_ROOT, crl(CA, KEY, revoked)))
        service = Generation1(manager({1: path.load(top)}, revocation=revocation))
        service._chain(rpc1.CcSetUserCertificate(cc=1, ri=1, autha=1, certificate=peer))
        for issuer in (ca, top):
            service._chain(rpc1.CcAddCertificate(cc=1, autha=1, certificate=issuer))
        if is_good:
            service._chain(rpc1.CcCheckCa(cc=1, ca=1))
        else:
            with pytest.raises(CertificateError, match="it is revoked"):
                service._chain(rpc1.CcCheckCa(cc=1, ca=1))


def test_a_certificate_that_is_on_hold() -> None:
    assert refusal(crl(CA, KEY, [SERIAL], reason=REASON.certificate_hold))


@pytest.mark.parametrize(
    "other",
    [
        crl(CA, KEYS["root"]),
        crl(CA, KEYS["peer"]),
        crl(dn("CA 2"), KEY),
        crl(CA, KEY, end=NOW - timedelta(seconds=1)),
        crl(CA, KEY, begin=NOW + timedelta(seconds=1)),
        crl(CA, KEY, extensions=[NUMBER, BASE]),
        crl(CA, KEY, extensions=[scope(only_contains_ca_certs=True)]),
        crl(CA, KEY, extensions=[scope(only_some_reasons=frozenset({REASON.superseded}))]),
        crl(CA, KEY, extensions=[scope(full_name=[x509.UniformResourceIdentifier("x:y")])]),
    ],
    ids=[
        "signed by the root", "signed by the peer", "of another CA", "stale", "not yet there",
        "a delta alone", "of CAs alone", "of one reason alone", "of another part",
    ],
)  # fmt: skip
def test_a_crl_that_does_not_speak_for_the_peer(other: bytes) -> None:
    """Somebody has replaced the file, or kept the old one."""
    assert refusal(other).endswith(MISSING)
    assert refusal(other, crl(CA, KEY)) == ""
    assert refusal(other, crl(CA, KEY, [SERIAL])).endswith("it is revoked")


def test_no_crl_of_one_ca() -> None:
    assert refusal().endswith(MISSING)
    assert refusal(crl(CA, KEY), of_root=crl(dn("x"), KEY)) == f"'CN=CA 1': its issuer's {MISSING}"


def test_a_ca_whose_key_may_not_sign_crls() -> None:
    bits = [False, False, False, False, False, True, False, False, False]
    for may in (True, False):
        bits[6] = may
        levels = [[], [x509.KeyUsage(*bits)]]
        assert (refusal(crl(CA, KEY), levels=levels) == "") is may


def test_a_delta_takes_a_crl_further() -> None:
    complete = crl(CA, KEY, [8], extensions=[NUMBER])
    assert refusal(complete, crl(CA, KEY, [SERIAL], extensions=[NEWER, BASE])).endswith(
        "is revoked"
    )
    held = crl(CA, KEY, [SERIAL], extensions=[NUMBER], reason=REASON.certificate_hold)
    free = crl(CA, KEY, [SERIAL], extensions=[NEWER, BASE], reason=REASON.remove_from_crl)
    assert refusal(held).endswith("is revoked")
    assert refusal(held, free) == ""
    again = crl(CA, KEY, [SERIAL], extensions=[(x509.CRLNumber(11), False), BASE])
    assert refusal(held, free, again).endswith("is revoked")
    assert refusal(held, again, free).endswith("is revoked")
    for useless in (
        crl(CA, KEYS["peer"], [SERIAL], extensions=[NEWER, BASE],
            reason=REASON.remove_from_crl),
        crl(CA, KEY, [SERIAL], extensions=[NEWER, (x509.DeltaCRLIndicator(10), True)],
            reason=REASON.remove_from_crl),
        crl(CA, KEY, [SERIAL], extensions=[OLDER, (x509.DeltaCRLIndicator(8), True)],
            reason=REASON.remove_from_crl),
        crl(CA, KEY, [SERIAL], extensions=[NEWER, BASE, scope(only_contains_user_certs=True)],
            reason=REASON.remove_from_crl),
    ):  # fmt: skip
        assert refusal(held, useless).endswith("is revoked")


def test_parts_together_are_a_whole() -> None:
    some = frozenset({REASON.key_compromise})
    every = crls._REASONS
    one = crl(CA, KEY, extensions=[scope(only_some_reasons=some)])
    rest = crl(CA, KEY, extensions=[scope(only_some_reasons=every - some)])
    assert refusal(one).endswith(MISSING)
    assert refusal(one, rest) == ""
    bad = crl(CA, KEY, [SERIAL], extensions=[scope(only_some_reasons=every - some)])
    assert refusal(one, bad).endswith("is revoked")


def test_another_key_of_the_ca_signs_its_crls() -> None:
    bits = [False, False, False, False, False, False, True, False, False]
    may_sign = [x509.KeyUsage(*bits)]
    own = crl(CA, KEYS["peer"])
    good = issue(CA, KEYS["peer"], ROOT, KEYS["root"], may_sign, serial=9)
    assert refusal(own).endswith(MISSING)
    assert refusal(own, signers=[good]) == ""
    revoked = crl(ROOT, KEYS["root"], [9])
    bits[5], bits[6] = True, False
    cannot_sign = x509.KeyUsage(*bits)
    for bad in (
        issue(CA, KEYS["peer"], ROOT, KEYS["peer"], may_sign),
        issue(CA, KEYS["peer"], dn("x"), KEYS["root"], may_sign),
        issue(dn("x"), KEYS["peer"], ROOT, KEYS["root"], may_sign),
        issue(CA, KEYS["peer"], ROOT, KEYS["root"], [cannot_sign]),
        issue(CA, KEYS["peer"], ROOT, KEYS["root"], may_sign, end=NOW - timedelta(hours=1)),
    ):
        assert refusal(own, signers=[bad]).endswith(MISSING)
    assert refusal(own, signers=[good], of_root=revoked).endswith(MISSING)


UNKNOWN: Final = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0")
UNUSABLE: Final = {
    "an unknown critical extension": crl(CA, KEY, extensions=[(UNKNOWN, True)]),
    "an entry's unknown critical extension": crl(CA, KEY, [1], entry_extension=UNKNOWN),
    "signed with sha1": crl(CA, KEY).replace(SHA256_RSA, SHA1_RSA),
    "is indirect": crl(CA, KEY, extensions=[scope(indirect_crl=True)]),
    "for attribute certificates": crl(
        CA, KEY, extensions=[scope(only_contains_attribute_certs=True)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_crl_that_is_not_used_is_not_loaded(what: str) -> None:
    with pytest.raises(CertificateError, match=r"^the CRL of 'CN=CA 1' (has|is)"):
        crls.load(UNUSABLE[what])


def test_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    octets = {
        "good.crl": crl(CA, KEY),
        "good.pem": x509.load_der_x509_crl(crl(CA, KEY)).public_bytes(Encoding.PEM),
        "signer.der": issue(CA, KEYS["peer"], ROOT, KEYS["root"], []),
        "stale.crl": crl(CA, KEY, begin=NOW - 2 * DAY, end=NOW - DAY),
        "early.crl": crl(CA, KEY, begin=NOW + DAY, end=NOW + 2 * DAY),
        "noise.crl": b"noise",
        "short.crl": crl(CA, KEY)[:-9],
        "empty.crl": b"",
        "indirect.crl": UNUSABLE["is indirect"],
        "weak.der": BOB.encode(),
    }
    for name, content in octets.items():
        (tmp_path / name).write_bytes(content)
    load_crls(",".join(f"{tmp_path}/{name}" for name in ("good.crl", "good.pem", "signer.der")))
    for name, reason in {
        "stale.crl": "is stale or not yet valid: it is of",
        "early.crl": "not yet valid",
        "noise.crl": "neither one CRL nor one certificate",
        "short.crl": "neither one CRL nor one certificate",
        "empty.crl": "neither one CRL nor one certificate",
        "indirect.crl": "is indirect",
        "weak.der": "neither one CRL nor one certificate",
        "none.crl": "No such file",
    }.items():
        with pytest.raises(ConfigError, match=f"^CRL '{tmp_path}/{name}'.*{reason}") as refused:
            load_crls(f"{tmp_path}/good.crl,{tmp_path}/{name}")
        assert "\n" not in str(refused.value)
