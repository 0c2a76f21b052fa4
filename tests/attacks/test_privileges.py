# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that an attacker has taken over: what its process may still do.

The programs themselves run, in a network namespace with a real XFRM; when one reports that it is
ready, the attacker's code runs in its process. ``docs/threat-model.md`` names the rules.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.processes import NAMESPACE, KeyManagerProcess
from tkm.daemon import memory
from tkm.rpc.client import Client
from tkm.rpc.rpc2 import RPC2, TkmVersion
from tkm.sandbox.privileges import IPC_LOCK, NET_ADMIN

ROOT = Path(__file__).parents[2]
ADD_POLICY = (
    "ip xfrm policy add src 10.0.0.1 dst 10.0.0.2 dir out "
    "tmpl src 10.0.0.1 dst 10.0.0.2 proto esp reqid 1 mode transport"
)

PRELUDE = """
import ctypes, json, os, socket, subprocess, sys
from tkm.rpc import systemd
from tkm.errors import KernelError

report = open(sys.argv.pop(1), "w")
opened = open("/proc/self/status")

def status():
    opened.seek(0)
    rows = (line.partition(":") for line in opened.read().splitlines())
    return {name: value.strip() for name, _, value in rows}

def attempt(attack, *arguments, **options):
    try:
        attack(*arguments, **options)
    except (KernelError, OSError) as error:
        return str(error)
    return "done"

COMMON = {
    "open": lambda: open("/etc/passwd").close(),
    "execute": lambda: os.execv("/bin/true", ["true"]),
    "start a program": lambda: subprocess.run(["true"], check=True),
    "fork": os.fork,
}

def common():
    if status()["Seccomp"] == "0":
        return {}  # they would succeed, and end this process
    return {name: attempt(each) for name, each in COMMON.items()}

def at_ready(attack, go_on=lambda _: None):
    def notify(state):
        if state == "READY=1":
            json.dump(attack(), report)
            report.close()
            go_on(0)
    systemd.notify = notify
"""

PROXY = (
    PRELUDE
    + """
from xfrm_proxy import main
from tkm.xfrm import abi
from xfrm_proxy.events import EventSocket, Group
from tkm.xfrm.kernel import XfrmKernel
from tkm.xfrm.abi import Type
from tkm.xfrm.socket import NetlinkSocket, encode, make

GETSA = 0x12
joined = []
begin = NetlinkSocket.__init__

def note(self, *groups):
    begin(self, *groups)
    joined.append(self)

NetlinkSocket.__init__ = note

def dump(netlink, kind):
    request = encode(Type.GETPOLICY, make(abi.PolicyIdMessage))
    request[4:6] = kind.to_bytes(2, sys.byteorder)
    return lambda: list(netlink.dump(request))

def flush(netlink):
    return lambda: netlink.request(
        encode(Type.FLUSHPOLICY, make(abi.FlushPoliciesMessage)))

def attack():
    old = joined[0]
    return {
        "states, by the old socket": attempt(dump(old, GETSA)),
        "policies, by the old socket": attempt(dump(old, Type.GETPOLICY)),
        "flush, by the old socket": attempt(flush(old)),
        "states, by a new socket": attempt(lambda: dump(NetlinkSocket(), GETSA)()),
        "flush, by a new socket": attempt(lambda: XfrmKernel().flush()),
        "join again": attempt(lambda: EventSocket(Group.ACQUIRE)),
        "common": common(),
        "status": status(),
    }

at_ready(attack, os._exit)
main.main(sys.argv[1:])
"""
)

MANAGER = (
    PRELUDE
    + """
from tkm.daemon import main

def attack():
    more = bytearray(os.urandom(1 << 16) * 512)  # 32 MiB: memory to come can be had
    return {
        "status": status(),
        "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if "off" in sys.argv else 0,
        "more": len(more),
        "common": common(),
        "socket": attempt(socket.socket, socket.AF_UNIX),
    }

at_ready(attack)
sys.exit(main.main())
"""
)


def attacked_proxy(tmp_path: Path, *options: str) -> tuple[Any, str]:
    """What the attack reports from inside a proxy, and the policies of the kernel after it."""
    program, report = tmp_path / "attack.py", tmp_path / "report"
    program.write_text(PROXY)
    script = f'{ADD_POLICY} && "$@" && ip xfrm policy'
    python = (sys.executable, str(program), str(report), "--socket", "/nonexistent/ees", *options)
    done = subprocess.run(
        (*NAMESPACE, "sh", "-ec", script, "sh", *python),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(report.read_text()), done.stdout


@pytest.mark.parametrize("sandbox", ["enforce", "off"])
def test_a_subverted_proxy_reads_no_key_and_flushes_no_policy(tmp_path: Path, sandbox: str) -> None:
    report, policies = attacked_proxy(tmp_path, "--sandbox", sandbox)
    attacks = [name for name in report if "socket" in name or "join" in name]
    assert len(attacks) == 6
    for attack in attacks:
        assert "Operation not permitted" in report[attack], attack
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(report["status"][kind], 16) == 0, kind
    assert report["status"]["NoNewPrivs"] == "1"
    assert "src 10.0.0.1/32 dst 10.0.0.2/32" in policies


def test_a_subverted_proxy_opens_and_starts_nothing(tmp_path: Path) -> None:
    report, _ = attacked_proxy(tmp_path)
    assert report["status"]["Seccomp"] == "2"
    for attack, outcome in report["common"].items():
        assert "Operation not permitted" in outcome, attack


def attacked_manager(tmp_path: Path, *options: str) -> Any:
    """What the attack reports from inside a Key Manager, which serves on after it."""
    program, report = tmp_path / "attack.py", tmp_path / "report"
    program.write_text(MANAGER)
    command = (*NAMESPACE, sys.executable, str(program), str(report))
    with KeyManagerProcess(tmp_path, "alice", command, *options) as process:
        with closing(process.transport(RPC2)) as transport:
            assert Client(RPC2, transport).call(TkmVersion()).version == 2
        return json.loads(report.read_text())


@pytest.mark.parametrize("sandbox", ["enforce", "off"])
def test_a_subverted_key_manager_has_one_capability(tmp_path: Path, sandbox: str) -> None:
    report = attacked_manager(tmp_path, "--sandbox", sandbox)
    # Where the limit of locked memory cannot be raised, it needs one capability more.
    kept = 1 << NET_ADMIN | sum(1 << number for number in memory.capabilities())
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(report["status"][kind], 16) & ~kept == 0, kind
        assert int(report["status"][kind], 16) & ~(1 << IPC_LOCK) == 1 << NET_ADMIN, kind
    for kind in ("CapInh", "CapAmb"):
        assert int(report["status"][kind], 16) == 0, kind
    assert report["status"]["NoNewPrivs"] == "1"
    assert report["dumpable"] == 0
    assert report["more"] == 1 << 25


def test_a_subverted_key_manager_opens_connects_and_starts_nothing(tmp_path: Path) -> None:
    report = attacked_manager(tmp_path)
    assert report["status"]["Seccomp"] == "2"
    for attack, outcome in {**report["common"], "socket": report["socket"]}.items():
        assert "Operation not permitted" in outcome, attack


def test_the_key_manager_becomes_its_user(tmp_path: Path) -> None:
    report = attacked_manager(tmp_path, "--user", "64321", "--sandbox", "off")
    own = str(os.getuid())
    may_change = own == "0" and Path("/proc/self/uid_map").read_text().split()[2] != "1"
    assert report["status"]["Uid"].split() == ["64321" if may_change else own] * 4
    assert report["dumpable"] == 0
    assert int(report["status"]["CapEff"], 16) >> NET_ADMIN & 1
