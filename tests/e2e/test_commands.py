# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands, on a lab that is up: what they show, what they refuse, and their exit codes."""

from __future__ import annotations

import json

import pytest

from lab.client import Lab
from tests.e2e.command import tkm_lab


def test_exec_passes_on_input_output_and_exit_code(two_hosts: Lab) -> None:
    script = "tr a-z A-Z; echo trouble >&2; exit 7"
    command = ("exec", "--lab", two_hosts.name, "alice", "--", "sh", "-c", script)
    assert tkm_lab(*command, given="to the node\n") == (7, "TO THE NODE\n", "trouble\n")


def test_the_environment_names_the_lab(two_hosts: Lab) -> None:
    assert tkm_lab("exec", "bob", "--", "hostname", TKM_LAB=two_hosts.name) == (0, "bob\n", "")


@pytest.mark.parametrize(
    ("destination", "code"), [("bob", 0), ("192.168.0.2", 0), ("192.168.0.9", 1)]
)
def test_ping_says_whether_there_was_an_answer(two_hosts: Lab, destination: str, code: int) -> None:
    outcome = tkm_lab("ping", "-c", "1", "alice", destination, TKM_LAB=two_hosts.name)
    assert outcome.code == code, outcome
    assert ("1 received" in outcome.out) == (code == 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("exec", "carol", "--", "true"), "no node carol in this lab; there is: alice, bob"),
        (("shell", "carol"), "no node carol in this lab; there is: alice, bob"),
        (("ping", "carol", "bob"), "no node carol in this lab; there is: alice, bob"),
        (("ping", "alice", "carol"), "no node in this lab; there is: alice, bob"),
        (("logs", "carol"), "no node carol in this lab; there is: alice, bob"),
        (("logs", "alice", "tkm"), "there is: tkm_keymanager, tkm_iked, xfrm_proxy"),
        (("up", "two-hosts", "--name", "a b"), "no name"),
    ],
)
def test_wrong_use_is_told_what_exists(
    two_hosts: Lab, arguments: tuple[str, ...], told: str
) -> None:
    outcome = tkm_lab(*arguments, TKM_LAB=two_hosts.name)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.complaint


def test_a_command_that_does_not_exist_is_one_line(two_hosts: Lab) -> None:
    outcome = tkm_lab("exec", "alice", "--", "no-such-command", TKM_LAB=two_hosts.name)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.complaint == "tkm-lab: alice: no-such-command: No such file or directory"


def test_logs_of_all_daemons_and_of_one(two_hosts: Lab) -> None:
    every = json.loads(tkm_lab("logs", "alice", "--json", TKM_LAB=two_hosts.name).out)
    assert {"tkm_keymanager", "tkm_iked", "xfrm_proxy"} == {line["daemon"] for line in every}
    one = json.loads(tkm_lab("logs", "alice", "xfrm_proxy", "--json", TKM_LAB=two_hosts.name).out)
    assert {"xfrm_proxy"} == {line["daemon"] for line in one}
    shown = tkm_lab("logs", "alice", "xfrm_proxy", TKM_LAB=two_hosts.name).out
    assert "waiting for kernel events" in shown


def test_check_shows_what_carried_each_message(two_hosts: Lab) -> None:
    outcome = tkm_lab("check", TKM_LAB=two_hosts.name)
    assert outcome.code == 0, outcome
    assert "proven: ESP carried all 6 messages" in outcome.out
    assert outcome.out.count("alice → bob") == outcome.out.count("bob → alice") == 3
    assert max(len(line) for line in outcome.out.splitlines()) <= 80


def test_check_for_programs(two_hosts: Lab) -> None:
    outcome = tkm_lab("check", "--json", TKM_LAB=two_hosts.name)
    told = json.loads(outcome.out)["wire"]
    assert (outcome.code, told["ok"], told["lost"], told["failures"]) == (0, True, "", [])
    assert all(message["carried_by"] for message in told["messages"])
    assert not told_keys(two_hosts, outcome.out)


def test_status_shows_hosts_daemons_and_states_but_no_key(two_hosts: Lab) -> None:
    assert tkm_lab("ping", "-c", "1", "alice", "bob", TKM_LAB=two_hosts.name).code == 0
    outcome = tkm_lab("status", "--json", TKM_LAB=two_hosts.name)
    told = json.loads(outcome.out)
    summary = two_hosts.summary()
    assert (told["summary"]["keeper"], told["summary"]["guest"]) == (summary.keeper, summary.guest)
    for node in told["nodes"]:
        assert [daemon["code"] for daemon in node["daemons"]] == [None, None, None]
        assert len(node["esp_states"]) >= 2
    shown = tkm_lab("status", TKM_LAB=two_hosts.name).out
    assert all(f"{state['spi']}" in shown for state in told["nodes"][0]["esp_states"])
    assert not told_keys(two_hosts, outcome.out + shown)


def told_keys(lab: Lab, text: str) -> list[bytes]:
    """The ESP keys in the lab's kernels that a text shows, as digits or as Python does."""
    states = [state for node in ("alice", "bob") for state in lab.states(node).states]
    algorithms = [a for state in states for a in (state.encryption, state.integrity) if a]
    assert algorithms
    text = text.replace("\\\\", "\\")
    starts = [algorithm.key[:8] for algorithm in algorithms]
    return [start for start in starts if start.hex() in text or repr(start)[2:-1] in text]
