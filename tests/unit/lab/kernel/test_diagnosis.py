# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a guest died: the cause and the remedy, from what was printed and what the host is."""

from __future__ import annotations

import pytest

from lab.kernel.diagnosis import DESCRIPTORS, Host, explain, look
from lab.kernel.plan import guest_memory, mebibytes

FINE = Host("A Processor", 2432, 20000, 9000)
INIT_DIED = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b"


@pytest.mark.parametrize(
    ("printed", "host", "told"),
    [
        (INIT_DIED, FINE._replace(registers=11008), "build the lab with --kernel qemu"),
        (INIT_DIED, FINE._replace(descriptors=80), f"ulimit -n {DESCRIPTORS}"),
        (INIT_DIED, FINE._replace(memory=500), "with less --memory"),
        (
            "Out of memory: Killed process 1 (python)",
            FINE,
            "ran out of its 1G of memory: build the lab with more, such as --memory 2048M",
        ),
        ("cannot load module ipv6.ko: Too many open files", FINE, "ulimit -n"),
    ],
)
def test_the_cause_and_what_to_do(printed: str, host: Host, told: str) -> None:
    text = explain(printed, "1G", host)
    assert told in text
    assert text.startswith(printed)
    assert "\n" not in text


def test_what_is_not_understood_comes_with_the_facts() -> None:
    text = explain("Kernel panic - not syncing: VFS", "1G", FINE)
    assert text == (
        "Kernel panic - not syncing: VFS; on A Processor, 2,432 octets of registers, 20000 open"
        " files allowed, 9000 MiB of memory free"
    )


def test_this_host_is_described() -> None:
    host = look()
    assert host.processor
    assert host.descriptors > 0
    assert host.memory > 0


@pytest.mark.parametrize(("size", "expected"), [("1G", 1024), ("768M", 768), ("0M", 0)])
def test_sizes(size: str, expected: int) -> None:
    assert mebibytes(size) == expected


@pytest.mark.parametrize("size", ["", "1", "G", "1K", "1 G", "-1G", "1.5G", "1g", "\uff11G"])
def test_what_is_not_a_size(size: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 1G or 768M"):
        mebibytes(size)


def test_a_guest_has_more_memory_for_more_hosts() -> None:
    assert mebibytes(guest_memory(2)) == 1024
    assert mebibytes(guest_memory(101)) >= 101 * 40 + 640
    assert mebibytes(guest_memory(2, 512 << 20)) >= 1024 + 448
