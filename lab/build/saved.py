# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab in a folder, so that it can be handed on: topology, configurations, credentials.

    DIR/lab.json       the topology, as the lab remembers it
    DIR/alice/…        what is in /etc/tkm of a host, private keys included

The keys are those of the lab alone, but whoever has the folder can be its hosts: only its owner
may read it.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lab.build.files import FOLDER, File
from lab.client import metadata
from lab.errors import LabError, UsageError
from lab.protocol import document
from lab.topology import Topology

if TYPE_CHECKING:
    from lab.client.lab import Lab

FILE = "lab.json"
VERSION = 1
"""Of the folder's format."""


class Saved(NamedTuple):
    """A lab as it was saved."""

    topology: Topology
    files: dict[str, dict[str, File]]
    """By node and path."""
    ike_keys_exposed: bool


def save(lab: Lab, folder: Path) -> None:
    """Write a lab that is up into a new folder.

    Raises:
        UsageError: the folder is there already, or cannot be written.
        LabError: the lab was not built from a topology, or a host does not give its files.
    """
    about = {
        "version": VERSION,
        "topology": document.encode(metadata.topology_of(lab)),
        "ike_keys_exposed": metadata.ike_keys_exposed(lab.status()),
    }
    archives = {node: _archive(lab, node) for node in _with_files(metadata.topology_of(lab))}
    try:
        folder.mkdir(mode=0o700, parents=True)
        for node, octets in archives.items():
            _unpack(octets, folder / node)
        (folder / FILE).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    except FileExistsError as there:
        raise UsageError(f"{folder} exists: choose another folder, or remove it") from there
    except OSError as trouble:
        raise UsageError(f"{trouble.filename or folder}: {trouble.strerror}") from trouble


def is_saved(folder: Path) -> bool:
    """Whether a lab was saved there."""
    return (folder / FILE).is_file()


def load(folder: Path) -> Saved:
    """A lab from its folder.

    Raises:
        UsageError: it cannot be read, is damaged, or was written by another version.
    """
    file = folder / FILE
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        version = about["version"]
        if version != VERSION:
            raise UsageError(f"{file} is of version {version}: this tkm-lab reads {VERSION}")
        topology = document.decode(Topology, about["topology"])
        nodes = _with_files(topology)
        if odd := [node for node in nodes if node in (".", "..") or "/" in node]:
            raise ValueError(f"a host is named {odd[0]}")  # it would be a path
        files = {node: _files(folder / node) for node in nodes}
        return Saved(topology, files, about["ike_keys_exposed"] is True)
    except OSError as trouble:
        raise UsageError(f"{trouble.filename or file}: {trouble.strerror}") from trouble
    except (ValueError, TypeError, KeyError, AttributeError) as trouble:
        raise UsageError(f"{file} is damaged ({trouble!r}): save the lab again") from trouble


def _with_files(topology: Topology) -> list[str]:
    return [node.name for node in topology.nodes.values() if node.ike != "none"]


def _archive(lab: Lab, node: str) -> bytes:
    done = lab.call(node, ["tar", "-C", FOLDER, "-cf", "-", "."])
    if done.code:
        raise LabError(f"{node}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _unpack(octets: bytes, place: Path) -> None:
    """Write the plain files of an archive; a host cannot name one that is elsewhere."""
    place.mkdir(mode=0o700)
    with tarfile.open(fileobj=io.BytesIO(octets)) as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or name.is_absolute() or ".." in name.parts:
                continue
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_bytes(content.read())
            file.chmod(member.mode & 0o777)


def _files(place: Path) -> dict[str, File]:
    inside = [] if place.is_symlink() else sorted(place.rglob("*"))
    found = (file for file in inside if file.is_file() and not file.is_symlink())
    files = {
        f"{FOLDER}/{file.relative_to(place).as_posix()}": File(
            file.read_bytes(), file.stat().st_mode & 0o777
        )
        for file in found
    }
    if not files:
        raise UsageError(f"{place} has no files: save the lab again")
    return files
