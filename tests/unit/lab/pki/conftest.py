# SPDX-License-Identifier: GPL-2.0-or-later
"""One small PKI for all tests here: RSA keys are dear, certificates are cheap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from lab.pki import CA, Identity, KeyStock


@dataclass(frozen=True)
class Pki:
    root: CA
    issuing: CA
    alice: Identity
    """Issued by the root."""
    bob: Identity
    """Issued by the intermediate CA."""


@pytest.fixture(scope="session")
def keys() -> Iterator[KeyStock]:
    with KeyStock(4) as stock:
        yield stock


@pytest.fixture(scope="session")
def pki(keys: KeyStock) -> Pki:
    root = CA("tkm-lab root", key=keys.take())
    issuing = root.create_child_ca("tkm-lab issuing", key=keys.take())
    return Pki(
        root,
        issuing,
        root.issue_cert("alice@tkm-lab.test", key=keys.take()),
        issuing.issue_cert("bob.tkm-lab.test", key=keys.take()),
    )


@pytest.fixture(scope="session")
def key(pki: Pki) -> RSAPrivateKey:
    """A key for certificates whose key doesn't matter."""
    return pki.alice.key.rsa
