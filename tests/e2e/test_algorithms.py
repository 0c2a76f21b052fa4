# SPDX-License-Identifier: GPL-2.0-or-later
"""Algorithms in real kernels, against ourselves and strongSwan; ESP is proven after each rekey."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.check.checker import check
from lab.client import vici
from lab.topology import load, shipped
from tests.e2e.conftest import Builder
from tests.e2e.interop import wait_until
from tests.e2e.test_rekey import spis

OURS = [
    ("aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-x25519-esn-noesn"),
    ("chacha20poly1305-prfsha256-x448", "chacha20poly1305-ecp384"),
]
BY_STRONGSWAN = [
    ("aes128-sha256-modp2048", "aes128-sha256-modp2048"),
    ("aes256-sha384-modp6144", "aes128-sha384"),
]
"""What Debian's libstrongswan has without further packages."""


@pytest.mark.parametrize(
    ("ike", "esp", "peer"),
    [*((*each, "builtin") for each in OURS), *((*each, "strongswan") for each in BY_STRONGSWAN)],
)
def test_algorithms(fresh: Builder, tmp_path: Path, ike: str, esp: str, peer: str) -> None:
    text = shipped()["two-hosts"].read_text()
    text = text.replace("[nodes.bob]\n", f'[nodes.bob]\nike = "{peer}"\n')
    mode = 'mode = "transport"\n'
    text = text.replace(mode, f'{mode}ike = "{ike}"\nesp = "{esp}"\n')
    file = tmp_path / "algorithms.toml"
    file.write_text(text)
    lab = fresh(load(str(file)))
    (proof,) = check(lab)
    assert proof.verdict.ok, [str(failure) for failure in proof.verdict.failures]
    before = spis(lab, "alice")
    vici.rekey(lab, "alice", child="conn1")
    vici.rekey(lab, "alice", ike="conn1")

    def is_replaced() -> bool:
        now = spis(lab, "alice")
        return now == spis(lab, "bob") and len(now) == 2 and not now & before

    wait_until(is_replaced, "both kernels have the same two new states")
    (proof,) = check(lab)
    assert proof.verdict.ok, [str(failure) for failure in proof.verdict.failures]
