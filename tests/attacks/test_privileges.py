# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that an attacker has taken over: what its process may still do.

The programs themselves run, in a network namespace with a real XFRM; when one reports that it is
ready, the attacker's code runs in its place. ``docs/threat-model.md`` names the rules.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.processes import NAMESPACE, KeyManagerProcess
from tkm import memory
from tkm.rpc.client import Client
from tkm.rpc.rpc2 import RPC2, TkmVersion
from tkm.sandbox.privileges import IPC_LOCK, NET_ADMIN

ROOT = Path(__file__).parents[2]
ADD_POLICY = (
    "ip xfrm policy add src 10.0.0.1 dst 10.0.0.2 dir out "
    "tmpl src 10.0.0.1 dst 10.0.0.2 proto esp reqid 1 mode transport"
)

PROXY_ATTACK = """
import json, os, sys
from tkm import notify
from tkm.errors import KernelError
from tkm.proxy import main
from tkm.xfrm import messages
from tkm.xfrm.kernel import XfrmKernel
from tkm.xfrm.messages import Type
from tkm.xfrm.netlink import NetlinkSocket, encode, make

GETSA = 0x12

def attempt(attack):
    try:
        attack()
    except (KernelError, OSError) as error:
        return str(error)
    return "done"

def attacked(netlink):
    request = encode(Type.GETPOLICY, make(messages.PolicyIdMessage))
    request[4:6] = GETSA.to_bytes(2, sys.byteorder)
    status = dict(
        line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines()
        if ":\\t" in line
    )
    return {
        "read the states and their keys": attempt(lambda: list(netlink.dump(bytearray(request)))),
        "flush": attempt(XfrmKernel().flush),
        "status": {name: value for name, value in status.items() if name[:3] in ("Cap", "NoN")},
    }

joined = []
begin = NetlinkSocket.__init__

def note(self, *groups):
    begin(self, *groups)
    joined.append(self)

NetlinkSocket.__init__ = note

def ready(state):
    if state == "READY=1":
        first = joined[0]
        print(json.dumps([attacked(first), attacked(NetlinkSocket())]), flush=True)
        os._exit(0)

notify.tell = ready
main.main(["--socket", "/nonexistent/ees"])
"""

MANAGER_ATTACK = """
import ctypes, json, os, sys
report = open(sys.argv.pop(1), "w")
from tkm import keymanager, notify

def attacked():
    status = dict(
        line.split(":\\t", 1) for line in STATUS() if ":\\t" in line
    )
    more = bytearray(os.urandom(1 << 16) * 512)  # 32 MiB: memory to come can be had
    return {
        "status": {name: value for name, value in status.items() if name[:3] in ("Cap", "NoN")},
        "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
        "user": os.getresuid(),
        "groups": os.getgroups(),
        "more": len(more),
    }

status = open("/proc/self/status")

def STATUS():
    return status.read().splitlines()

def ready(state):
    if state == "READY=1":
        json.dump(attacked(), report)
        report.close()

notify.tell = ready
sys.exit(keymanager.main())
"""


def under_attack(attack: str, tmp_path: Path) -> tuple[Any, str]:
    """What the attack reports, and the policies of the kernel after it."""
    (tmp_path / "attack.py").write_text(attack)
    script = f'{ADD_POLICY} && "$1" "$2" && ip xfrm policy'
    command = (*NAMESPACE, "sh", "-ec", script, "sh", sys.executable, str(tmp_path / "attack.py"))
    done = subprocess.run(
        command, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report, _, policies = done.stdout.partition("\n")
    return json.loads(report), policies


def test_a_subverted_proxy_reads_no_key_and_flushes_no_policy(tmp_path: Path) -> None:
    reports, policies = under_attack(PROXY_ATTACK, tmp_path)
    for report in reports:  # by the socket from before, and by one of the attacker's own
        for attack in ("read the states and their keys", "flush"):
            assert "Operation not permitted" in report[attack], attack
        status = report["status"]
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 0, kind
        assert status["NoNewPrivs"] == "1"
    assert "src 10.0.0.1/32 dst 10.0.0.2/32" in policies


def attacked_manager(tmp_path: Path, attack: str, *options: str) -> Any:
    """What the attack reports from inside a Key Manager, which serves on after it."""
    program, report = tmp_path / "attack.py", tmp_path / "report"
    program.write_text(attack)
    command = (*NAMESPACE, sys.executable, str(program), str(report))
    with KeyManagerProcess(tmp_path, "alice", command, *options) as process:
        with closing(process.transport(RPC2)) as transport:
            assert Client(RPC2, transport).call(TkmVersion()).version == 2
        return json.loads(report.read_text())


def test_a_subverted_key_manager_may_change_policies_and_nothing_else(tmp_path: Path) -> None:
    report = attacked_manager(tmp_path, MANAGER_ATTACK)
    # Where the limit of locked memory cannot be raised, it needs one capability more.
    kept = 1 << NET_ADMIN | sum(1 << number for number in memory.capabilities())
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(report["status"][kind], 16) | 1 << IPC_LOCK == kept | 1 << IPC_LOCK, kind
        assert int(report["status"][kind], 16) & ~kept == 0, kind
    for kind in ("CapInh", "CapAmb"):
        assert int(report["status"][kind], 16) == 0, kind
    assert report["status"]["NoNewPrivs"] == "1"
    assert report["dumpable"] == 0
    assert report["more"] == 1 << 25


def test_the_key_manager_becomes_its_user(tmp_path: Path) -> None:
    report = attacked_manager(tmp_path, MANAGER_ATTACK, "--user", "64321")
    is_only_user = Path("/proc/self/uid_map").read_text().split()[2] == "1"
    expected = os.getuid() if is_only_user or os.getuid() else 64321
    assert report["user"] == [expected] * 3
    assert report["dumpable"] == 0
    assert int(report["status"]["CapEff"], 16) >> NET_ADMIN & 1
