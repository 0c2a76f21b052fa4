# SPDX-License-Identifier: GPL-2.0-or-later
"""The octets that programs read, and keys made ahead."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from asn1crypto.keys import RSAPrivateKey as Asn1RsaPrivateKey
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
)

from lab.pki import CA, KeyStock, PkiError

from .conftest import Pki


def test_der_and_pem_are_the_same_certificate(pki: Pki) -> None:
    certificate = pki.bob.certificate
    assert x509.load_der_x509_certificate(certificate.der) == certificate.x509
    assert x509.load_pem_x509_certificate(certificate.pem) == certificate.x509


def test_the_key_is_a_pkcs1_rsa_private_key(pki: Pki) -> None:
    key = pki.alice.key
    assert Asn1RsaPrivateKey.load(key.der, strict=True)["version"].native == "two-prime"
    assert key.pem.startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    for loaded in (load_der_private_key(key.der, None), load_pem_private_key(key.pem, None)):
        assert isinstance(loaded, RSAPrivateKey)
        assert loaded.private_numbers() == key.rsa.private_numbers()


def test_the_key_belongs_to_the_certificate(pki: Pki) -> None:
    for holder in (pki.root, pki.issuing, pki.alice, pki.bob):
        assert holder.certificate.x509.public_key() == holder.key.rsa.public_key()


def test_no_key_shows_in_a_repr(pki: Pki) -> None:
    assert repr(pki.alice.key) == "PrivateKey()"
    assert repr(pki.root) == "CA('tkm-lab root')"
    assert "PrivateKey()" in repr(pki.alice)


def openssl_verify(folder: Path, pki: Pki, root: CA) -> str:
    (folder / "root.pem").write_bytes(root.certificate.pem)
    (folder / "issuing.pem").write_bytes(b"".join(c.pem for c in pki.bob.chain))
    (folder / "bob.pem").write_bytes(pki.bob.certificate.pem)
    run = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-verify_hostname", "bob.tkm-lab.test"),
            *("-CAfile", "root.pem", "-untrusted", "issuing.pem", "bob.pem"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


def test_openssl_accepts_the_chain_and_only_with_its_own_root(pki: Pki, tmp_path: Path) -> None:
    assert openssl_verify(tmp_path, pki, pki.root) == "bob.pem: OK\n"
    other = CA("tkm-lab root", key=pki.alice.key.rsa)
    assert "verification failed" in openssl_verify(tmp_path, pki, other)


def test_a_stock_hands_out_each_key_once() -> None:
    with KeyStock(2) as stock:
        assert stock.take() is not stock.take()
        with pytest.raises(PkiError, match="used up"):
            stock.take()


def test_a_stock_that_is_left_hands_out_nothing() -> None:
    with KeyStock(1) as stock:
        pass
    with pytest.raises(PkiError, match="used up"):
        stock.take()
