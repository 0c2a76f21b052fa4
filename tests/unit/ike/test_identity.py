# SPDX-License-Identifier: GPL-2.0-or-later
"""Identities as they are shown."""

import pytest

from ike.identity import Identity
from ike.message.numbers import IdType


@pytest.mark.parametrize("kind", [IdType.FQDN, IdType.RFC822_ADDR])
def test_what_a_peer_writes_is_one_line(kind: IdType) -> None:
    shown = str(Identity(kind=kind, data=b"bob\nNov 21 2026 IKE_SA established\r\x1b[2J\xff"))
    assert shown == r"bob\x0aNov 21 2026 IKE_SA established\x0d\x1b[2J\xff"


@pytest.mark.parametrize("text", ["alice@tkm-lab.test", "gw.example.org"])
def test_a_sound_one_is_shown_as_it_is(text: str) -> None:
    assert str(Identity.parse(text)) == text
