# SPDX-License-Identifier: GPL-2.0-or-later
"""The example configuration, which is installed: tkm_cfgtool prints it, and takes it."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tkm.config import conf
from tkm.config.policy import Lifetime, Mode, Proposals
from tkm_cfgtool import main, xml

ROOT = Path(__file__).parents[3]


@pytest.fixture
def example(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main.main(["--example"])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", ["swanctl", "ipsec"])
def test_tkm_cfgtool_takes_it(tmp_path: Path, example: Any, kind: str) -> None:
    paths = {name: f"{tmp_path}/{name}" for name in ("xml", "ike", "tkm")}
    Path(paths["xml"]).write_text(example, encoding="utf-8")
    files = ["-c", paths["xml"], "-i", paths["ike"], "-t", paths["tkm"]]
    assert main.main([*files, "--format", kind]) == 0
    assert conf.load(Path(paths["tkm"])) == xml.read(example.encode())
    assert "gw.example.org" in Path(paths["ike"]).read_text()


def test_it_shows_both_modes_and_all_that_is_optional(example: Any) -> None:
    config = xml.read(example.encode())
    assert {policy.mode for policy in config.policies.values()} == set(Mode)
    policy = config.policies[2]
    assert policy.local.net
    assert policy.remote.net
    assert policy.remote.ca
    for part, kind in ((policy.lifetime, Lifetime), (policy.proposals, Proposals)):
        assert all(getattr(part, field.name) for field in fields(kind))


def test_it_is_installed() -> None:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "example.xml" in metadata["tool"]["setuptools"]["package-data"]["tkm_cfgtool"]
