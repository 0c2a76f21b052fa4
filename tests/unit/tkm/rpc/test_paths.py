# SPDX-License-Identifier: GPL-2.0-or-later
"""The default sockets: in folders of their own, and one precise error where these cannot be."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.unit.tkm.keymanager_files import options
from tests.unit.tkm.test_programs import run
from tkm.rpc import paths

PACKAGES = ("tkm", "tkm_cfgtool", "xfrm_proxy", "ike", "lab")
ROOT = Path(__file__).parents[4]
NOBODY = 65534


def as_ordinary_user(path: str, option: str) -> str:
    """What prepare() raises in a child process of a user without rights."""
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresuid(NOBODY, NOBODY, NOBODY)
            paths.prepare(path, option)
        except OSError as error:
            os.write(writable, f"{error.filename}: {error.strerror}".encode())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        raised = pipe.read().decode()
    os.waitpid(child, 0)
    return raised


@pytest.mark.parametrize("path", [paths.IKE_SOCKET, paths.EES_SOCKET])
def test_an_ordinary_user_is_told_the_option(path: str) -> None:
    raised = as_ordinary_user(path, "--socket")
    assert raised.startswith(f"{path}: Permission denied: no socket can be made in /run/tkm/")
    assert raised.endswith("; choose another path with --socket")
    assert not as_ordinary_user(paths.ORIGINAL_IKE_SOCKET, "--socket")


def test_a_folder_of_another_user_is_refused() -> None:
    """It is there and may be entered, but no name can be made in it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        raised = as_ordinary_user(f"{folder}/socket", "--socket")
    assert raised.startswith(
        f"{folder}/socket: Permission denied: no socket can be made in {folder}"
    )
    assert raised.endswith("; choose another path with --socket")


def test_folders_are_made_for_defaults_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = f"{tmp_path}/run/tkm/own", f"{tmp_path}/run/tkm/other/socket"
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(paths, "_DEFAULTS", (f"{own}/socket",))
    mask = os.umask(0o077)
    try:
        for _ in ("first start", "second start"):
            paths.prepare(f"{own}/socket", "--socket")
    finally:
        os.umask(mask)
    for folder in (Path(own), Path(own).parent):
        assert folder.stat().st_mode & 0o7777 == 0o755  # others connect, and make nothing
    with pytest.raises(FileNotFoundError, match="choose another path with --ees-socket"):
        paths.prepare(other, "--ees-socket")


def test_a_folder_that_is_there_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tkm" / "own"
    folder.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(paths, "_DEFAULTS", (f"{folder}/socket",))
    paths.prepare(f"{folder}/socket", "--socket")
    assert folder.stat().st_mode & 0o7777 == 0o700


def test_the_key_manager_reports_the_option(files: Path) -> None:
    missing = files / "missing" / "socket"
    code, lines = run("tkm.daemon.main", *options(files), "--socket", missing)
    assert code == 1
    assert lines[-1].endswith(
        f"{missing}: No such file or directory: no socket can be made in {files}/missing as user "
        f"{os.geteuid()}; choose another path with --socket"
    )


def test_one_module_has_the_paths() -> None:
    names = (paths.IKE_SOCKET, paths.EES_SOCKET, "/tmp/tkm.rpc", "/run/tkm/")
    found = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if any(name in file.read_text(encoding="utf-8") for name in names)
    }
    assert found == {"tkm/rpc/paths.py"}


@pytest.mark.parametrize("page", ["tkm.md", "real-hosts.md"])
def test_the_docs_have_the_defaults(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert paths.IKE_SOCKET in text
    assert paths.EES_SOCKET in text


@pytest.mark.parametrize("page", ["backends.md", "real-hosts.md"])
def test_the_docs_have_the_paths_of_charon_tkm(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert paths.ORIGINAL_IKE_SOCKET in text
    assert paths.ORIGINAL_EES_SOCKET in text
