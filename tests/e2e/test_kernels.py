# SPDX-License-Identifier: GPL-2.0-or-later
"""Labs on every kind of kernel, for root and for an ordinary user, from `up` to proof.

Whether this machine's own kernel does ESP is luck; that of a guest does. So `--kernel host` is
tried inside of one: a lab in a node of a lab.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator

import pytest

from lab.client.lab import Kernel, Lab, Node
from lab.kernel import image
from tests.e2e import docker_like
from tests.e2e.command import FRESH_NETWORK, PROGRAM, TREE
from tests.e2e.test_containment import NOBODY, python_for

SEQUENCE = """
trap '"$@" down all-the-way' EXIT
"$@" up two-hosts --kernel "$KERNEL" --name all-the-way &&
"$@" exec --lab all-the-way alice -- ls /etc/tkm &&
"$@" ping --lab all-the-way alice bob &&
"$@" exec --lab all-the-way alice -- swanctl --rekey --child conn1 &&
"$@" check --lab all-the-way
"""
STAGE = """
mount -t tmpfs -o mode=755 stage /mnt
mkdir /mnt/tree /mnt/site
if [ -d "$KERNELS" ]; then
    mkdir -p /mnt/cache/tkm-lab/kernel
    mount --bind "$KERNELS" /mnt/cache/tkm-lab/kernel
fi
mkdir -m 1777 /mnt/home
mount --bind "$TREE" /mnt/tree
mount --bind "$SITE" /mnt/site
if [ ! -d /etc/tkm ]; then
    mkdir /mnt/upper /mnt/work
    mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work stage /etc
    mkdir /etc/tkm
fi
mount -t tmpfs -o mode=755 stage /etc/tkm
touch /etc/tkm/of-this-host
cd /
export XDG_CACHE_HOME=/mnt/cache
export KERNEL PYTHONPATH=/mnt/tree:/mnt/site HOME=/mnt/home PYTHONDONTWRITEBYTECODE=1
exec "$@"
"""
"""The tree and its packages where an ordinary user can read them: ours may be in root's home. And
this host has an /etc/tkm already.
"""


def command(uid: int, kernel: str, *, container: bool = False) -> list[str]:
    """As root: build a lab as this user, check it, end it; or as in a container of Docker's."""
    places = {"TREE": TREE, "SITE": sysconfig.get_path("purelib"), "KERNEL": kernel}
    places["KERNELS"] = str(image.cache() / "kernel")
    stage = ["env", *(f"{name}={place}" for name, place in places.items()), "sh", "-ec", STAGE]
    user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
    if container:
        user = [sys.executable, docker_like.__file__, "--user", str(uid)]
    return [*stage, "stage", *user, "sh", "-c", SEQUENCE, "sequence", python_for(uid), *PROGRAM]


def assert_proven(code: int, out: str, err: str, kernel: str) -> None:
    assert (code, err) == (0, "")
    assert f"  kernel    {kernel}: " in out
    assert "proven: ESP carried all 6 messages" in out
    assert "tkm.conf" in out
    assert "of-this-host" not in out
    assert out.endswith("all-the-way is down\n")


@pytest.mark.parametrize("kernel", ["uml", "qemu"])
def test_a_guest_for_an_ordinary_user(kernel: str) -> None:
    """Without KVM, since that is for some users only: QEMU emulates."""
    fresh = (*FRESH_NETWORK, "--net", "--mount")
    uid = 0 if os.geteuid() else NOBODY  # whoever is no root already is mapped to it by unshare
    result = subprocess.run(
        [*fresh, *command(uid, kernel)], capture_output=True, text=True, timeout=200, check=False
    )
    assert_proven(result.returncode, result.stdout, result.stderr, kernel)


@pytest.mark.skipif(os.geteuid() != 0, reason="the container is made by root")
@pytest.mark.parametrize("uid", [0, NOBODY])
def test_a_guest_in_a_container(uid: int) -> None:
    """No namespaces, no mounts, and 64 MB of /dev/shm from which nothing can be executed."""
    fresh = (*FRESH_NETWORK, "--net", "--mount")
    result = subprocess.run(
        [*fresh, *command(uid, "uml", container=True)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert_proven(result.returncode, result.stdout, result.stderr, "uml")
    assert "uml: no namespaces here; its process tree contains the lab" in result.stdout


@pytest.fixture(scope="module")
def machine(worker_id: str) -> Iterator[Lab]:
    """A lab that is nothing but a machine with one node, whose kernel does ESP."""
    with Lab.start(f"machine-{os.getpid()}-{worker_id}", Kernel.UML) as lab:
        lab.create([Node("inside")])
        yield lab


@pytest.mark.parametrize("uid", [0, NOBODY])
def test_this_hosts_kernel(machine: Lab, uid: int) -> None:
    result = machine.call("inside", command(uid, "host"))
    assert_proven(result.code, result.stdout.decode(), result.stderr.decode(), "host")
