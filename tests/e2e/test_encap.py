# SPDX-License-Identifier: GPL-2.0-or-later
"""ESP in UDP without a NAT, because one side wants it so: `encap = yes` (and ESN by default)."""

from __future__ import annotations

import pytest

from lab.check.checker import check
from lab.topology import load
from tests.e2e.conftest import Builder

LOAD = """\
sed 's/^    version = 2/&\\n    encap = yes/' /etc/tkm/swanctl.conf > /etc/tkm/encap.conf &&
swanctl --load-conns --file /etc/tkm/encap.conf
"""
NAT_PORT = 4500


@pytest.mark.parametrize("wants", ["moon", "sun"])
def test_over_ipv4_and_ipv6(fresh: Builder, wants: str) -> None:
    lab = fresh(load("dual-stack"))
    done = lab.call(wants, ["sh", "-c", LOAD])
    assert done.code == 0, done.stderr.decode()
    proofs = check(lab)
    assert [failure for proof in proofs for failure in proof.verdict.failures] == []
    assert all(proof.verdict.ok for proof in proofs)
    for node in ("moon", "sun"):
        states = [state for state in lab.states(node).states if state.spi]
        assert {(state.encap, state.esn) for state in states} == {((NAT_PORT, NAT_PORT), True)}
        assert {":" in str(state.src) for state in states} == {True, False}
