# SPDX-License-Identifier: GPL-2.0-or-later
"""Path validation against NIST PKITS: none is wrongly accepted, and what is wrongly refused."""

from typing import Any, Final

import pytest

from tests.unit.tkm import pkits

NO_DSA: Final = "DSA keys are not for IKEv2 (RFC 8247 and RFC 7427 ask for none)"
NO_CRLS: Final = "only a CRL, or the want of one, makes it invalid"
_CRLS: Final = {
    "4.4": (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 15, 18, 20, 21),
    "4.5": (2, 5, 7),
    "4.7": (4, 5),
    "4.14": (2, 3, 6, 8, 9, 11, 12, 14, 15, 16, 17, 20, 21, 23, 26, 27, 31, 32, 34, 35),
    "4.15": (1, 3, 4, 6, 9, 10),
}
WRONG: Final = {
    "4.1.4": NO_DSA,
    "4.1.5": NO_DSA,
    **{f"{section}.{number}": NO_CRLS for section, some in _CRLS.items() for number in some},
}
"""Sections whose result is not what PKITS expects, and why."""
RIGHT: Final = 198


def is_right(case: Any) -> bool:
    return bool(pkits.refusal(case)) is not case["valid"]


@pytest.mark.parametrize("name", pkits.cases())
def test_a_case(name: str) -> None:
    case = pkits.cases()[name]
    assert is_right(case) is (case["section"] not in WRONG), pkits.refusal(case)


def test_how_many_are_right() -> None:
    assert len(pkits.cases()) == 246
    assert sum(map(is_right, pkits.cases().values())) == RIGHT
