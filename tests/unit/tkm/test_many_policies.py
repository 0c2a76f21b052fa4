# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway's size: more policies than generation 1 knows, at a cost in proportion to them."""

import dataclasses
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest

from tests.unit.tkm.configs import tunnel
from tests.unit.tkm.test_traffic import written
from tkm.config import conf
from tkm.config.policy import Config
from tkm.daemon import logs, memory
from tkm.daemon import main as keymanager
from tkm_cfgtool import ipsec, swanctl, xml
from tkm_cfgtool import main as cfgtool


def config_of(policies: int) -> Config:
    """Networks of 256 hosts, each behind a peer of its own, and one policy for all the rest."""
    policy = tunnel().policies[7]
    sides = ip_network("10.0.0.0/8").subnets(new_prefix=24)
    found = {
        number: dataclasses.replace(
            policy,
            id=number,
            remote=dataclasses.replace(
                policy.remote,
                identity=f"peer{number}.example.org",
                ip=policy.remote.ip + number,
                net=cast(IPv4Network, net) if number > 1 else IPv4Network("0.0.0.0/0"),
            ),
        )
        for number, net in zip(range(1, policies + 1), sides, strict=False)
    }
    return Config(tunnel().local_identities, found)


def steps(work: Callable[[], object]) -> int:
    """How many instructions Python carries out."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


WORK: dict[str, tuple[Callable[[Config], Any], Callable[[Any], object]]] = {
    "reading config.xml": (lambda config: written(config).encode(), xml.read),
    "reading tkm.conf": (conf.render, conf.parse),
    "writing tkm.conf": (lambda config: config, conf.render),
    "writing swanctl.conf": (lambda config: config, swanctl.render),
    "writing ipsec.conf": (lambda config: config, ipsec.render),
}
"""What is worked on, and how."""


@pytest.mark.parametrize("name", WORK)
def test_the_work_grows_with_the_number_of_policies(name: Any) -> None:
    material, work = WORK[name]
    few, many = (steps(partial(work, material(config_of(size)))) for size in (20, 80))
    assert few < many < 4.2 * few


def test_more_than_a_hundred_policies_are_read_back() -> None:
    config = config_of(300)
    assert xml.read(written(config).encode()) == config
    assert conf.parse(conf.render(config)) == config


def run_cfgtool(folder: Path, config: Config, generation: int) -> int:
    (folder / "config.xml").write_text(written(config))
    files = ["-c", "config.xml", "-i", "swanctl.conf", "-t", "tkm.conf"]
    names = [str(folder / name) if name[0] != "-" else name for name in files]
    return cfgtool.main([*names, "--rpc", str(generation)])


@pytest.mark.parametrize(
    ("policies", "generation", "code"), [(101, 2, 0), (100, 1, 0), (101, 1, 1)]
)
def test_generation_1_has_a_hundred(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], policies: int, generation: int, code: int
) -> None:
    assert run_cfgtool(tmp_path, config_of(policies), generation) == code
    assert (tmp_path / "tkm.conf").exists() == (code == 0)
    told = capsys.readouterr().err
    assert ("policy 101: id is not in 1 to 100, as generation 1 needs it" in told) == bool(code)


def test_a_key_manager_of_generation_1_refuses_more_before_it_changes_a_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tkm.conf"
    file.write_text(conf.render(config_of(101)))
    file.chmod(0o600)
    monkeypatch.setattr(logs, "to", lambda *_, **__: None)
    monkeypatch.setattr(memory, "protect", lambda: None)
    monkeypatch.setattr(keymanager, "XfrmKernel", lambda: pytest.fail("the kernel is asked"))
    options = ["-c", str(file), "-k", "key.der", "-r", "ca.der:1", "--rpc", "1"]
    assert keymanager.main([*options, "--socket", str(tmp_path / "socket")]) == 1
    assert "policy 101: id is not in 1 to 100" in caplog.text
