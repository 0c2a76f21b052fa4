# SPDX-License-Identifier: GPL-2.0-or-later
"""``capture``: the wire, for Wireshark, with the keys to look inside."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from lab.cli import complete
from lab.cli.common import ending_quietly, lab_option, the_lab
from lab.cli.streams import reader_gone
from lab.errors import UsageError


@click.command(short_help="What is on the wire, as pcapng.")
@lab_option
@click.option("-o", "--output", metavar="FILE", help="Where to, else standard output.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("-n", "--new", is_flag=True, help="Leave out what was sent before.")
@click.option(
    "--keys",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the lab's keys there, for Wireshark to look inside ESP (see below).",
)
@click.argument("link", required=False, shell_complete=complete.links)
def capture(
    name: str | None,
    output: str | None,
    follow: bool,
    new: bool,
    keys: Path | None,
    link: str | None,
) -> None:
    """Write what was sent on LINK, or on all links, since the lab is up, as pcapng.

    A frame's interface is the port that sent it, such as alice-eth0. If frames are missing, a line
    on standard error and the statistics of the interface any-port count them.

    \b
      tkm-lab capture -f | wireshark -k -i -
      tkm-lab capture wire -o wire.pcapng --keys keys
      WIRESHARK_CONFIG_DIR=keys wireshark wire.pcapng

    --keys makes a folder of Wireshark's with the keys of every ESP SA that the hosts ever had, and
    with those of IKE if the lab was started with --expose-ike-keys. With -f the folder is kept up
    to date; Wireshark reads it when it starts, and when it opens a file.
    """
    from lab.cli import show
    from lab.observe import recording

    lab = the_lab(name)
    since = lab.status().frames if new else 0
    recorder = recording.Recorder(lab, link, keys)
    pieces = recorder.live(since, _end(output)) if follow else iter([recorder.all(since)])
    with _sink(output) as sink, ending_quietly():
        _explain(keys, output)
        for octets in pieces:
            sink.write(octets)
            sink.flush()
    if recorder.lost:
        show.warn(
            f"the capture is not complete: {recorder.lost} frames are missing; "
            "a lab built with a larger --capture keeps more"
        )


def _end(output: str | None) -> int | None:
    """What becomes readable when nobody reads the capture any more."""
    return reader_gone() if output in (None, "-") else None


@contextmanager
def _sink(output: str | None) -> Iterator[BinaryIO]:
    """The file; standard output, unless that is a terminal."""
    if output is None and sys.stdout.isatty():
        raise UsageError("a capture is nothing for a terminal: -o FILE, or | wireshark -k -i -")
    if output in (None, "-"):
        yield sys.stdout.buffer
        return
    try:
        with Path(str(output)).open("wb") as file:
            yield file
    except BrokenPipeError:  # a FIFO, and its reader has had enough
        return
    except OSError as trouble:
        raise UsageError(f"{output}: {trouble.strerror}") from trouble


def _explain(keys: Path | None, output: str | None) -> None:
    """Say how to look inside."""
    if keys is None:
        return
    from lab.cli import show

    reader = f"wireshark -r {shlex.quote(output)}" if output else "… | wireshark -k -i -"
    show.hint(f"to look inside ESP: WIRESHARK_CONFIG_DIR={shlex.quote(str(keys))} {reader}")
