# SPDX-License-Identifier: GPL-2.0-or-later
"""A saved lab is read as it was written; what is not one is refused in one line."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.build import saved
from lab.build.files import File
from lab.errors import UsageError
from lab.protocol import document
from lab.topology import load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "saved"
    for node in ("alice", "bob"):
        (place / node / "x509").mkdir(parents=True)
        (place / node / "key.der").write_bytes(node.encode())
        (place / node / "key.der").chmod(0o600)
        (place / node / "x509" / "own.der").write_bytes(b"certificate")
        (place / node / "x509" / "own.der").chmod(0o644)
    write(place)
    return place


def write(place: Path, **changes: Any) -> None:
    topology = document.encode(load("two-hosts"))
    about = {"version": 1, "topology": topology, "ike_keys_exposed": True}
    (place / saved.FILE).write_text(json.dumps(about | changes))


def test_a_saved_lab_is_read(folder: Path) -> None:
    assert saved.is_saved(folder)
    found = saved.load(folder)
    assert found.topology == load("two-hosts")
    assert found.ike_keys_exposed
    assert found.files["alice"] == {
        "/etc/tkm/key.der": File(b"alice", 0o600),
        "/etc/tkm/x509/own.der": File(b"certificate", 0o644),
    }


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"version": 2}, "is of version 2: this tkm-lab reads 1"),
        ({"version": None}, "is of version None"),
        ({"topology": {}}, "is damaged"),
        ({"topology": 3}, "is damaged"),
    ],
)
def test_what_is_wrong_with_it_is_reported(
    folder: Path, changes: dict[str, Any], fault: str
) -> None:
    write(folder, **changes)
    with pytest.raises(UsageError, match=fault):
        saved.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", "no JSON"])
def test_a_damaged_file_is_reported(folder: Path, text: str) -> None:
    (folder / saved.FILE).write_text(text)
    with pytest.raises(UsageError, match="is damaged"):
        saved.load(folder)


def test_a_host_without_files_is_reported(folder: Path) -> None:
    for file in [*(folder / "bob").glob("x509/*"), *(folder / "bob").glob("*.der")]:
        file.unlink()
    with pytest.raises(UsageError, match="bob has no files: save the lab again"):
        saved.load(folder)


def test_nothing_outside_the_folder_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "alice" / "link").symlink_to(tmp_path / "secret")
    (folder / "alice" / "links").symlink_to(tmp_path)
    assert b"secret" not in [file.octets for file in saved.load(folder).files["alice"].values()]

    topology = document.encode(load("two-hosts"))
    topology["nodes"]["alice"]["name"] = ".."
    write(folder, topology=topology)
    with pytest.raises(UsageError, match="a host is named"):
        saved.load(folder)

    (folder / "alice").rename(folder / "elsewhere")
    (folder / "alice").symlink_to(folder / "elsewhere")
    write(folder)
    with pytest.raises(UsageError, match="alice has no files"):
        saved.load(folder)


def test_a_host_names_no_file_elsewhere(tmp_path: Path) -> None:
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w") as archive:
        for name in ("./own", "../escaped", "/absolute"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    saved._unpack(octets.getvalue(), tmp_path / "alice")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == [
        "alice",
        "alice/own",
    ]
