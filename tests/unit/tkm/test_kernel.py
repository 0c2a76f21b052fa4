# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies in a real kernel: a network namespace of its own for each test, read back by ip xfrm.

States need ESP, which this kernel may not have; they are for tests/e2e.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
NAMESPACE = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--net", "--map-root-user"]


def run(code: str, namespace: list[str] = NAMESPACE) -> Any:
    """What code prints as JSON, run in a namespace of its own."""
    done = subprocess.run(
        [*namespace, sys.executable, "-W", "error", "-c", f"{PREAMBLE}\n{code}"],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


PREAMBLE = """
import json, subprocess
from tests.unit.tkm.configs import tunnel
from tests.unit.trusted import config_of
from tkm.xfrm.kernel import XfrmKernel

def policies():
    shown = subprocess.run(["ip", "xfrm", "policy"], capture_output=True, text=True, check=True)
    rows = shown.stdout.replace(chr(9), " ").splitlines()
    # Policies of sockets are not ours.
    words = [" ".join(row.split()) for row in rows if "socket" not in row]
    return [row.removesuffix(" ptype main") for row in words]

kernel = XfrmKernel()
"""


def test_the_tools_are_here() -> None:
    assert shutil.which("ip")
    assert shutil.which("unshare")


CLOSED = """
def defaults():
    command = ["ip", "xfrm", "policy", "getdefault"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split()[-1] for line in shown.splitlines()[1:]]

def policies_of_both():
    yield config_of("alice").policies[1]
    seen.append(defaults())
    yield tunnel().policies[7]

seen = [defaults()]
kernel.protect(policies_of_both())
seen.append(defaults())
before = sorted(policies())
try:
    kernel.protect([tunnel().policies[7], config_of("alice").policies[1], None])
except AttributeError:
    seen.append(defaults())
kernel.protect([])
print(json.dumps([*seen, defaults(), before == sorted(policies())]))
"""


def test_without_a_policy_nothing_passes_while_policies_change() -> None:
    accept, block = ["accept"] * 3, ["block"] * 3
    assert run(CLOSED) == [accept, block, accept, block, accept, True]


TAKEN_OVER = """
import socket, struct
from ike.daemon.udp import _POLICY_OPTIONS, _exemption
# An exemption of a socket, as IKE daemons have it, and a policy of somebody else.
exempt = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
exempt.setsockopt(*_POLICY_OPTIONS[socket.AF_INET], _exemption(socket.AF_INET, 1))
ip = ["ip", "xfrm", "policy"]
strange = "add src 10.0.0.0/8 dst 10.9.0.0/16 dir out priority 1"
subprocess.run([*ip, *strange.split()], check=True)
old, new = config_of("alice").policies[1], tunnel().policies[7]
kernel.protect([old])
both = [kernel.protect([new]), policies()][1]
kernel.take_over([new])
after = policies()
sockets = subprocess.run(ip, capture_output=True, text=True).stdout.count("socket out")
kernel.flush()
kernel.protect([new])
print(json.dumps([len(both), after == policies(), sockets]))
"""


def test_policies_of_others_are_removed_last_and_exemptions_of_sockets_stay() -> None:
    assert run(TAKEN_OVER) == [3 + 8 + 12, True, 1]


def test_policies_in_transport_mode() -> None:
    rows = run("kernel.add_policy(config_of('alice').policies[1]); print(json.dumps(policies()))")
    assert rows == [
        "src 192.168.0.2/32 dst 192.168.0.1/32",
        "dir in priority 3843",
        "tmpl src 192.168.0.2 dst 192.168.0.1",
        "proto esp reqid 1 mode transport",
        "src 192.168.0.1/32 dst 192.168.0.2/32",
        "dir out priority 3843",
        "tmpl src 192.168.0.1 dst 192.168.0.2",
        "proto esp reqid 1 mode transport",
    ]


IPV6 = """
from dataclasses import replace
from ipaddress import ip_address
policy = config_of('alice').policies[1]
local, remote = (
    replace(end, ip=ip_address(ip))
    for end, ip in ((policy.local, "fd00::1"), (policy.remote, "fd00::2"))
)
kernel.add_policy(replace(policy, local=local, remote=remote))
print(json.dumps(policies()))
"""


def test_neighbour_discovery_of_the_ends_stays_free() -> None:
    rows = run(IPV6)
    there, back = "src fd00::1/128 dst fd00::2/128", "src fd00::2/128 dst fd00::1/128"
    exempt = [
        (f"{selector} proto ipv6-icmp type {kind}", f"dir {direction} priority 3842")
        for selector, direction in ((there, "out"), (back, "in"))
        for kind in (135, 136)
    ]
    found = [(row, rows[at + 1]) for at, row in enumerate(rows) if "ipv6-icmp" in row]
    assert sorted(found) == sorted(exempt)
    assert (rows.count(there), rows.count(back)) == (1, 1)
    assert "tmpl src fd00::1 dst fd00::2" in rows


def test_policies_in_tunnel_mode() -> None:
    rows = run("kernel.add_policy(tunnel().policies[7]); print(json.dumps(policies()))")
    inbound = ["src 10.2.0.0/16 dst 10.1.0.0/16", "tmpl src 192.168.0.2 dst 192.168.0.1"]
    outbound = ["src 10.1.0.0/16 dst 10.2.0.0/16", "tmpl src 192.168.0.1 dst 192.168.0.2"]
    assert rows == [
        row
        for direction, (selector, template) in (
            ("fwd", inbound),
            ("in", inbound),
            ("out", outbound),
        )
        for row in (
            selector,
            f"dir {direction} priority 3843",
            template,
            "proto esp reqid 7 mode tunnel",
        )
    ]


def test_flushing() -> None:
    code = """
kernel.flush()
kernel.add_policy(tunnel().policies[7])
kernel.add_policy(config_of('alice').policies[1])
before = len(policies())
kernel.flush()
print(json.dumps([before, policies()]))
"""
    assert run(code) == [20, []]


def test_a_policy_that_is_there_already_is_updated() -> None:
    code = """
from dataclasses import replace
kernel.add_policy(tunnel().policies[7])
kernel.add_policy(replace(tunnel().policies[7], id=8))
print(json.dumps([policies().count(f"proto esp reqid {number} mode tunnel") for number in (7, 8)]))
"""
    assert run(code) == [0, 3]


def test_deleting_states_that_are_not_there() -> None:
    code = """
from tkm.xfrm.model import StatePair
policy = config_of('alice').policies[1]
kernel.delete_states(StatePair(policy, bytes([192, 0, 0, 1]), bytes([192, 0, 0, 2])), sends=True)
print("[]")
"""
    assert run(code) == []


def test_events_that_are_too_many_are_lost_and_no_error() -> None:
    code = """
import socket
from xfrm_proxy.events import EventSocket
POLICIES = 4  # XFRMNLGRP_POLICY: the one group whose events need no ESP
events = EventSocket(POLICIES)
events._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
assert list(events.events()) == []
for _ in range(50):
    kernel.add_policy(tunnel().policies[7])
    kernel.flush()
seen = sum(len(list(events.events())) for _ in range(200))
kernel.add_policy(tunnel().policies[7])
after = [len(list(events.events())) for _ in range(3)]
print(json.dumps([0 < seen < 200, after]))
"""
    # Two of the three policies overflow: told first, and then there is the one that fitted.
    assert run(code) == [True, [0, 1, 0]]


def test_the_kernel_has_nothing_for_an_ordinary_process() -> None:
    code = """
import os
from tkm.errors import KernelError
if os.getuid() == 0:
    os.setuid(65534)
try:
    XfrmKernel().flush()
except KernelError as error:
    print(json.dumps(str(error)))
"""
    # Whoever is not root here is an ordinary user as it is, and root only in a namespace.
    namespace = NAMESPACE if os.getuid() == 0 else []
    assert run(code, namespace) == "the kernel does not flush the SPD: Operation not permitted"
