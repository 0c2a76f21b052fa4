# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever the three standard streams are, a command ends with its own exit code, or one line."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from lab.cli.streams import in_ascii, reader_gone
from tests.e2e.command import COMMAND, environment


def shell(script: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A shell's script, in which "$@" is tkm-lab."""
    command = ["bash", "-c", script, "bash", *COMMAND]
    env = environment(more)
    return subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "script",
    [
        '"$@" topologies <&-',
        '"$@" topologies >&-',
        '"$@" topologies 2>&-',
        '"$@" topologies <&- >&- 2>&-',
        '"$@" topologies 2>/dev/full',
        '"$@" topologies | true; exit ${PIPESTATUS[0]}',
        '"$@" graph star | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}',
        '"$@" --help >&-',
    ],
)
def test_streams_that_are_closed_or_not_read_are_no_trouble(script: str) -> None:
    done = shell(script)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["topologies", "topologies --json", "graph star", "--help"])
def test_a_full_disk_is_one_line(command: str) -> None:
    done = shell(f'"$@" {command} >/dev/full')
    assert (done.returncode, done.stderr) == (
        1,
        b"tkm-lab: standard output: No space left on device\n",
    )
    assert shell(f'"$@" {command} >/dev/full 2>/dev/full').returncode == 1


@pytest.mark.parametrize("to", [">/dev/full", ">&-", "2>&-", "2>/dev/full"])
def test_an_error_keeps_its_exit_code(to: str) -> None:
    assert shell(f'"$@" frobnicate {to}').returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "ascii:strict", "iso-8859-1", "utf-8"])
def test_any_encoding_carries_the_text(encoding: str) -> None:
    code = "from lab.cli.show import out, mark; out.print(mark(True), '→ ü \\udcff')"
    program = f"from lab.cli.streams import Streams\nwith Streams().used():\n {code}"
    script = f'exec "$1" -c "{program}"'
    done = shell(script, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    name = encoding.partition(":")[0]
    expected = {"ascii": "+ > ? ?", "iso-8859-1": "+ > ü ?", "utf-8": "✓ → ü ?"}[name]
    assert done.stdout.rstrip() == expected.encode(name)


INTERRUPTED = """
import fcntl, os, signal
from lab.cli.streams import _Output, _text
signal.signal(signal.SIGINT, signal.default_int_handler)
reader, writer = os.pipe()
out = _text(_Output(writer), None, buffered=False)
# The kernel sends SIGINT as soon as there is something to read: while write(2) is not back yet.
fcntl.fcntl(reader, fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(reader, fcntl.F_SETSIG, signal.SIGINT)
fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
try:
    print("first", file=out)
except KeyboardInterrupt:
    fcntl.fcntl(reader, fcntl.F_SETFL, 0)
    print("second", file=out)
    out.flush()
    print(os.read(reader, 100))
"""


def test_what_ctrl_c_interrupts_is_not_written_again() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)
    assert (done.stdout, done.stderr) == ("b'first\\nsecond\\n'\n", "")


def test_ascii_has_a_stand_in_for_all_that_we_draw() -> None:
    assert in_ascii("✓✗→…──") == "+x>...--"


def test_a_reader_that_goes_is_noticed_without_output() -> None:
    source, sink = os.pipe()
    gone = reader_gone(sink)
    assert gone is not None
    assert select.select([gone], [], [], 0)[0] == []
    os.close(source)
    assert select.select([gone], [], [], 10)[0] == [gone]
    os.close(sink)


def test_a_file_always_has_readers() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    assert reader_gone(nowhere) is None
    os.close(nowhere)
