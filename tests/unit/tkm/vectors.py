# SPDX-License-Identifier: GPL-2.0-or-later
"""Recorded and published values, from tests/vectors."""

import base64
import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509

FOLDER = Path(__file__).parents[2] / "vectors"


@cache
def recorded() -> dict[str, Any]:
    """What the original TKM has printed: see the file's word on its origin."""
    found: dict[str, Any] = json.loads((FOLDER / "tkm-recorded.json").read_text())
    return found


@cache
def nist() -> list[dict[str, str]]:
    """Key derivation of IKEv2: 180 cases of NIST's CAVP, four hash functions."""
    return [json.loads(line) for line in (FOLDER / "ikev2-kdf.jsonl").read_text().splitlines()]


def certificate(name: str) -> bytes:
    """A recorded certificate, DER: ca, alice or bob."""
    return base64.b64decode(recorded()["certificates"][name])


def rsa_certificate(name: str) -> x509.Certificate:
    """The same, loaded."""
    return x509.load_der_x509_certificate(certificate(name))


@cache
def frames() -> list[dict[str, str]]:
    """Recorded frames, in order for each host: run, host, interface, phase, request, response."""
    packed = (FOLDER / "rpc-recorded.json.xz").read_bytes()
    frames: list[dict[str, str]] = json.loads(lzma.decompress(packed))["frames"]
    return frames
