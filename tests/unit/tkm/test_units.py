# SPDX-License-Identifier: GPL-2.0-or-later
"""The systemd units of docs/real-hosts.md: systemd accepts them, they confine our programs as far
as these allow, and start them with options that exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tkm.rpc import paths
from tkm.rpc.client import DEADLINE
from tkm.sandbox import calls

ROOT = Path(__file__).parents[3]
UNITS = ROOT / "docs" / "systemd"
PROGRAMS = {
    "tkm_keymanager": "tkm.daemon.main",
    "tkm_iked": "ike.daemon.main",
    "xfrm_proxy": "xfrm_proxy.main",
}
EXPOSURE = {"tkm_keymanager": 2.0, "tkm_iked": 3.0, "xfrm_proxy": 3.0, "charon-tkm": 3.0}
"""What `systemd-analyze security` may give each unit at most; 0 is closed, 10 is open."""
CHARON_TKM = sorted(UNITS.glob("*.service.d/charon-tkm.conf"))
ALL = [*sorted(UNITS.glob("*.service")), *CHARON_TKM]
FOLDERS = {"tkm_keymanager": paths.IKE_SOCKET, "tkm_iked": paths.EES_SOCKET}
AT_START = {"bind", "capset", "chmod", "listen", "mkdir", "mlockall", "openat", "prctl", "seccomp"}
"""System calls that our daemons make before they filter their own."""


def settings(unit: str, *drop_ins: Path) -> dict[str, list[str]]:
    """Settings of a unit's [Service] and [Unit]; an empty value resets a list (systemd.syntax(7)).

    Args:
        unit: name without ".service".
        drop_ins: read after the unit.
    """
    found: dict[str, list[str]] = {}
    for file in (UNITS / f"{unit}.service", *drop_ins):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                found[name] = [*found.get(name, []), value] if value else []
    return found


def systemd_analyze(*arguments: str, folder: Path = UNITS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"},
    )  # fmt: skip


def commands() -> list[tuple[str, str]]:
    """Each ExecStart of our programs, as program and options."""
    lines = [
        line.partition("=")[2]
        for file in ALL
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("ExecStart=/usr/local/bin/")
    ]
    return [(Path(line.split()[0]).name, line.partition(" ")[2]) for line in lines]


def test_there_is_a_command_for_each_program() -> None:
    assert {program for program, _ in commands()} == set(PROGRAMS)


@pytest.mark.parametrize(("program", "options"), commands())
def test_the_programs_know_their_options(program: str, options: str) -> None:
    """Each value is checked before the one option that does not exist is reported, and no other."""
    options = re.sub(r"(--(?:allow|server)-user) \S+", r"\1 nobody", options)
    arguments = [*shlex.split(options), "--no-such-option"]
    command = [sys.executable, "-m", PROGRAMS[program], *arguments]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr.endswith("error: unrecognized arguments: --no-such-option\n")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units, with programs that exist in the places of ours."""
    shutil.copytree(UNITS, tmp_path / "units")
    for file in (tmp_path / "units").rglob("*.*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            file.write_text(re.sub(r"(?m)^(ExecStart=)/\S+", r"\1/bin/true", text))
    return tmp_path / "units"


@pytest.mark.parametrize("with_charon", [False, True], ids=["tkm_iked", "charon-tkm"])
def test_systemd_accepts_them(installed: Path, with_charon: bool) -> None:
    if not with_charon:
        for drop_in in installed.glob("*.service.d"):
            shutil.rmtree(drop_in)
    names = [str(file) for kind in ("service", "target") for file in installed.glob(f"*.{kind}")]
    done = systemd_analyze("verify", "--man=no", *names, folder=installed)
    complaints = [line for line in done.stderr.splitlines() if str(installed) in line]
    complaints += [line for line in done.stderr.splitlines() if any(u in line for u in EXPOSURE)]
    assert complaints == []
    assert len(names) == len(EXPOSURE) + 1


@pytest.mark.parametrize("unit", EXPOSURE)
def test_they_are_closed(unit: str) -> None:
    # The threshold is in tenths.
    options = ("--offline=true", f"--threshold={EXPOSURE[unit] * 10:.0f}")
    done = systemd_analyze("security", *options, str(UNITS / f"{unit}.service"))
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    assert "Overall exposure level" in done.stdout


def expand(name: str) -> set[str]:
    """System calls of a set such as @system-service; of a call, itself."""
    if not name.startswith("@"):
        return {name}
    lines = systemd_analyze("syscall-filter", name).stdout.splitlines()[1:]
    members = [line.strip() for line in lines if line.strip() and "#" not in line]
    assert members, name
    return set().union(*map(expand, members))


@pytest.mark.parametrize("unit", PROGRAMS)
def test_the_filter_leaves_what_our_own_filter_needs(unit: str) -> None:
    allowed: set[str] = set()
    for line in settings(unit)["SystemCallFilter"]:
        named = set().union(*map(expand, line.removeprefix("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    needed = {*calls.DAEMON, *calls.UNIX_CLIENT, *AT_START}
    assert needed - allowed == set()
    assert not allowed & {"ptrace", "process_vm_readv", "mount", "bpf", "init_module", "setuid"}


def test_each_daemon_has_its_user_and_these_call_each_other() -> None:
    users = re.findall(r"(?m)^u (\S+)", (UNITS / "tkm.sysusers.conf").read_text(encoding="utf-8"))
    of = {unit: settings(unit)["User"][0] for unit in PROGRAMS}
    assert sorted(of.values()) == sorted(users)
    options = dict(commands()[::-1]) | {
        unit: settings(unit)["ExecStart"][0].partition(" ")[2] for unit in PROGRAMS
    }
    assert f"--allow-user {of['tkm_iked']}" in options["tkm_keymanager"]
    assert f"--server-user {of['tkm_keymanager']}" in options["tkm_iked"]
    assert f"--allow-user {of['xfrm_proxy']}" in options["tkm_iked"]
    assert f"--server-user {of['tkm_iked']}" in options["xfrm_proxy"]


@pytest.mark.parametrize(("unit", "socket"), FOLDERS.items())
def test_the_default_sockets_are_in_folders_of_their_daemons(unit: str, socket: str) -> None:
    (folder,) = settings(unit)["RuntimeDirectory"]
    assert f"/run/{folder}" == str(Path(socket).parent)
    assert "RuntimeDirectoryMode" not in settings(unit)  # 0755: the others may enter


@pytest.mark.parametrize("unit", PROGRAMS)
def test_nothing_of_ours_is_for_others(unit: str) -> None:
    found = settings(unit)
    assert found["UMask"] == ["0077"]
    assert found["PrivateTmp"] == ["yes"]
    assert "/tmp" not in found["ExecStart"][0]


def test_charon_tkm_meets_both_in_a_private_tmp() -> None:
    keymanager, proxy = (
        settings(drop_in.parent.name.removesuffix(".service.d"), drop_in) for drop_in in CHARON_TKM
    )
    charon = settings("charon-tkm")
    (serves,), (calls_charon,) = keymanager["ExecStart"], proxy["ExecStart"]
    assert "--rpc 1" in serves
    assert f"--socket {paths.ORIGINAL_IKE_SOCKET} --socket-mode 666" in serves
    assert "--allow-user" not in serves  # root alone
    assert f"--socket {paths.ORIGINAL_EES_SOCKET}" in calls_charon
    assert proxy["User"][-1] == "root"
    for unit in (keymanager, proxy, charon):
        assert unit["PrivateTmp"] == ["yes"]
    for unit in (proxy, charon):
        assert unit["JoinsNamespaceOf"] == ["tkm_keymanager.service"]


def test_the_policies_are_there_before_the_network() -> None:
    found = settings("tkm_keymanager")
    assert "network-pre.target" in found["Before"]
    assert "network-pre.target" in found["Wants"]
    assert found["DefaultDependencies"] == ["no"]
    assert "shutdown.target" in found["Conflicts"]


@pytest.mark.parametrize("unit", EXPOSURE)
def test_restarts_never_give_up_and_follow_each_end(unit: str) -> None:
    found = settings(unit)
    assert found["StartLimitIntervalSec"] == ["0"]
    assert found["Restart"] == ["always"]
    assert found["RestartSec"] == ["1"]


@pytest.mark.parametrize("unit", PROGRAMS)
def test_systemd_knows_when_ours_are_ready_and_when_they_hang(unit: str) -> None:
    found = settings(unit)
    assert found["Type"] == ["notify"]
    (seconds,) = found["WatchdogSec"]
    assert float(seconds) > (DEADLINE if unit != "tkm_keymanager" else 0)


@pytest.mark.parametrize("unit", EXPOSURE)
def test_the_target_holds_them_together(unit: str) -> None:
    found = settings(unit)
    assert "tkm.target" in " ".join(found["PartOf"]).split()
    assert found["WantedBy"] == ["tkm.target"]


def test_starting_the_key_manager_again_starts_what_its_stop_has_stopped() -> None:
    assert "tkm.target" in settings("tkm_keymanager")["Wants"]
    for unit in ("tkm_iked", "xfrm_proxy"):
        assert "tkm_keymanager.service" in settings(unit)["PartOf"][0].split()


@pytest.mark.parametrize("unit", EXPOSURE)
def test_a_key_manager_that_fails_once_takes_nobody_along(unit: str) -> None:
    found = settings(unit)
    assert "BindsTo" not in found
    if unit in PROGRAMS:
        assert "Requires" not in found
