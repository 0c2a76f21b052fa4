# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab on a processor with AMX; where this one has none, as if it had (`large_registers`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.kernel import registers
from tests.e2e import large_registers

_HAS_AMX = (registers.host_size() or 0) >= large_registers.SIZE
_PREFIX = [] if _HAS_AMX else [large_registers.__file__]
_BOOT = (
    "mem=128M root=/dev/root rootfstype=hostfs rootflags=/ ro con=null con0=null,fd:1"
    " init=/bin/true"
)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, *_PREFIX, *command] if _PREFIX else list(command)
    return subprocess.run(line, capture_output=True, text=True, timeout=150, check=False)


def test_as_debian_ships_it_init_dies(tmp_path: Path) -> None:
    """What the copy is for: without it every process dies at once (SIGSEGV is 0x0b)."""
    result = _run("linux.uml", *_BOOT.split(), f"uml_dir={tmp_path}/")
    assert "Attempted to kill init! exitcode=0x0000000b" in result.stdout


def test_a_lab_comes_up_and_is_proven(worker_id: str) -> None:
    """All in one command: the guest needs the supervisor for as long as it lives."""
    lab, name = Path(sys.executable).with_name("tkm-lab"), f"registers-{worker_id}"
    script = (
        f"trap '{lab} down {name}' EXIT; {lab} doctor && "
        f"{lab} up two-hosts --kernel uml --name {name} && {lab} check --lab {name}"
    )
    result = _run("bash", "-c", script)
    assert "a private copy that restores them all" in result.stdout
    assert "proven: ESP carried all 6 messages" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("length", [2696, large_registers.SIZE])
def test_the_supervisor_refuses_as_linux_does(length: int) -> None:
    """A traced child of ours: a set that is too short is refused, the full one is taken."""
    code = f"""
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if child == 0:
    libc.ptrace(0, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)
os.waitpid(child, os.WUNTRACED)
buffer = ctypes.create_string_buffer({large_registers.SIZE})
class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))
vector = Vector(ctypes.addressof(buffer), 2696)
get = libc.ptrace(ctypes.c_long(0x4204), child, ctypes.c_long(0x202), ctypes.byref(vector))
vector.length = {length}
put = libc.ptrace(ctypes.c_long(0x4205), child, ctypes.c_long(0x202), ctypes.byref(vector))
os.kill(child, signal.SIGKILL)
print(get, put)
"""
    result = _run(sys.executable, "-c", code)
    assert result.stdout.split() == ["0", "0" if length == large_registers.SIZE else "-1"]
