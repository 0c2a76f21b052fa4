#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many IKE SAs, one after another: does the time for each grow, and what does tkm_iked keep?

    .venv/bin/python bench/many.py [--sas 200]

Two tkm_iked, each with a Key Manager of its own whose kernel only notes down, four real processes
in a network namespace. Each connection is between two loopback addresses of its own; alice is told
over VICI to bring them up, one Child SA each. A Key Manager has at most 100 policies: from then on
the oldest IKE SA is deleted for each new one, in time that does not count. Exit code 0: the two
tkm_iked work no longer for one in the last quarter than in the first (processor time, for machines
are never quite quiet), and it costs at most 60 KB of a tkm_iked's memory.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.processes import NOTING, KeyManagerProcess
from lab.cli import show
from lab.cli.layout import Listing
from tests.unit.trusted import NAMES, config_of, identity, pki
from tkm.config.policy import Config
from tkm.rpc.rpc2 import RPC2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vici import Session

MOST_KB = 60.0
GROWTH = 1.2
"""How many times the work of the first quarter the last one may be."""
AT_ONCE = 100
"""Policies of a Key Manager."""
NET = {"alice": 1, "bob": 2}
INSIDE = "TKM_LAB_BENCH_INSIDE"

CONNECTION = """\
  c{number} {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    proposals = aes256-sha512-modp3072
    local {{ auth = pubkey
      certs = own.der
      id = {own} }}
    remote {{ auth = pubkey
      id = {other} }}
    children {{ c{number} {{
      reqid = {number}
      mode = transport
      esp_proposals = aes256-sha512-modp3072
      life_time = 1h }} }}
  }}
"""


def address(host: str, number: int) -> str:
    """Of a host, for one connection."""
    return f"127.{NET[host]}.{number >> 8}.{number & 255}"


def policies(host: str, count: int) -> Config:
    """As many policies with the other host."""
    config, (other,) = config_of(host), (name for name in NAMES if name != host)
    made = {
        number: replace(
            config.policies[1],
            id=number,
            local=replace(config.policies[1].local, ip=IPv4Address(address(host, number))),
            remote=replace(config.policies[1].remote, ip=IPv4Address(address(other, number))),
        )
        for number in range(1, count + 1)
    }
    return replace(config, policies=made)


def write(folder: Path, host: str, count: int) -> None:
    """What tkm_iked reads."""
    (other,) = (name for name in NAMES if name != host)
    identities = pki()
    files = (("x509", "own", identities.certificates[host]),)
    for sub, name, octets in (*files, ("x509ca", "ca", identities.ca.root.certificate.der)):
        (folder / sub).mkdir()
        (folder / sub / f"{name}.der").write_bytes(octets)
    connections = (
        CONNECTION.format(
            number=number,
            local=address(host, number),
            remote=address(other, number),
            own=identity(host),
            other=identity(other),
        )
        for number in range(1, count + 1)
    )
    (folder / "swanctl.conf").write_text("connections {\n" + "".join(connections) + "}\n")


class Daemon:
    """A host's tkm_iked, until the end of the block."""

    def __init__(self, folder: Path, keymanager: str) -> None:
        names = {"rpc": keymanager, "ees": folder / "ees", "vici": folder / "vici"}
        sockets = [f"--{name}-socket={path}" for name, path in names.items()]
        self._vici = folder / "vici"
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "ike.daemon.main", "-c", str(folder / "swanctl.conf")]
            self.process = subprocess.Popen([*command, *sockets], stderr=log)

    def memory(self) -> float:
        """KB that are its own."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return float(text.partition("RssAnon:")[2].split()[0])

    def worked(self) -> float:
        """Seconds of processor time."""
        times = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, times[11:13])) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A VICI session, as soon as there is one."""
        from vici import Session

        with socket.socket(socket.AF_UNIX) as client:
            until = time.monotonic() + 60
            while client.connect_ex(str(self._vici)):
                if self.process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"tkm_iked does not start, see {self._vici.parent}/log")
                select.select([], [], [], 0.01)
            yield Session(client)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def bring_up(daemons: list[Daemon], session: Session, turn: int) -> tuple[float, float]:
    """Seconds until a connection's Child SA is there, and those that the daemons worked for it."""
    name = f"c{turn % AT_ONCE + 1}"
    if turn >= AT_ONCE:
        deque(session.terminate({"ike": name}), 0)
    began, before = time.perf_counter(), sum(daemon.worked() for daemon in daemons)
    deque(session.initiate({"child": name, "ike": name}), 0)
    took = time.perf_counter() - began
    return took, sum(daemon.worked() for daemon in daemons) - before


def measure(count: int) -> int:
    """Bring all up, print and judge; the exit code."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        daemons = []
        for host in NAMES:
            own = folder / host
            own.mkdir()
            write(own, host, AT_ONCE)
            config = policies(host, AT_ONCE)
            keymanager = stack.enter_context(KeyManagerProcess(own, host, NOTING, config=config))
            keymanager.transport(RPC2).close()
            daemons.append(stack.enter_context(Daemon(own, keymanager.path)))
        sessions = [stack.enter_context(daemon.session()) for daemon in daemons]
        return judge(daemons, sessions[0], count)


def judge(daemons: list[Daemon], session: Session, count: int) -> int:
    """The table of quarters, and what to make of it."""
    columns = ("IKE SAs", "STANDING", "MEDIAN ms", "WORK ms", *(f"{host} MB" for host in NAMES))
    table = Listing(*columns, right=columns)
    bring_up(daemons, session, 0)  # the first one fills caches
    held, works, standing = [[daemon.memory() for daemon in daemons]], [], []
    for quarter in range(4):
        turns = range(max(1, count * quarter // 4), count * (quarter + 1) // 4)
        took, worked = zip(*(bring_up(daemons, session, turn) for turn in turns), strict=True)
        median, work = statistics.median(took) * 1000, statistics.mean(worked) * 1000
        works.append(work)
        held.append([daemon.memory() for daemon in daemons])
        standing.append(len(list(session.list_sas())))
        shown = (f"{kilobytes / 1024:.1f}" for kilobytes in held[-1])
        times = f"{median:.1f}", f"{work:.1f}"
        table.add_row(str(turns.stop), str(standing[-1]), *times, *shown)
    show.out.print(table)
    half = (held[2][side] - held[0][side] for side in range(2))
    each = [kilobytes / (standing[1] - 1) for kilobytes in half]
    growth = works[3] / works[0]
    whole = standing[-1] == min(count, AT_ONCE)
    good = whole and max(each) <= MOST_KB and growth <= GROWTH
    verdict = "[bold green]good[/]" if good else "[bold red]too much[/]"
    show.out.print(
        f"{verdict}: {standing[-1]} IKE SAs stand in the end; {each[0]:.1f} and {each[1]:.1f} KB "
        f"for each (target {MOST_KB:.0f}); the last quarter is {growth:.2f} times the work "
        f"of the first (at most {GROWTH})"
    )
    return 0 if good else 1


def main() -> int:
    """Measure, in a network namespace that is thrown away afterwards."""
    parser = argparse.ArgumentParser(description="Bring up many IKE SAs, one after another.")
    parser.add_argument("--sas", type=int, default=200)
    count = parser.parse_args().sas
    if INSIDE in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return measure(count)
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, *sys.argv]
    return subprocess.run(command, check=False, env={**os.environ, INSIDE: "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
