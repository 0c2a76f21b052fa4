# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that are too small for a guest: the reason, and what to do."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

TKM_LAB = Path(sys.executable).with_name("tkm-lab")


def _up(name: str, *options: str, files: int = 0) -> subprocess.CompletedProcess[str]:
    limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None
    command: list[str | Path] = [
        TKM_LAB,
        "up",
        "two-hosts",
        "--kernel",
        "uml",
        "--name",
        name,
        *options,
    ]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=150, check=False, preexec_fn=limit
    )


def _is_up(name: str) -> bool:
    listed = subprocess.run([TKM_LAB, "status", "--json"], capture_output=True, check=False)
    return name.encode() in listed.stdout


def test_few_descriptors(worker_id: str) -> None:
    name = f"few-{worker_id}"
    result = _up(name, files=80)
    assert result.returncode == 1
    assert "this process may have 80 files open, and a guest needs" in result.stderr
    assert "ulimit -n" in result.stderr
    assert not _is_up(name)


def test_little_memory(worker_id: str) -> None:
    name = f"little-{worker_id}"
    result = _up(name, "--memory", "96M")
    assert result.returncode == 1
    assert "ran out of" in result.stderr
    assert "such as --memory 192M" in result.stderr
    assert not _is_up(name)


@pytest.mark.parametrize("size", ["1X", "3M", "lots"])
def test_what_is_not_a_size_of_memory(worker_id: str, size: str) -> None:
    result = _up(f"size-{worker_id}", "--memory", size)
    assert result.returncode == 2
    assert result.stderr.startswith("tkm-lab: --memory")


def test_little_memory_for_a_scenario(tmp_path: Path) -> None:
    options = ("--kernel", "uml", "--memory", "96M", "--keep", str(tmp_path))
    command: list[str | Path] = [TKM_LAB, "run", "forged-packets", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert result.returncode in (1, 3), "the guest dies at its start, or a daemon in it"
    assert "such as --memory 192M" in result.stdout
