# SPDX-License-Identifier: GPL-2.0-or-later
"""The algorithms of an SA as swanctl.conf spells proposals, as an IKE daemon reports them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ENCRYPTION = {"AES_CBC": "aes{}", "AES_GCM_16": "aes{}gcm16"}


def suite_of(fields: Mapping[str, Any]) -> str:
    """Such as `aes256-sha512-modp3072-ke1_modp4096`. What is unknown stands as it was reported."""
    shown = str(fields.get("encr-alg", ""))
    words = [_ENCRYPTION.get(shown, shown).format(fields.get("encr-keysize", ""))]
    if integrity := fields.get("integ-alg"):
        words.append(re.sub(r"^HMAC_SHA2_(\d+)_\d+$", r"sha\1", integrity))
    if group := fields.get("dh-group"):
        words.append(_group(group))
    for number in range(1, 8):
        if group := fields.get(f"ake{number}"):
            words.append(f"ke{number}_{_group(group)}")
    return "-".join(words)


def _group(name: str) -> str:
    return name.lower().replace("_", "")
