# SPDX-License-Identifier: GPL-2.0-or-later
"""The systemd units of docs/real-hosts.md start our programs as these want to be started."""

import configparser
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[3] / "docs" / "systemd"


def service(unit: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string((UNITS / unit).read_text(encoding="utf-8"))
    return parser["Service"]


def test_the_key_manager_gets_as_far_as_its_files():
    program, *arguments = shlex.split(service("tkm_keymanager.service")["ExecStart"])
    assert Path(program).name == "tkm_keymanager"
    arguments[arguments.index("-c") + 1] = "/nonexistent/tkm.conf"
    command = [sys.executable, "-m", "tkm.daemon.main", *arguments]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert "/nonexistent/tkm.conf: No such file" in ended.stderr


@pytest.mark.parametrize("unit", sorted(unit.name for unit in UNITS.glob("*.service")))
def test_the_sockets_are_out_of_reach_for_others(unit):
    """All in one private /tmp: where one is not, it talks to whoever was first in the real one."""
    assert service(unit)["PrivateTmp"] == "yes"
    joins = "JoinsNamespaceOf=tkm_keymanager.service" in (UNITS / unit).read_text()
    assert joins or unit == "tkm_keymanager.service"
