# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder with keys: private whatever was there before, and no file of others is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.observe.folder import MARK, write_folder

FILES = {"preferences": "gui: x\n", "esp_sa": "keys\n"}


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.lstat().st_mode & 0o777 for file in folder.iterdir()}


def test_it_is_private_and_nothing_else_is_left(tmp_path: Path) -> None:
    keys = tmp_path / "deep" / "keys"
    write_folder(keys, FILES)
    write_folder(keys, FILES | {"ikev2_decryption_table": "more\n"})
    assert modes(keys) == dict.fromkeys([*FILES, "ikev2_decryption_table"], 0o600)
    assert keys.stat().st_mode & 0o777 == 0o700
    assert (keys / "esp_sa").read_text() == MARK + "keys\n"


def test_files_that_others_could_read_are_private_then(tmp_path: Path) -> None:
    write_folder(tmp_path, FILES)
    (tmp_path / "esp_sa").chmod(0o644)
    with (tmp_path / "esp_sa").open() as opened_by_another:
        write_folder(tmp_path, FILES | {"esp_sa": "secret\n"})
        assert "secret" not in opened_by_another.read()
    assert modes(tmp_path)["esp_sa"] == 0o600


def plain(file: Path) -> None:
    file.write_text("the user's\n")


def link(file: Path) -> None:
    elsewhere = file.parent / "elsewhere"
    elsewhere.write_text(MARK)
    file.symlink_to(elsewhere)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("make", [plain, link, os.mkfifo, Path.mkdir])
def test_what_is_not_ours_stays(tmp_path: Path, name: str, make: Callable[[Path], object]) -> None:
    make(tmp_path / name)
    before = {file.name: file.lstat().st_ino for file in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=f"{name} is not tkm-lab's: choose another folder"):
        write_folder(tmp_path, FILES)
    assert {file.name: file.lstat().st_ino for file in tmp_path.iterdir()} == before
    if make is link:
        assert (tmp_path / "elsewhere").read_text() == MARK


def test_preferences_that_the_user_has_changed_are_kept(tmp_path: Path) -> None:
    write_folder(tmp_path, FILES)
    (tmp_path / "preferences").write_text("# Configuration file for Wireshark\n")
    write_folder(tmp_path, FILES | {"esp_sa": "new\n"})
    assert (tmp_path / "preferences").read_text() == "# Configuration file for Wireshark\n"
    assert (tmp_path / "esp_sa").read_text() == MARK + "new\n"


def test_a_folder_behind_a_link_or_open_to_others_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(real)
    with pytest.raises(UsageError, match="link"):
        write_folder(tmp_path / "link", FILES)
    real.chmod(0o777)
    with pytest.raises(UsageError, match="others can write to"):
        write_folder(real, FILES)
    assert list(real.iterdir()) == []


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Not a directory"):
        write_folder(tmp_path / "file" / "keys", FILES)
