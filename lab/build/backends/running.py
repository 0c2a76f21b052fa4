# SPDX-License-Identifier: GPL-2.0-or-later
"""Back ends at work: their files put down, their daemons started, ready and stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest

from lab.build.backends.model import Backend, Daemon
from lab.build.files import File
from lab.client.lab import Lab
from lab.errors import LabError

READY = 20.0
"""Seconds that a daemon may take until it is ready."""


def put_files(lab: Lab, node: str, files: Mapping[str, File]) -> None:
    """Put a node's files down. Raises LabError."""
    lab.put_files(node, {path: (file.octets, file.mode) for path, file in files.items()})


def prepare(lab: Lab, node: str, backend: Backend, files: Mapping[str, File]) -> None:
    """Put a node's files down, and make those that follow from them. Raises LabError."""
    put_files(lab, node, files)
    for argv in backend.configure():
        done = lab.call(node, argv)
        if done.code:
            raise LabError(f"{node}: {done.stderr.decode(errors='replace').strip()}")


def start_all(lab: Lab, nodes: Mapping[str, Backend]) -> None:
    """Start the daemons of all nodes, side by side; return when all are ready. Raises LabError."""
    _in_turn(_start(lab, node, backend) for node, backend in nodes.items())


def _start(lab: Lab, node: str, backend: Backend) -> Iterator[None]:
    """Start a node's daemons; whenever it would have to wait, it lets the others go ahead."""
    for stage in backend.stages():
        for daemon in stage:
            lab.spawn(node, daemon.argv, daemon.name)
        yield
        for daemon in stage:
            wait_until_ready(lab, node, daemon)


def _in_turn(tasks: Iterable[Iterator[None]]) -> None:
    for _ in zip_longest(*tasks):
        pass


def start(lab: Lab, node: str, daemon: Daemon) -> None:
    """Start one daemon, again perhaps; return when it is ready. Raises LabError."""
    lab.spawn(node, daemon.argv, daemon.name)
    wait_until_ready(lab, node, daemon)


def wait_until_ready(lab: Lab, node: str, daemon: Daemon) -> None:
    """Raises LabError: it is not ready in time, or has died; with what it complains about."""
    try:
        if daemon.socket:
            lab.wait_for_socket(node, daemon.socket, daemon=daemon.name, deadline=READY)
        if daemon.line:
            lab.wait_for_line(node, daemon.name, daemon.line, deadline=READY)
    except LabError as trouble:
        failed = [line.text for line in lab.logs(node, daemon.name) if "failed" in line.text]
        raise LabError(f"{trouble} ({failed[0]})" if failed else str(trouble)) from trouble


def stop_all(lab: Lab, node: str, backend: Backend) -> None:
    """Stop a node's daemons, the last one first. Raises LabError."""
    for daemon in reversed(backend.daemons):
        lab.stop(node, daemon.name)
