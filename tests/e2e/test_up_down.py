# SPDX-License-Identifier: GPL-2.0-or-later
"""How labs come and go by command: names, several at once, interruptions, wrong use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.client.lab import Lab
from lab.kernel import qemu, uml
from tests.e2e.command import COMMAND, FRESH_NETWORK, Outcome, environment, tkm_lab

LABS = """
from lab.client.lab import Interface, Lab, Node
for name in ("one", "two"):
    with_esp = Lab.start(name, "host", esp=False)
    with_esp.create([Node(f"in-{name}", (Interface("net", ("192.0.2.1/24",)),))])
    with_esp.keep()
"""


@pytest.fixture
def name(worker_id: str) -> Iterator[str]:
    """The name of a lab, which is down in the end."""
    name = f"up-{os.getpid()}-{worker_id}"
    yield name
    Lab(name).down()


def is_up(name: str) -> bool:
    return name in [summary.name for summary in Lab.all()]


def lives(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_lab_lives_from_up_to_down(name: str) -> None:
    built = tkm_lab("up", "two-hosts", "--name", name, "--json")
    assert built.code == 0, built
    told = json.loads(built.out)
    assert told["lab"] == name
    assert [step["name"] for step in told["steps"]] == ["kernel", "network", "pki", "daemons"]
    before = Lab(name).summary()

    again = tkm_lab("up", "two-hosts", "--name", name)
    assert (again.code, again.out) == (1, "")
    assert (
        again.complaint == f"tkm-lab: a lab named {name} is up already: tkm-lab down --lab {name}"
    )
    assert Lab(name).summary() == before
    assert tkm_lab("ping", "-c", "1", "alice", "bob", TKM_LAB=name).code == 0

    assert tkm_lab("down", name) == (0, f"{name} is down\n", "")
    assert not lives(before.keeper)
    assert not lives(before.guest)
    assert tkm_lab("down", name) == (0, f"{name} is not up\n", "")
    assert tkm_lab("status", "--lab", name).code == 1


@pytest.mark.parametrize("after", ["kernel", "network"])
def test_ctrl_c_leaves_nothing(name: str, after: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "up", "two-hosts", "--name", name],
        env=environment({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[0] == after:
            break
    about = Lab(name).summary()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (130, "tkm-lab: interrupted")
    assert not is_up(name)
    assert not lives(about.keeper)
    assert not lives(about.guest)


TOPOLOGY = """
title = "a test"
[links.wire]
[nodes.alice]
addresses = { wire = "192.0.2.1/24" }
[nodes.bob]
addresses = { wire = "192.0.2.2/24" }
"""


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("[nodes.bob]", "[nodes.bob", "bad.toml:6: Expected"),
        ("bob]\naddresses = { wire", "bob]\naddresses = { wlan", "no link 'wlan'"),
        ("192.0.2.2", "192.0.2.1", ":7: nodes.bob: 192.0.2.1 is alice's already"),
        ("192.0.2.2", "192.0.2.256", "192.0.2.256"),
        ("192.0.2.2/24", "192.0.2.2", "prefix length"),
        ('title = "a test"', "", "title is missing"),
    ],
)
def test_a_bad_topology_is_told_in_one_line(
    name: str, tmp_path: Path, good: str, bad: str, told: str
) -> None:
    assert good in TOPOLOGY
    file = tmp_path / "bad.toml"
    file.write_text(TOPOLOGY.replace(good, bad))
    outcome = tkm_lab("up", str(file), "--name", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert str(file) in outcome.complaint
    assert told in outcome.complaint
    assert not is_up(name)


@pytest.mark.parametrize("kernel", ["auto", "uml"])
def test_without_a_kernel_the_mend_is_told(name: str, kernel: str) -> None:
    linux, machine = uml.find(), qemu.find()
    assert linux
    assert machine
    hide = 'mount --bind /dev/null "$0" && mount --bind /dev/null "$1" && shift && exec "$@"'
    hidden = (*FRESH_NETWORK, "--mount", "sh", "-c", hide, linux, machine)
    outcome = tkm_lab("up", "two-hosts", "--name", name, "--kernel", kernel, within=hidden)
    if kernel == "auto" and outcome.code == 0:  # this host's kernel does ESP
        assert "host: it does ESP" in outcome.out
        return
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.complaint.endswith("linux.uml is not installed: apt-get install user-mode-linux")
    assert not is_up(name)


def test_without_iproute2_the_mend_is_told(name: str, tmp_path: Path) -> None:
    outcome = tkm_lab("up", "two-hosts", "--name", name, PATH=str(tmp_path))
    assert outcome.code == 1
    assert outcome.complaint == "tkm-lab: the command ip is missing: apt-get install iproute2"


CHROOT = """
mount -t tmpfs -o mode=755 root /mnt
mkdir /mnt/root
for entry in /*; do
    if [ -L "$entry" ]; then
        cp -P "$entry" /mnt/root
    elif [ -d "$entry" ]; then
        mkdir "/mnt/root$entry"
        mount --rbind "$entry" "/mnt/root$entry"
    fi
done
exec chroot /mnt/root "$@"
"""


def test_in_a_chroot_that_is_no_mount_point_the_remedy_is_told(name: str) -> None:
    inside = (*FRESH_NETWORK, "--mount", "sh", "-c", CHROOT, "chroot")
    outcome = tkm_lab("up", "two-hosts", "--name", name, "--kernel", "uml", within=inside)
    assert (outcome.code, outcome.out) == (1, "")
    assert "in this chroot / is not a mount point" in outcome.complaint
    assert not is_up(name)


Run = Callable[..., Outcome]


@pytest.fixture
def alone() -> Iterator[Run]:
    """Runs commands where no labs but these are: two, in a network namespace of their own."""
    fresh = [*FRESH_NETWORK, "--net", "sh", "-c", "echo; exec cat"]
    holder = subprocess.Popen(fresh, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
    within = ("nsenter", f"--target={holder.pid}", "--net", *user)

    def run(*arguments: str, **more: str) -> Outcome:
        return tkm_lab(*arguments, within=within, **more)

    start = [*within, COMMAND[0], "-c", LABS]
    subprocess.run(start, env=environment({}), check=True, timeout=30)
    try:
        yield run
    finally:
        run("down", "--all")
        holder.communicate()


def test_several_labs_must_be_told_apart(alone: Run) -> None:
    for command in (("exec", "in-one", "--", "true"), ("check",), ("down",)):
        outcome = alone(*command)
        assert (outcome.code, outcome.out) == (2, "")
        assert "several labs are up (one, two)" in outcome.complaint
    assert alone("exec", "--lab", "two", "in-two", "--", "hostname").out == "in-two\n"
    assert alone("exec", "in-one", "--", "hostname", TKM_LAB="one").out == "in-one\n"
    assert [lab["name"] for lab in json.loads(alone("status", "--json").out)["labs"]] == [
        "one",
        "two",
    ]
    assert alone("check", "--lab", "one").complaint == (
        "tkm-lab: no host has a policy: there is nothing that ESP must protect"
    )

    assert alone("down", TKM_LAB="three") == (0, "three is not up\n", "")
    assert alone("down", TKM_LAB="one") == (0, "one is down\n", "")
    assert alone("down", "--lab", "one") == (0, "one is not up\n", "")
    assert alone("exec", "in-two", "--", "hostname").out == "in-two\n"


def test_down_all_ends_all(alone: Run) -> None:
    assert alone("down", "--all") == (0, "one is down\ntwo is down\n", "")
    assert alone("status") == (0, "no lab is up: tkm-lab up two-hosts\n", "")
    assert alone("down", "--all") == (0, "no lab is up\n", "")
    assert alone("check").code == 1
