# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands, on a lab that is up: what they show, what they refuse, and their exit codes."""

from __future__ import annotations

import json

import pytest

from lab.client.lab import Lab
from lab.errors import CannotExecute, UsageError
from lab.topology import parse
from tests.e2e.command import tkm_lab
from tests.e2e.conftest import Builder


def test_exec_passes_on_input_output_and_exit_code(two_hosts: Lab) -> None:
    script = "tr a-z A-Z; echo trouble >&2; exit 7"
    command = ("exec", "--lab", two_hosts.name, "alice", "--", "sh", "-c", script)
    assert tkm_lab(*command, given="to the node\n") == (7, "TO THE NODE\n", "trouble\n")


def test_the_environment_names_the_lab(two_hosts: Lab) -> None:
    assert tkm_lab("exec", "bob", "--", "hostname", TKM_LAB=two_hosts.name) == (0, "bob\n", "")


def test_strongswan_s_tools_have_nothing_to_complain_of(two_hosts: Lab) -> None:
    told = two_hosts.call("alice", ["swanctl", "--list-conns"])
    assert (told.code, told.stderr) == (0, b"")
    assert told.stdout.startswith(b"conn1: IKEv2")


def test_exec_gives_a_terminal_when_asked(two_hosts: Lab) -> None:
    assert tkm_lab("exec", "-t", "bob", "tty", TKM_LAB=two_hosts.name).out.startswith("/dev/pts/")
    assert tkm_lab("exec", "bob", "tty", TKM_LAB=two_hosts.name) == (1, "not a tty\n", "")


def test_shell_is_the_node_s_own(two_hosts: Lab) -> None:
    outcome = tkm_lab("shell", "bob", given="hostname\nexit 3\n", TKM_LAB=two_hosts.name)
    assert outcome.code == 3
    assert "bob" in outcome.out.splitlines()


def test_tab_proposes_what_is_in_the_lab(two_hosts: Lab) -> None:
    def proposed(words: str, number: int) -> str:
        more = {"COMP_WORDS": f"tkm-lab {words}", "COMP_CWORD": str(number)}
        more["_TKM_LAB_COMPLETE"] = "bash_complete"
        return tkm_lab(TKM_LAB=two_hosts.name, **more).out

    assert proposed("shell a", 2) == "plain,alice\n"
    assert proposed("logs bob x", 3) == "plain,xfrm_proxy\n"
    assert proposed("capture w", 2) == "plain,wire\n"


@pytest.mark.parametrize(
    ("destination", "code"), [("bob", 0), ("192.168.0.2", 0), ("192.168.0.9", 1)]
)
def test_ping_says_whether_there_was_an_answer(two_hosts: Lab, destination: str, code: int) -> None:
    outcome = tkm_lab("ping", "-c", "1", "alice", destination, TKM_LAB=two_hosts.name)
    assert outcome.code == code, outcome
    assert ("\n1 of 1 replies received" in outcome.out) == (code == 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("exec", "carol", "--", "true"), "no node carol in this lab; there is: alice, bob"),
        (("shell", "carol"), "no node carol in this lab; there is: alice, bob"),
        (("ping", "carol", "bob"), "no node carol in this lab; there is: alice, bob"),
        (
            ("ping", "alice", "carol"),
            "carol is neither an address nor a node in this lab; there is: alice, bob",
        ),
        (("logs", "carol"), "no node carol in this lab; there is: alice, bob"),
        (("logs", "alice", "tkm"), "there is: tkm_keymanager, tkm_iked, xfrm_proxy"),
        (("up", "two-hosts", "--name", "a b"), "'a b' is not a name"),
    ],
)
def test_wrong_use_is_told_what_exists(
    two_hosts: Lab, arguments: tuple[str, ...], told: str
) -> None:
    outcome = tkm_lab(*arguments, TKM_LAB=two_hosts.name)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.complaint


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("no-such-command", 127, "No such file or directory"),
        ("/no/such/command", 127, "No such file or directory"),
        ("/etc/passwd", 126, "Permission denied"),
        ("/etc", 126, "Permission denied"),
    ],
)
def test_a_command_that_cannot_be_executed_ends_as_in_a_shell(
    two_hosts: Lab, command: str, code: int, told: str
) -> None:
    outcome = tkm_lab("exec", "alice", "--", command, TKM_LAB=two_hosts.name)
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.complaint == f"tkm-lab: alice: {command}: {told}"


def test_a_command_that_is_too_long_is_one_line_and_the_node_lives(two_hosts: Lab) -> None:
    with pytest.raises(UsageError, match="the command has more than"):
        two_hosts.call("alice", ["true", "x" * 150_000])
    with pytest.raises(CannotExecute, match="null"):
        two_hosts.call("alice", ["true", "a\0b"])
    assert two_hosts.call("alice", ["true"]).code == 0


def test_the_terminal_of_a_command_is_the_user_s(two_hosts: Lab) -> None:
    command = ("exec", "-t", "alice", "--", "sh", "-c", "echo $TERM $COLORTERM")
    more = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TKM_LAB": two_hosts.name}
    assert tkm_lab(*command, **more).out.split() == ["xterm-256color", "truecolor"]


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
    whole = json.loads(outcome.out)
    told = whole.pop("links")["wire"]
    assert whole == {"ok": True, "refused": [], "proven": ["wire"], "lost": ""}
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
        (ike_sa,) = node["ike_sas"]
        assert (ike_sa["state"], node["trouble"]) == ("ESTABLISHED", "")
        (child,) = node["child_sas"]
        assert (child["name"], child["state"]) == ("conn1", "INSTALLED")
        assert min(child["packets"]) >= 1
        assert child["rekey_in"] < child["expires_in"] <= 7200
    alice, bob = (node["child_sas"][0] for node in told["nodes"])
    assert (alice["spi_in"], alice["spi_out"]) == (bob["spi_out"], bob["spi_in"])
    shown = tkm_lab("status", TKM_LAB=two_hosts.name).out
    for text in (*told["nodes"][0]["ike_sas"][0]["spis"], alice["spi_in"], alice["spi_out"]):
        assert shown.count(text) == 2
    assert not told_keys(two_hosts, outcome.out + shown)


def told_keys(lab: Lab, text: str) -> list[bytes]:
    """The ESP keys in the lab's kernels that a text shows, as digits or as Python does."""
    states = [state for node in ("alice", "bob") for state in lab.states(node).states]
    algorithms = [a for state in states for a in (state.encryption, state.integrity) if a]
    assert algorithms
    text = text.replace("\\\\", "\\")
    starts = [algorithm.key[:8] for algorithm in algorithms]
    return [start for start in starts if start.hex() in text or repr(start)[2:-1] in text]


BY_HAND = """
title = "states by hand"
[links.wire]
[nodes.alice]
addresses = { wire = "192.168.0.1/24" }
ike = "none"
[nodes.bob]
addresses = { wire = "192.168.0.2/24" }
ike = "none"
"""
STATE = (
    *("ip", "xfrm", "state", "add", "src", "192.168.0.1", "dst", "192.168.0.2", "proto", "esp"),
    *("spi", "0x1000", "reqid", "7", "mode", "transport"),
    *("enc", "cbc(aes)", "0x" + "11" * 32, "auth", "hmac(sha256)", "0x" + "22" * 32),
)


def test_without_ike_the_kernel_s_states_are_shown(fresh: Builder) -> None:
    lab = fresh(parse("by-hand", BY_HAND))
    assert lab.call("alice", ["printenv", "STRONGSWAN_CONF"]).code == 1
    assert lab.call("alice", STATE).code == 0
    alice, bob = json.loads(tkm_lab("status", "--json", TKM_LAB=lab.name).out)["nodes"]
    (sa,) = alice["child_sas"]
    assert (sa["state"], sa["spi_out"], alice["trouble"]) == ("KERNEL ONLY", "00001000", "")
    assert (bob["child_sas"], bob["trouble"]) == ([], "")
    shown = tkm_lab("status", TKM_LAB=lab.name)
    assert (shown.code, "00001000" in shown.out, "✗" in shown.out) == (0, True, False)
