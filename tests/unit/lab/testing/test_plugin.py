# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin in projects that are not ours: it is loaded there, and harms nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m pytest` in a folder, which is then the first of sys.path."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("place", ["lab.py", "lab/__init__.py", "tkm/__init__.py"])
def test_a_project_may_have_a_package_of_that_name(tmp_path: Path, place: str) -> None:
    own = tmp_path / place
    own.parent.mkdir(exist_ok=True)
    own.write_text("OURS = 1\n")
    name = place.partition("/")[0].removesuffix(".py")
    (tmp_path / "test_it.py").write_text(
        f"import {name}\n"
        f"def test_own(): assert {name}.OURS\n"
        "def test_lab(lab_pool): assert lab_pool\n"
    )
    done = run(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed, 1 error" in done.stdout
    assert f"hides tkm-lab's own {name}: rename it" in done.stdout


FAILS = """
import pytest
import tkm_lab_pytest as plugin

class Links(list):
    since = 0

class Lab:
    name = "gone"
    def __getattr__(self, name):
        raise OSError(28, "No space left on device")

@pytest.fixture
def use(request):
    request.node.stash[plugin._USE] = plugin._Use(Lab(), Links(), 0)

def test_it(use):
    assert False

def test_other(): pass
"""


@pytest.mark.parametrize("options", [(), ("-W", "error")], ids=["plain", "warnings are errors"])
@pytest.mark.parametrize("artifacts", ["file/below", "folder"])
def test_artifacts_that_cannot_be_written_are_a_warning(
    tmp_path: Path, options: tuple[str, ...], artifacts: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "test_it.py").write_text(FAILS)
    done = run(tmp_path, "--lab-artifacts", artifacts, *options)
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "lab: not all could be saved" in done.stdout
    assert ("PytestWarning: test_it.py::test_it: not all of its lab" in done.stdout) != bool(
        options
    )
