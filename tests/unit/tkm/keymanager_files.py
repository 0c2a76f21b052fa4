# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of tkm_keymanager, and its options."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

OWN = 0o600


def key_der(key: Any, encryption: Any = None) -> bytes:
    der: bytes = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )
    return der


def options(folder: Path, **instead: Any) -> Any:
    values = {"c": folder / "tkm.conf", "k": folder / "key.der", "r": folder / "ca.der", **instead}
    return [part for name, value in values.items() for part in (f"-{name}", str(value))]
