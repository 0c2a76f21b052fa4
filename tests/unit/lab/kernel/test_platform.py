# SPDX-License-Identifier: GPL-2.0-or-later
"""What labs run on: `up`, `run` and the plugin for pytest take the same options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.build import builder
from lab.cli.main import cli, main
from lab.errors import KernelError, UsageError
from lab.kernel.platform import Platform, chosen
from lab.testing.pool import Pool
from lab.topology import load

OPTIONS = ("kernel", "memory", "capture", "image", "modules")
ASKED = ("--kernel", "qemu", "--memory", "2G", "--capture", "8M", "--image", "k", "--modules", "m")
WANTED = Platform("qemu", "2G", 8 << 20, "k", "m")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The named arguments of each lab that was to be built; none is."""
    found: list[dict[str, Any]] = []

    def up(*_: object, **named: object) -> None:
        found.append(named)
        raise KernelError("not here")

    monkeypatch.setattr(builder, "up", up)
    return found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("auto", "1X", "64M", "", ""), "--memory: '1X' is not a size"),
        (("auto", "3M", "64M", "", ""), "--memory 3M: a guest needs at least 96M"),
        (("auto", "", "lots", "", ""), "--capture: 'lots' is not a size"),
        (("auto", "", "0M", "", ""), "--capture 0M: a capture needs at least 1M"),
        (("uml", "", "64M", "bzImage", ""), "add --kernel qemu"),
        (("auto", "", "64M", "", "folder"), "add --kernel qemu"),
        (("qemu", "", "64M", "", "folder"), "add --image PATH"),
    ],
)
def test_what_is_refused(words: tuple[str, str, str, str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        chosen(*words)
    with pytest.raises(UsageError, match=told.replace("--", "--lab-")):
        chosen(*words, prefix="--lab-")


def test_up_and_run_have_the_same_options() -> None:
    up, run = (
        {p.name: p.to_info_dict() for p in cli.commands[name].params} for name in ("up", "run")
    )
    for option in OPTIONS:
        assert up[option] == run[option]


@pytest.mark.parametrize(
    ("command", "code"), [(("up", "two-hosts"), 1), (("run", "forged-packets"), 3)]
)
def test_the_options_arrive(
    built: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([*command, *ASKED])
    assert ended.value.code == code
    assert [Platform(*(named[option] for option in OPTIONS)) for named in built] == [WANTED]


@pytest.mark.parametrize("command", [("up", "two-hosts"), ("run", "forged-packets")])
def test_wrong_use_builds_nothing(
    built: list[dict[str, Any]], capfd: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--image", "k"])
    assert ended.value.code == 2
    assert "add --kernel qemu" in capfd.readouterr().err
    assert built == []


def test_a_pool_builds_on_what_was_chosen(built: list[dict[str, Any]]) -> None:
    with pytest.raises(KernelError):
        Pool(WANTED).shared(load("two-hosts"))
    assert [Platform(*(named[option] for option in OPTIONS)) for named in built] == [WANTED]


TEST = """
def test_it(lab_pool):
    print(tuple(lab_pool._platform))
    assert False
"""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            [f"--lab-{word.removeprefix('--')}" if "--" in word else word for word in ASKED],
            str(tuple(WANTED)),
        ),
        ([], str(tuple(Platform()))),
        (["--lab-memory", "lots"], "--lab-memory: 'lots' is not a size such as 1G or 768M"),
    ],
)
def test_the_plugin_has_them_too(tmp_path: Path, options: list[str], told: str) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *options]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert told in done.stdout
