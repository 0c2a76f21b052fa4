# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeing a lab: captures that tshark opens, log lines as they come, the state of tunnels."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from lab.client import metadata, vici, which
from lab.client.lab import Lab
from lab.topology import load
from tests.e2e.command import COMMAND, environment, tkm_lab
from tests.e2e.conftest import Builder


def ping(lab: Lab) -> None:
    assert lab.call("alice", ["ping", "-c1", "-w20", "192.168.0.2"]).code == 0


def tshark(capture: Path | None, keys: Path, *fields: str, given: IO[bytes] | None = None) -> str:
    """What tshark says of a capture, a line for each frame."""
    source = ["-r", str(capture)] if capture else ["-l", "-i", "-", "-c", "4"]
    columns = [word for field in fields for word in ("-e", field)]
    return subprocess.run(
        ["tshark", *source, "-T", "fields", *columns],
        env=environment({"WIRESHARK_CONFIG_DIR": str(keys)}),
        stdin=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


@contextmanager
def follower(*arguments: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on, until Ctrl-C."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        yield process
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0, process.stderr and process.stderr.read()


def test_tshark_looks_inside_esp_with_the_keys(two_hosts: Lab, tmp_path: Path) -> None:
    ping(two_hosts)
    file, keys = tmp_path / "wire.pcapng", tmp_path / "keys"
    arguments = ("capture", "wire", "-o", str(file), "--keys", str(keys))
    outcome = tkm_lab(*arguments, TKM_LAB=two_hosts.name)
    assert outcome.code == 0, outcome
    assert f"WIRESHARK_CONFIG_DIR={keys} wireshark -r {file}" in outcome.err

    fields = ("frame.interface_name", "esp.spi", "icmp.type", "esp.icv_bad")
    rows = [line.split("\t") for line in tshark(file, keys, *fields).splitlines()]
    opened = {(port, kind) for port, spi, kind, _ in rows if spi}
    assert {("alice-eth0", "8"), ("bob-eth0", "0")} <= opened
    assert {bad for _, spi, _, bad in rows if spi} == {"0"}
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert {line for line in tshark(file, nothing, "icmp.type").splitlines() if line} == set()


def test_tshark_takes_the_tables_without_a_warning(two_hosts: Lab, tmp_path: Path) -> None:
    ping(two_hosts)
    file, keys = tmp_path / "wire.pcapng", tmp_path / "keys"
    arguments = ("capture", "wire", "-o", str(file), "--keys", str(keys))
    assert tkm_lab(*arguments, TKM_LAB=two_hosts.name).code == 0
    read = ["tshark", "-r", str(file)]
    more = environment({"WIRESHARK_CONFIG_DIR": str(keys)})
    done = subprocess.run(read, env=more, capture_output=True, text=True, timeout=60, check=True)
    assert "WARNING" not in done.stderr, done.stderr


def test_keys_are_for_their_owner_only(two_hosts: Lab, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    nowhere = ("capture", "-o", os.devnull, "--keys", str(keys))
    assert tkm_lab(*nowhere, TKM_LAB=two_hosts.name).code == 0
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in keys.iterdir()} == {0o600}
    assert "ikev2_decryption_table" not in [file.name for file in keys.iterdir()]


def test_exposed_ike_keys_open_ike(fresh: Builder, tmp_path: Path) -> None:
    lab = fresh(expose_ike_keys=True)
    ping(lab)
    file, keys = tmp_path / "wire.pcapng", tmp_path / "keys"
    arguments = ("capture", "-o", str(file), "--keys", str(keys))
    assert tkm_lab(*arguments, TKM_LAB=lab.name).code == 0
    bodies = tshark(file, keys, "isakmp.auth.method", "isakmp.id.data.user_fqdn")
    assert "alice@tkm-lab.test" in bodies
    assert "bob@tkm-lab.test" in bodies
    warnings = [line.text for line in lab.logs("alice", "tkm_keymanager") if "EXPOSED" in line.text]
    assert len(warnings) == 1


def test_a_capture_goes_on_live(two_hosts: Lab, tmp_path: Path) -> None:
    ping(two_hosts)
    keys = tmp_path / "keys"
    arguments = ("capture", "-f", "-n", "wire", "--keys", str(keys))
    with follower(*arguments, TKM_LAB=two_hosts.name) as process:
        assert process.stderr is not None
        assert b"WIRESHARK_CONFIG_DIR" in process.stderr.readline()
        assert process.stdout is not None
        head = os.read(process.stdout.fileno(), 4)  # it has begun: what is sent now is in it
        assert head == b"\x0a\x0d\x0d\x0a"
        ping(two_hosts)
        with (tmp_path / "live").open("wb") as file:
            file.write(head)
            while file.tell() < 400:
                file.write(os.read(process.stdout.fileno(), 65536))
    kinds = tshark(tmp_path / "live", keys, "icmp.type").split()
    assert kinds[:2] == ["8", "0"]


def test_what_cannot_be_captured_is_one_line(two_hosts: Lab) -> None:
    outcome = tkm_lab("capture", "wan", TKM_LAB=two_hosts.name)
    assert (outcome.code, outcome.out) == (2, "")
    assert "no link wan in this lab; there is: wire" in outcome.complaint
    outcome = tkm_lab("capture", "-o", "/no/such/file", TKM_LAB=two_hosts.name)
    assert (outcome.code, "No such file" in outcome.complaint) == (2, True)


def test_logs_of_all_hosts_are_merged_by_time(two_hosts: Lab) -> None:
    ping(two_hosts)
    lines = json.loads(tkm_lab("logs", "--json", TKM_LAB=two_hosts.name).out)
    assert {line["node"] for line in lines} == {"alice", "bob"}
    assert [line["number"] for line in lines] == sorted(line["number"] for line in lines)
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    shown = tkm_lab("logs", TKM_LAB=two_hosts.name).out.splitlines()
    assert len(shown) == len(lines)
    assert all(line["node"] in text for line, text in zip(lines, shown, strict=True))


def test_logs_come_as_they_are_written(two_hosts: Lab) -> None:
    ping(two_hosts)
    with follower("logs", "-f", "--json", "bob", "tkm_iked", TKM_LAB=two_hosts.name) as process:
        assert process.stdout is not None
        told = len(two_hosts.logs("bob", "tkm_iked"))
        for _ in range(told):
            process.stdout.readline()
        vici.rekey(two_hosts, "alice", child="conn1")
        texts = iter(lambda: json.loads(process.stdout.readline())["text"], None)  # type: ignore[union-attr]
        assert "received packet" in next(texts)
        assert any("established with SPIs" in text for text in texts)


def test_following_ends_with_the_lab(fresh: Builder) -> None:
    lab = fresh()
    process = subprocess.Popen(
        [*COMMAND, "logs", "-f"], env=environment({"TKM_LAB": lab.name}), stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        lab.down()
        assert process.wait(20) == 0


@pytest.mark.parametrize("reader", [["head", "-c", "100"], ["true"]])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("capture", "-f"), 0),
        (("logs", "-f"), 0),
        (("exec", "alice", "--", "sleep", "600"), 141),
        (("exec", "alice", "yes"), 141),
    ],
)
def test_what_has_no_end_ends_with_its_reader_on_a_quiet_lab(
    two_hosts: Lab, arguments: Sequence[str], code: int, reader: Sequence[str]
) -> None:
    if "sleep" in arguments:
        reader = ["true"]
    command = [*COMMAND, *arguments]
    writing = subprocess.Popen(
        command,
        env=environment({"TKM_LAB": two_hosts.name}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with writing:
        subprocess.run(reader, stdin=writing.stdout, stdout=subprocess.DEVNULL, check=True)
        assert writing.stdout is not None
        writing.stdout.close()
        assert writing.wait(20) == code
        assert writing.stderr is not None
        assert writing.stderr.read() == b""


def test_a_lab_remembers_its_topology(two_hosts: Lab) -> None:
    assert metadata.topology_of(two_hosts) == load("two-hosts")


def test_the_picture_shows_which_tunnels_are_up(fresh: Builder) -> None:
    lab = fresh()
    before = tkm_lab("graph", TKM_LAB=lab.name).out
    assert ("no SAs yet" in before, "SAs are up" in before) == (True, False)
    ping(lab)
    after = tkm_lab("graph", TKM_LAB=lab.name).out
    assert ("no SAs yet" in after, "SAs are up" in after) == (False, True)
    lab.signal("bob", "tkm_iked", signal.SIGKILL)  # it could not say farewell: the SAs stay
    lab.wait_for_exit("bob", "tkm_iked")
    shown = tkm_lab("status", TKM_LAB=lab.name)
    assert shown.code == 0
    assert "KERNEL ONLY" in shown.out
    assert which.command(lab.name, "logs", "bob") in shown.out
    assert "SAs are up" in tkm_lab("graph", TKM_LAB=lab.name).out
