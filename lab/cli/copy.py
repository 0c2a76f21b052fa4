# SPDX-License-Identifier: GPL-2.0-or-later
"""``cp``: files and folders, between this machine and a host, or between two hosts."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import click

from lab.cli import complete
from lab.cli.common import lab_option, the_lab
from lab.errors import LabError, UsageError

if TYPE_CHECKING:
    from lab.client.lab import Lab


class Place(NamedTuple):
    """A path, of a node or of this machine (""); it may name a folder into which to copy."""

    node: str
    path: PurePosixPath
    is_folder: bool

    @classmethod
    def of(cls, text: str) -> Place:
        """From `NODE:PATH` or `PATH`; what has a slash before its colon is a path."""
        node, colon, path = text.partition(":")
        if not colon or "/" in node or not node:
            node, path = "", text
        if not path:
            raise UsageError(f"'{text}' names no path; write {text}/etc/hosts")
        return cls(node, PurePosixPath(path), path.endswith(("/", "/.")) or path == ".")


@click.command(name="cp", short_help="Copy files to a host, or from one.")
@lab_option
@click.argument("source", metavar="[NODE:]SOURCE", shell_complete=complete.places)
@click.argument("target", metavar="[NODE:]TARGET", shell_complete=complete.places)
def cp(name: str | None, source: str, target: str) -> None:
    """Copy a file or a folder; TARGET is its new name, or a folder that is there.

    \b
      tkm-lab cp alice:/etc/tkm/swanctl.conf .
      tkm-lab cp trace.sh bob:/tmp/
    """
    begin, end = Place.of(source), Place.of(target)
    if not begin.node and not end.node:
        raise UsageError("which host? write one of the two as alice:/tmp/file")
    if not begin.path.name:
        raise UsageError(f"'{source}' names no file")
    lab = the_lab(name)
    archive = _read(lab, begin)
    _write(lab, end, begin.path.name, archive)


def _read(lab: Lab, place: Place) -> bytes:
    """A tar archive with the file or folder.

    Raises LabError: it cannot be read.
    """
    if place.node:
        command = ["tar", "-C", str(place.path.parent), "-cf", "-", "--", place.path.name]
        done = lab.call(place.node, command)
        if done.code:
            raise LabError(f"{place.node}: {_reason(done.stderr)}")
        return done.stdout
    octets = io.BytesIO()
    try:
        with tarfile.open(fileobj=octets, mode="w") as archive:
            archive.add(place.path, place.path.name)
    except OSError as trouble:
        raise LabError(f"{place.path}: {trouble.strerror}") from trouble
    return octets.getvalue()


def _write(lab: Lab, place: Place, name: str, archive: bytes) -> None:
    """Unpack what is called `name` in an archive.

    Raises LabError: it cannot be written.
    """
    if place.node:
        _write_there(lab, place, name, archive)
        return
    folder, new = place.path, name
    if not place.is_folder and not Path(folder).is_dir():
        folder, new = place.path.parent, place.path.name
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar.getmembers():
                member.name = new + member.name.removeprefix(name)
                tar.extract(member, folder, filter="data")
    except (OSError, tarfile.TarError) as trouble:
        raise LabError(f"{place.path}: {trouble}") from trouble


_UNPACK = """\
target=$1 name=$2 is_folder=$3
if [ "$is_folder" ] || [ -d "$target" ]; then exec tar -C "$target" -xf -; fi
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
tar -C "$place" -xf - && mv -T -- "$place/$name" "$target"
"""


def _write_there(lab: Lab, place: Place, name: str, archive: bytes) -> None:
    arguments = [str(place.path), name, "1" * place.is_folder]
    done = lab.call(place.node, ["sh", "-c", _UNPACK, "sh", *arguments], archive)
    if done.code:
        raise LabError(f"{place.node}: {_reason(done.stderr)}")


def _reason(octets: bytes) -> str:
    lines = octets.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "tar has failed"
