# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON schemas take what our own readers take, and refuse what they refuse."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lab import scenario, topology
from lab.cli.main import cli
from lab.errors import UsageError
from lab.scenario.model import parse as parse_scenario
from lab.scenario.schema import schema as scenario_schema
from lab.topology.schema import schema as topology_schema
from tests.unit.lab.json_schema import faults
from tests.unit.lab.topology.test_topology import NAT, PAIR, SITES

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "docs" / "examples" / "topologies").glob("*.toml"))
TOPOLOGIES = {
    **{name: file.read_text(encoding="utf-8") for name, file in topology.shipped().items()},
    **{file.name: file.read_text(encoding="utf-8") for file in EXAMPLES},
    **{"PAIR": PAIR, "SITES": SITES, "NAT": NAT},
}
SCENARIO = 'title = "t"\nholds = "h"\nsteps = [{ ping = "alice -> bob", within = 5 }]\n'


def _refused(schema: Mapping[str, Any], text: str) -> list[str]:
    return list(faults(schema, tomllib.loads(text)))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_topology_is_taken(name: str) -> None:
    assert _refused(topology_schema(), TOPOLOGIES[name]) == []


@pytest.mark.parametrize("name", scenario.model.shipped())
def test_every_scenario_is_taken(name: str) -> None:
    text = scenario.model.shipped()[name].read_text(encoding="utf-8")
    assert _refused(scenario_schema(), text) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('title = "a pair"', "", "/: required"),
        ('title = "a pair"', "title = 3", "/title: type"),
        ("[links.wire]", "[links.wire]\nspeed = 1", "/links: additionalProperties"),
        ("[links.wire]", "[links.wire]\nloss = 101", "/links: additionalProperties"),
        ("[links.wire]", "[links.wire]\nmtu = 1279", "/links: additionalProperties"),
        ('wire = "192.0.2.1/24"', "wire = 3", "/nodes: additionalProperties"),
        ('identity = "bob', 'ike = "magic"\nidentity = "bob', "/nodes: additionalProperties"),
        ('identity = "bob', 'run = "x"\nidentity = "bob', "/nodes: additionalProperties"),
        ('between = ["alice", "bob"]', 'between = ["alice"]', "/policies: items"),
        ("soft = 30", "soft = -1", "/policies: items"),
    ],
)
def test_what_the_reader_of_topologies_refuses_is_refused(old: str, new: str, fault: str) -> None:
    text = PAIR.replace(old, new)
    assert text != PAIR
    with pytest.raises(UsageError):
        topology.parse("pair", text)
    assert fault in _refused(topology_schema(), text)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('holds = "h"', "", "/: required"),
        ('holds = "h"', 'holds = "h"\nfoo = 1', "/: additionalProperties"),
        ('holds = "h"', 'holds = "h"\nike = { bob = "magic" }', "/ike: additionalProperties"),
        ('holds = "h"', 'holds = "h"\nlifetime = { firm = 3 }', "/lifetime: additionalProperties"),
        ("ping =", "pong =", "/steps: items"),
        ("alice -> bob", "alice bob", "/steps: items"),
        ("within = 5", "within = -5", "/steps: items"),
        ("within = 5", "inside = 5", "/steps: items"),
        ('{ ping = "alice -> bob", within = 5 }', "", "/steps: minItems"),
    ],
)
def test_what_the_reader_of_scenarios_refuses_is_refused(old: str, new: str, fault: str) -> None:
    text = SCENARIO.replace(old, new)
    assert _refused(scenario_schema(), SCENARIO) == []
    with pytest.raises(UsageError):
        parse_scenario("one", text)
    assert fault in _refused(scenario_schema(), text)


@pytest.mark.parametrize("kind", ["topology", "scenario"])
def test_the_command_prints_what_the_docs_have(kind: str) -> None:
    printed = json.loads(CliRunner().invoke(cli, ["schema", kind]).output)
    file = ROOT / "docs" / "schemas" / f"{kind}.json"
    written = json.loads(file.read_text(encoding="utf-8"))
    del written["$comment"]
    assert printed == written


def test_editors_find_schemas_for_our_files() -> None:
    rules = tomllib.loads((ROOT / ".taplo.toml").read_text(encoding="utf-8"))["rule"]
    found = {file for rule in rules for pattern in rule["include"] for file in ROOT.glob(pattern)}
    assert all((ROOT / rule["schema"]["path"]).is_file() for rule in rules)
    assert found >= {*topology.shipped().values(), *scenario.model.shipped().values(), *EXAMPLES}
