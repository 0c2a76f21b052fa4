# SPDX-License-Identifier: GPL-2.0-or-later
"""One peer's share of the contexts of generation 1, of which there are fewer."""

import os
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from tests.attacks.process.attacker import attacker, config
from tests.attacks.process.requests import no_pfs, nonce
from tkm.config.policy import Config

POLICIES = 20


def many_policies() -> Config:
    """Policy 1 is with bob, the others with carol at many addresses."""
    made = config()
    for number in range(3, POLICIES + 1):
        policy = made.policies[2]
        remote = replace(policy.remote, ip=ip_address(f"192.168.1.{number}"))
        made.policies[number] = replace(policy, id=number, remote=remote)
    return made


def test_a_peer_of_generation_1_has_its_share_of_100_contexts(tmp_path: Path) -> None:
    with attacker(1, tmp_path, many_policies()) as on:
        _, alice, _ = on.active()
        share = 100 // POLICIES
        for esa in range(1, share + 1):
            nonce(on)
            on.client.call(no_pfs(alice, os.urandom(32), esa=esa))
        nonce(on)
        on.refused(no_pfs(alice, os.urandom(32), esa=share + 1))
        on.judge()
