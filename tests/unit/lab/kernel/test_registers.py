# SPDX-License-Identifier: GPL-2.0-or-later
"""User-Mode Linux and the processor's register set: when a corrected copy is run, and which."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.kernel import registers, uml
from lab.kernel.registers import fit, widened

AMX = 11008
_PLACE = bytes.fromhex("48c745f8880a0000bf05420000")
_GET = bytes.fromhex("48c745f8880a0000bf04420000")
ONCE = b"\x90" * 40 + _GET + b"\x90" * 9 + _PLACE + b"\xc3" * 20
RELEASE = "6.1.176"


def test_a_small_set_needs_no_copy() -> None:
    for host in (576, 832, 2432, 2696):
        found = fit(ONCE, RELEASE, host)
        assert not found.needs_copy
        assert not found.problem
        assert found.describe() == ""


def test_a_large_set_needs_a_copy_in_which_one_length_differs() -> None:
    found = fit(ONCE, RELEASE, AMX)
    assert found.needs_copy
    copy = widened(ONCE, found)
    changed = [at for at, (old, new) in enumerate(zip(ONCE, copy, strict=True)) if old != new]
    start = ONCE.index(_PLACE) + 4
    assert set(changed) <= set(range(start, start + 4))
    assert int.from_bytes(copy[start : start + 4], "little") == AMX
    assert copy[: ONCE.index(_PLACE)] == ONCE[: ONCE.index(_PLACE)], "getting may be shorter"
    assert "11,008" in found.describe()
    assert "2,696" in found.describe()


@pytest.mark.parametrize(
    ("image", "where"), [(b"\x90" * 100 + _GET, "nowhere"), (ONCE + ONCE, "more than once")]
)
def test_without_exactly_one_place_it_cannot_run(image: bytes, where: str) -> None:
    found = fit(image, RELEASE, AMX)
    assert not found.needs_copy
    assert where in found.problem
    assert "11,008" in found.problem
    with pytest.raises(ValueError, match="no length"):
        widened(image, found)


def test_a_build_without_the_place_runs_where_the_set_is_small() -> None:
    assert not fit(b"\x90" * 100, RELEASE, 2696).problem


@pytest.mark.parametrize("release", ["6.13", "6.13.1-um", "7.0.2"])
def test_later_kernels_ask_for_the_size(release: str) -> None:
    found = fit(b"\x90" * 100, release, AMX)
    assert not found.problem
    assert not found.needs_copy


def test_a_host_that_does_not_report_its_set_needs_no_copy() -> None:
    assert not fit(ONCE, RELEASE, None).needs_copy


def test_debians_linux_uml_has_exactly_one_place() -> None:
    linux = shutil.which("linux.uml")
    assert linux
    release = registers.newest_release(uml.MODULES.iterdir())
    found = fit(Path(linux).read_bytes(), release, AMX)
    assert found.needs_copy
    assert found.restored == 2696


def test_this_host_reports_its_set(record_property: Callable[[str, object], None]) -> None:
    """The kind of this host decides which case the end-to-end tests run for real."""
    size = registers.host_size()
    record_property("register set, octets", size)
    if "xsave" in Path("/proc/cpuinfo").read_text():
        assert size is not None
        assert size >= 576, "the legacy area and the header alone"
    else:
        assert size is None
