# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios as TOML: what is read, and what is said to who writes them wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.scenario.errors import ScenarioError
from lab.scenario.model import load, parse, shipped
from lab.scenario.steps import STEPS
from lab.scenario.steps.hosts import Up
from lab.scenario.steps.links import Impair
from lab.scenario.steps.traffic import Ping
from lab.scenario.values import Pair
from lab.topology import load as topology

HEAD = """\
title = "a title"
holds = "what holds"
topology = "two-hosts"
"""


def scenario(*lines: str) -> str:
    return HEAD + "\n".join(lines)


def steps(*rows: str) -> str:
    return scenario("steps = [", *(f"    {row}," for row in rows), "]")


@pytest.mark.parametrize("name", shipped())
def test_those_that_are_shipped_are_valid(name: str) -> None:
    found = load(name)
    assert found.name == name
    assert found.steps
    assert all(str(step) for step in found.steps)


def test_the_lab_comes_up_first_if_nothing_is_said() -> None:
    found = parse("x", steps('{ ping = "alice -> bob", within = 5 }'))
    assert found.steps == (
        Up(up="all"),
        Ping(ping=Pair("alice", "bob", False), within=5.0),
    )
    assert parse("x", steps('{ up = "all" }')).steps == (Up(up="all"),)


def test_a_far_side_gets_another_back_end() -> None:
    text = scenario('far = ["bob"]', 'ike = { bob = "strongswan" }', 'steps = [{ up = "all" }]')
    found = parse("x", text)
    assert {node.name: node.ike for node in found.topology.nodes.values()} == {
        "alice": "builtin",
        "bob": "strongswan",
    }
    assert found.with_far("builtin").topology == topology("two-hosts")


def test_lifetimes_and_proposals_take_the_place_of_the_topologys() -> None:
    text = scenario(
        "lifetime = { soft = 5, hard = 60 }",
        'proposals = { ike = "aes256-sha512-modp3072" }',
        'steps = [{ up = "all" }]',
    )
    (policy,) = parse("x", text).topology.policies
    assert (policy.soft, policy.hard, policy.ike, policy.esp) == (
        *(5, 60),
        *("aes256-sha512-modp3072", ""),
    )


def test_the_far_side_may_have_lifetimes_of_its_own() -> None:
    text = scenario('far = ["bob"]', "far_lifetime = { soft = 7 }", 'steps = [{ up = "all" }]')
    found = parse("x", text)
    softs = [found.topology_of(node).policies[0].soft for node in ("alice", "bob")]
    assert softs == [6900, 7]
    assert found.topology.policies[0].soft == 6900


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("3", 'a step is a table such as { ping = "alice -> bob" }'),
        ("{ pong = 1 }", f"no step is called 'pong'; there is: {', '.join(STEPS)}"),
        ('{ ping = "alice -> bob", up = "all" }', "which of them is meant?"),
        ('{ ping = "alice bob" }', "ping: 'alice bob' names no two nodes: write \"alice -> bob\""),
        ('{ ping = "alice -> carol" }', "ping: there is no node 'carol'; there is: alice, bob"),
        ('{ ping = "alice -> alice" }', "alice cannot be at both ends"),
        ('{ ping = "alice -> bob", conut = 3 }', "ping: unknown key 'conut'; known are ping,"),
        ('{ ping = "alice -> bob", within = -1 }', "within: -1 is not a number of seconds"),
        ('{ ping = "alice -> bob", count = true }', "count: true is not a whole number"),
        ('{ exec = "true" }', "exec: on is missing: which host"),
        ('{ exec = "echo \'", on = "bob" }', "is not a command: No closing quotation"),
        ('{ rekey = "alice -> bob", what = "all" }', "what: 'all' is unknown: write child or ike"),
        ('{ kill = "tkm_iked" }', "'tkm_iked' names no program: write \"tkm_iked on alice\""),
        ('{ restart = "charon on alice" }', "no charon runs on alice; there is: tkm_keymanager"),
        ('{ impair = "wire" }', "what is wrong with the link? write loss = 10, or delay = 50"),
        ('{ impair = "wire", loss = 101 }', "loss: 101 is not a percentage from 0 to 100"),
        ('{ impair = "wire", loss = 1, reorder = 5 }', "reorder and jitter need a delay"),
        ('{ heal = "net" }', "heal: there is no link 'net'; there is: wire"),
        ('{ partition = ["alice", "eve"] }', "partition: there is no node 'eve'"),
        ('{ expect_packets = "UDP" }', "'UDP' describes no packets: write \"KIND from NODE"),
        ('{ expect_counters = "bob", rose = { X = 1 } }', "rose: X = 1: write XfrmName ="),
        ('{ clock = "tomorrow" }', "'tomorrow' is not a shift: write \"2 years ahead\""),
        ('{ inject = "made up", between = "alice -> bob" }', "write replayed or flipped or forged"),
    ],
)
def test_a_wrong_step_is_told_with_its_line(row: str, told: str) -> None:
    with pytest.raises(ScenarioError) as wrong:
        parse("x", steps('{ up = "all" }', row), "x.toml")
    assert str(wrong.value).startswith("x.toml:6: step 2: ")
    assert told in str(wrong.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('titel = "x"', "x.toml:4: unknown key 'titel'; known are title, holds,"),
        ("steps = 3", "x.toml:4: steps must be a list"),
        ("steps = []", "x.toml:4: a scenario needs steps: write steps = [ … ]"),
        ('far = ["carol"]', "x.toml:4: far: 'carol' is unknown; known are alice, bob"),
        (
            'needs = ["luck"]',
            "x.toml:4: needs: 'luck' is unknown; known are multiple key exchanges",
        ),
        (
            'identities = { bob = "bad" }',
            "x.toml:4: identities: 'bad' is unknown; known are foreign",
        ),
        ('identities = { eve = "expired" }', "x.toml:4: identities: there is no node 'eve'"),
        (
            'lifetime = { soft = "5" }',
            "x.toml:4: lifetime: write soft or hard = a number of seconds",
        ),
        ('ike = { eve = "none" }', "x.toml:4: ike: there is no node 'eve'"),
        ("steps = [", "x.toml:"),
    ],
)
def test_a_wrong_head_is_told_with_its_line(line: str, told: str) -> None:
    rest = "" if line.startswith("steps") else '\nsteps = [{ up = "all" }]'
    with pytest.raises(ScenarioError) as wrong:
        parse("x", HEAD + line + rest, "x.toml")
    assert str(wrong.value).startswith(told)


def test_what_is_missing() -> None:
    with pytest.raises(ScenarioError, match=r"^x:1: title is missing$"):
        parse("x", "steps = []")
    with pytest.raises(ScenarioError, match=r"^x:3: topology: there is no topology 'nets'"):
        parse("x", HEAD.replace("two-hosts", "nets") + "steps = []")


def test_files(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="there is no scenario 'nothing': tkm-lab run --list"):
        load("nothing")
    with pytest.raises(ScenarioError, match=r"none\.toml: No such file"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "octets.toml").write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match="it is not UTF-8"):
        load(str(tmp_path / "octets.toml"))


def test_a_topology_may_lie_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'title = "one"\n[links.wire]\n[nodes.eve]\naddresses = { wire = "10.0.0.1/8" }\n'
    )
    file = tmp_path / "scenario.toml"
    file.write_text('title = "a"\nholds = "b"\ntopology = "own.toml"\nsteps = [{ up = "all" }]\n')
    assert list(load(str(file)).topology.nodes) == ["eve"]


def test_what_is_wrong_with_a_link_in_the_words_of_netem() -> None:
    row = '{ impair = "wire", loss = 2.5, delay = 20, jitter = 5, reorder = 25, duplicate = 1 }'
    _, impair = parse("x", steps(row)).steps
    assert isinstance(impair, Impair)
    assert " ".join(impair.netem) == "delay 20ms 5ms loss 2.5% reorder 25% duplicate 1%"
    _, impair = parse("x", steps('{ impair = "wire", loss = 100 }')).steps
    assert isinstance(impair, Impair)
    assert impair.netem == ["loss", "100%"]
