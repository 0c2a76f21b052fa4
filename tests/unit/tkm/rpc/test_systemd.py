# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service manager receives, on a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tkm.rpc import systemd


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
            monkeypatch.delenv(name, raising=False)
        yield listening
    if channel := systemd._channel(str(tmp_path / "notify")):
        channel.close()
    systemd._channel.cache_clear()


def received(manager: Any) -> Any:
    states = []
    try:
        while True:
            states.append(manager.recv(100))
    except BlockingIOError:
        return states


def test_a_state_is_one_datagram(manager: Any) -> None:
    systemd.notify("READY=1")
    systemd.notify("STOPPING=1")
    assert received(manager) == [b"READY=1", b"STOPPING=1"]


def test_without_a_manager_nothing_happens(manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET")
    systemd.connect()
    systemd.notify("READY=1")
    assert received(manager) == []


def test_a_manager_that_is_gone_is_reported_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.notify("READY=1")
    assert "The service manager cannot be notified: No such file" in caplog.text
    systemd._channel.cache_clear()


def test_a_watchdog_gives_two_signs_of_life_an_interval(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    watchdog = systemd.Watchdog()
    begin = watchdog.next_timer()
    assert begin is not None
    for seconds in (0.0, 1.4, 1.5, 2.9, 3.0):
        watchdog.handle_timer(begin + seconds)
    assert received(manager) == [b"WATCHDOG=1"] * 3
    assert watchdog.next_timer() == begin + 4.5


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid() + 1)}]
)
def test_no_sign_of_life_where_nobody_waits_for_ours(
    manager: Any, monkeypatch: pytest.MonkeyPatch, environment: Any
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    watchdog = systemd.Watchdog()
    watchdog.handle_timer(1e12)
    assert (watchdog.next_timer(), received(manager)) == (None, [])
