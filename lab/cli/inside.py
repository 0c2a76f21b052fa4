# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands in a node: ``exec``, ``shell``, ``ping``. Their exit code is the command's own."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import click

from lab.cli import complete
from lab.cli.common import lab_option, the_lab
from lab.cli.streams import reader_gone
from lab.errors import CannotExecute, UsageError

if TYPE_CHECKING:
    from lab.client.lab import Lab


_SHELL = ("env", r"PS1=\[\e[1m\]\h\[\e[0m\]:\w\$ ", "bash", "--norc", "-i")
"""Without what this host has in ~/.bashrc: that is not the node's, and slow in a guest."""


@click.command(name="exec", short_help="Run a command in a node.")
@lab_option
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal: for top or vi.")
@click.argument("node", shell_complete=complete.nodes)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(name: str | None, tty: bool, node: str, command: tuple[str, ...]) -> None:
    """Run COMMAND in NODE: tkm-lab exec alice -- ip -s xfrm state"""
    _end_as(the_lab(name), node, command, tty=tty)


@click.command(short_help="A shell in a node.")
@lab_option
@click.argument("node", shell_complete=complete.nodes)
def shell(name: str | None, node: str) -> None:
    """Open a shell in NODE."""
    _end_as(the_lab(name), node, _SHELL, tty=True)


@click.command(short_help="Send echo requests from one node to another.")
@lab_option
@click.option("-c", "--count", default=4, show_default=True, help="How many replies to wait for.")
@click.argument("source", shell_complete=complete.nodes)
@click.argument("destination", shell_complete=complete.nodes)
def ping(name: str | None, count: int, source: str, destination: str) -> None:
    """Send echo requests from SOURCE to DESTINATION, a node's name or an address.

    It ends after so many replies. The first request may get none: it asks for the SAs.
    """
    lab = the_lab(name)
    address = _address(lab, destination)
    command = ["ping", "-n", "-i", "0.2", "-c", str(count), "-w", str(10 + count), address]
    output = _PingOutput(count, sys.stdout.buffer)
    code = lab.run(source, command, stdout=output.write, end=reader_gone())
    output.end()
    sys.exit(code)


class _PingOutput:
    """What ping prints, but its summary: a success that waited for SAs is not packet loss."""

    _SUMMARY = re.compile(rb"(\d+) packets transmitted, (\d+) received,.*?(, time \d+ms)?\n")

    def __init__(self, wanted: int, sink: BinaryIO) -> None:
        """Pass on what ping prints.

        Args:
            wanted: the number of replies that it waits for.
            sink: where the output goes, line by line.
        """
        self._wanted = wanted
        self._sink = sink
        self._rest = b""

    def write(self, octets: bytes) -> None:
        """Take what comes next."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        self._sink.writelines(self._line(line + b"\n") for line in lines)
        self._sink.flush()

    def end(self) -> None:
        """Pass on what is not a whole line."""
        self._sink.write(self._rest)
        self._sink.flush()

    def _line(self, line: bytes) -> bytes:
        found = self._SUMMARY.fullmatch(line)
        if found is None or int(found[2]) < self._wanted:
            return line
        sent, received, took = int(found[1]), int(found[2]), found[3] or b""
        more = f", {sent - received} more without a reply" if sent > received else ""
        return f"{received} of {self._wanted} replies received{more}".encode() + took + b"\n"


def _end_as(lab: Lab, node: str, command: Sequence[str], *, tty: bool) -> NoReturn:
    """Run a command with our input, and exit as a shell does after it."""
    from lab.cli import show

    try:
        code = lab.run(node, command, stdin=sys.stdin.buffer, tty=tty, end=reader_gone())
    except CannotExecute as refusal:
        show.trouble(str(refusal))
        code = refusal.shell_code
    sys.exit(code)


def _address(lab: Lab, destination: str) -> str:
    """The first address of a node; an address is its own.

    Raises UsageError: it is neither, or the node has none.
    """
    with contextlib.suppress(ValueError):
        return str(ip_address(destination))
    nodes = {node.name: node for node in lab.status().nodes}
    if destination not in nodes:
        there = ", ".join(nodes)
        raise UsageError(
            f"{destination} is neither an address nor a node in this lab; there is: {there}"
        )
    for interface in nodes[destination].interfaces:
        for address in interface.addresses:
            return address.partition("/")[0]
    raise UsageError(f"{destination} has no address")
